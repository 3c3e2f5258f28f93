"""Health of a service: its dependencies, really connected to, all at once, within a limit, cached briefly."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from prometheus_client import Gauge

log = logging.getLogger(__name__)

OK = "ok"
DEPENDENCY_UP = Gauge("optiinfra_dependency_up", "1 if the dependency answered its last check", ["dependency"])


@dataclass
class Check:
    """A function that returns when the dependency is fine and raises with the reason when it is not."""

    name: str
    probe: Callable[[], Any]
    # What is not required is reported, but does not make the service unhealthy.
    required: bool = True
    _running: "_Attempt | None" = field(default=None, repr=False)

    def start(self) -> "_Attempt":
        # A probe that hangs (a name that does not resolve) is waited for, never started a second time.
        if self._running is None or self._running.done.is_set():
            self._running = _Attempt(self)
        return self._running


class _Attempt:
    def __init__(self, check: Check) -> None:
        self.done = threading.Event()
        self.result = "no answer yet"
        self._check = check
        # A daemon thread: it must not hold up the end of the process.
        threading.Thread(target=self._run, name=f"check-{check.name}", daemon=True).start()

    def _run(self) -> None:
        try:
            self._check.probe()
            self.result = OK
        except Exception as error:
            self.result = reason(error)
        finally:
            self.done.set()


def reason(error: BaseException) -> str:
    """One line, short, for people."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 200 else f"{text[:197]}..."


@dataclass(frozen=True)
class Report:
    service: str
    status: str
    dependencies: dict[str, str]

    @property
    def http_status(self) -> int:
        return 503 if self.status == "unhealthy" else 200

    def as_dict(self) -> dict[str, Any]:
        return {"status": self.status, "service": self.service, "dependencies": self.dependencies}


class Health:
    def __init__(self, service: str, checks: list[Check], limit: float = 3.0, keep: float = 2.0) -> None:
        self.service = service
        self._checks = checks
        self._limit = limit
        self._keep = keep
        self._lock = threading.Lock()
        self._cached: tuple[float, Report] | None = None

    def report(self) -> Report:
        with self._lock:
            if self._cached is None or time.monotonic() - self._cached[0] >= self._keep:
                before = self._cached[1] if self._cached else None
                report = self._look()
                self._cached = (time.monotonic(), report)
                self._log_changes(before, report)
            return self._cached[1]

    def _look(self) -> Report:
        attempts = [(check, check.start()) for check in self._checks]
        deadline = time.monotonic() + self._limit
        results = {}
        for check, attempt in attempts:
            if attempt.done.wait(max(0.0, deadline - time.monotonic())):
                results[check.name] = attempt.result
            else:
                results[check.name] = f"no answer within {self._limit:g} s"
            DEPENDENCY_UP.labels(check.name).set(results[check.name] == OK)
        bad = [check for check in self._checks if results[check.name] != OK]
        status = "healthy"
        if bad:
            status = "unhealthy" if any(check.required for check in bad) else "degraded"
        return Report(self.service, status, results)

    def _log_changes(self, before: Report | None, now: Report) -> None:
        for name, result in now.dependencies.items():
            if before is None and result == OK:
                continue
            if before is None or (before.dependencies[name] == OK) != (result == OK):
                level = logging.INFO if result == OK else logging.WARNING
                log.log(level, "dependency %s: %s", name, result, extra={"dependency": name})
