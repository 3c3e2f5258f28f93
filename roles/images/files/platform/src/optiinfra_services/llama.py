"""A llama.cpp server as a child process, behind what stands in for vLLM and Ollama."""

import contextlib
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import httpx
from pydantic import Field

from .settings import Settings

log = logging.getLogger(__name__)
URL = "http://127.0.0.1:18000"


class LlamaSettings(Settings):
    llama_server: str = Field("llama-server", validation_alias="LLAMA_SERVER")
    llama_model: str = Field("/opt/llama/tiny.gguf", validation_alias="LLAMA_MODEL")


def client() -> httpx.AsyncClient:
    """Return a client of it: a connection for each request, for one that was idle may be ended as the next is sent."""
    limits = httpx.Limits(max_keepalive_connections=0)
    return httpx.AsyncClient(base_url=URL, timeout=httpx.Timeout(300, connect=5), limits=limits)


@contextlib.contextmanager
def running(settings: LlamaSettings, slots: int, context: int) -> Iterator[None]:
    """Have llama.cpp listen at URL while the body runs; when it ends by itself, so do we, for the container to restart.

    :arg slots: requests at once, and :arg context: tokens of all of them together
    """
    command = [settings.llama_server, "--model", settings.llama_model]
    command += ["--host", "127.0.0.1", "--port", URL.rpartition(":")[2], "--log-disable"]
    command += ["--parallel", str(slots), "--ctx-size", str(context)]
    child = subprocess.Popen(command)
    signal.signal(signal.SIGCHLD, lambda *_args: child.poll() is not None and os.kill(os.getpid(), signal.SIGTERM))
    try:
        yield
    finally:
        failed = child.poll() is not None
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        child.terminate()
        child.wait(10)
    if failed:
        log.error("llama.cpp ended with %s", child.returncode)
        sys.exit(1)
