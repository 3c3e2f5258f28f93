"""The servers that models run on: asked in order, the next one when one is away."""

import json
import logging
from collections.abc import AsyncIterator
from typing import Any

import httpx
from prometheus_client import Gauge

log = logging.getLogger(__name__)
UP = Gauge("ollamamax_node_up", "Whether a node answered when it was looked at last", ["node"])


class NodesAway(Exception):
    """No node answered; says what each said."""


class Nodes:
    """Servers with OpenAI's API: Ollama, or a backend in front of it."""

    def __init__(self, urls: list[str], timeout: float) -> None:
        self.urls = urls
        # A connection for each request: an idle one may be ended just as the next request is sent.
        limits = httpx.Limits(max_keepalive_connections=0)
        self._http = httpx.AsyncClient(timeout=httpx.Timeout(timeout, connect=3), limits=limits)

    async def send(self, method: str, path: str, token: str, body: Any = None, stream: bool = False) -> httpx.Response:
        """Return the first answer below 500; its body is not read yet when ``stream``.

        :raises NodesAway: when there is none
        """
        said = []
        for url in self.urls:
            # An Ollama takes no notice of a token, a backend of ours asks for it.
            request = self._http.build_request(
                method, url + path, json=body, headers={"authorization": f"Bearer {token}"}
            )
            try:
                answer = await self._http.send(request, stream=stream)
            except httpx.HTTPError as error:
                said.append(f"{url}: {type(error).__name__}")
                continue
            if answer.status_code < 500:
                return answer
            said.append(f"{url}: answers {answer.status_code}")
            await answer.aclose()
        log.warning("no node answers %s: %s", path, "; ".join(said))
        raise NodesAway("; ".join(said))

    async def look(self) -> dict[str, str]:
        """Return {URL: ok or what is wrong} of every node."""
        found = {}
        for url in self.urls:
            try:
                # A backend of ours answers it when one of its own nodes does.
                answer = await self._http.get(f"{url}/api/version", timeout=3)
                found[url] = "ok" if answer.status_code == 200 else f"answers {answer.status_code}"
            except httpx.HTTPError as error:
                found[url] = type(error).__name__
            UP.labels(url).set(found[url] == "ok")
        return found

    async def speak(self, token: str, model: str, messages: list[dict[str, str]]) -> AsyncIterator[str]:
        """Yield a chat's answer in pieces.

        :raises NodesAway: when there is none, or when it breaks off
        """
        body = {"model": model, "messages": messages, "stream": True, "max_tokens": 256}
        answer = await self.send("POST", "/v1/chat/completions", token, body, stream=True)
        try:
            if answer.status_code != 200:
                await answer.aread()
                raise NodesAway(f"{answer.url.host} answers {answer.status_code}: {_reason(answer)}")
            async for line in answer.aiter_lines():
                if not line.startswith("data: ") or line == "data: [DONE]":
                    continue
                said = json.loads(line[6:])
                if said.get("error"):
                    raise NodesAway(said["error"].get("message", "it broke off"))
                for choice in said.get("choices", []):
                    if choice.get("delta", {}).get("content"):
                        yield choice["delta"]["content"]
        except (httpx.HTTPError, ValueError) as error:
            raise NodesAway(f"{answer.url.host} broke off: {type(error).__name__}") from None
        finally:
            await answer.aclose()


def _reason(answer: httpx.Response) -> str:
    """Return what an answer in the shape of OpenAI, Ollama or FastAPI says is wrong."""
    try:
        said = answer.json()
        error = said.get("error") or said.get("detail")
        return str(error["message"] if isinstance(error, dict) else error)[:200]
    except (ValueError, AttributeError, KeyError):
        return "no reason given"
