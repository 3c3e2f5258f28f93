"""Entry points. Each imports only its own service, so that a container loads no more than it needs."""

import importlib
import os
import signal
import sys
from types import FrameType
from typing import NoReturn


def _stop_while_starting(_signum: int, _frame: FrameType | None) -> NoReturn:
    # As process 1 a container would otherwise ignore SIGTERM until the service installs its own handler.
    os._exit(0)


def _run(service: str, module: str, *words: str) -> NoReturn:
    signal.signal(signal.SIGTERM, _stop_while_starting)
    from .settings import SettingsError

    try:
        importlib.import_module(f".{module}", __package__).run(*words)
    except SettingsError as error:
        print(f"optiinfra-{service}: {error}", file=sys.stderr, flush=True)
        sys.exit(2)
    sys.exit(0)


def collector_api() -> NoReturn:
    _run("collector-api", "collector.api")


def collector_worker() -> NoReturn:
    _run("collector-worker", "collector.worker")


def collector_beat() -> NoReturn:
    _run("collector-beat", "collector.beat")


def orchestrator() -> NoReturn:
    _run("orchestrator", "orchestrator.api")


def agent() -> NoReturn:
    _run("agent", "agent.api")


def clickhouse_exporter() -> NoReturn:
    _run("clickhouse-exporter", "clickhouse_exporter")


def flower() -> NoReturn:
    _run("flower", "flower")


def qdrant() -> NoReturn:
    _run("qdrant", "qdrant.api")


def grafana_stand_in() -> NoReturn:
    _run("grafana-stand-in", "grafana.api")


def chat_api() -> NoReturn:
    _run("chat-api", "demo.chat_api")


def vllm_simulated() -> NoReturn:
    _run("vllm-simulated", "demo.vllm")


def dcgm_exporter_simulated() -> NoReturn:
    _run("dcgm-exporter-simulated", "demo.dcgm")


def ollamamax_api() -> NoReturn:
    _run("ollamamax-api", "ollamamax.api", "api")


def ollamamax_websocket() -> NoReturn:
    _run("ollamamax-websocket", "ollamamax.api", "websocket")


def ollamamax_backend() -> NoReturn:
    _run("ollamamax-backend", "ollamamax.api", "backend")


def ollama_simulated() -> NoReturn:
    _run("ollama-simulated", "ollama")
