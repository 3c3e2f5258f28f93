"""Keeps an agent registered with the orchestrator, whichever of the two starts first or again."""

import logging
import threading

import httpx

from ..health import reason

log = logging.getLogger(__name__)
EVERY = 10


class Presence:
    """Registers, then sends heartbeats; ``problem`` says why the orchestrator does not know the agent now."""

    def __init__(self, orchestrator: str, agent: dict) -> None:
        self._orchestrator = orchestrator
        self._agent = agent
        self._identity: str | None = None
        self.problem: str | None = "not registered yet"

    def start(self) -> None:
        threading.Thread(target=self._run, name="presence", daemon=True).start()

    def _run(self) -> None:
        pause = threading.Event()
        while True:
            try:
                self.beat()
                self._note(None)
            except httpx.HTTPError as error:
                self._note(reason(error))
            pause.wait(EVERY)

    def beat(self) -> None:
        """Send a heartbeat, and register first when the orchestrator does not know this agent."""
        if self._identity:
            answer = httpx.post(f"{self._orchestrator}/agents/{self._identity}/heartbeat", timeout=5)
            if answer.status_code != 404:
                answer.raise_for_status()
                return
        answer = httpx.post(f"{self._orchestrator}/agents/register", json=self._agent, timeout=5)
        answer.raise_for_status()
        self._identity = answer.json()["id"]

    def _note(self, problem: str | None) -> None:
        if problem != self.problem:
            log.log(logging.WARNING if problem else logging.INFO, "orchestrator: %s", problem or "registered")
        self.problem = problem
