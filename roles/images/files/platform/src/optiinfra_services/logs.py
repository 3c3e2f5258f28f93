"""Structured logs: one JSON object a line on standard error, without secrets."""

import json
import logging
import sys
import time
from typing import Any
from urllib.parse import quote

from .settings import CommonSettings, url_secrets

_STANDARD = {*vars(logging.makeLogRecord({})), "message", "asctime", "taskName", "color_message"}
_SHORTEST_SECRET = 4


class JsonFormatter(logging.Formatter):
    def __init__(self, service: str, secrets: list[str]) -> None:
        super().__init__()
        self._service = service
        found = set()
        for secret in secrets:
            for part in (secret, *(url_secrets(secret) if "://" in secret else ())):
                found.update((part, quote(part, safe="")))
        # Longest first, so that a secret inside a longer one does not leave the rest behind.
        self._secrets = sorted((part for part in found if len(part) >= _SHORTEST_SECRET), key=len, reverse=True)

    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, Any] = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "service": self._service,
            "logger": record.name,
            "message": record.getMessage(),
        }
        entry.update({key: value for key, value in vars(record).items() if key not in _STANDARD})
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return self.redact(json.dumps(entry, default=str, ensure_ascii=False))

    def redact(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text


def setup(service: str, settings: CommonSettings, *more_secrets: str) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(service, [*settings.secrets(), *more_secrets]))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log_level)
    for noisy in ("httpx", "httpcore", "uvicorn.access"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
