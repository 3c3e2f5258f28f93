"""The HTTP side of a process that has another main loop: /health and /metrics in a thread."""

import threading

import uvicorn
from fastapi import FastAPI

from ..settings import CommonSettings


class _Server(uvicorn.Server):
    def install_signal_handlers(self) -> None:
        """Leave signals to the main loop."""

    def capture_signals(self):
        """Leave signals to the main loop."""
        import contextlib

        return contextlib.nullcontext()


def serve_beside(app: FastAPI, settings: CommonSettings, port: int) -> None:
    """Serve until the process ends."""
    config = uvicorn.Config(
        app,
        host=settings.bind_host,
        port=port,
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
    )
    threading.Thread(target=_Server(config).run, name="http", daemon=True).start()
