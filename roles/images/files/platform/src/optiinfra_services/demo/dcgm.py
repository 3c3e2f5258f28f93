"""Stands in for NVIDIA's DCGM exporter where there is no GPU: its metric names and labels, following the model server.

Utilisation is the share of time in which requests ran on the model server since the last scrape; power, memory and
temperature are derived from it. Nothing of it is measured on a GPU.
"""

import logging
import socket
import threading
import time

import httpx
from fastapi.responses import PlainTextResponse
from prometheus_client.parser import text_string_to_metric_families
from pydantic import Field

from ..health import Health, reason
from ..logs import setup
from ..settings import CommonSettings, HttpUrl, Port, load
from ..web import create_app, serve

log = logging.getLogger(__name__)
STAND_IN = "Simulated: there is no GPU here; the values follow the requests of the model server."
TOTAL_MIB, IDLE_WATTS, MORE_WATTS = 24_576, 32.0, 218.0
FIELDS = {
    "DCGM_FI_DEV_SM_CLOCK": "SM clock frequency (in MHz).",
    "DCGM_FI_DEV_MEM_CLOCK": "Memory clock frequency (in MHz).",
    "DCGM_FI_DEV_GPU_TEMP": "GPU temperature (in C).",
    "DCGM_FI_DEV_POWER_USAGE": "Power draw (in W).",
    "DCGM_FI_DEV_GPU_UTIL": "GPU utilization (in %).",
    "DCGM_FI_DEV_MEM_COPY_UTIL": "Memory utilization (in %).",
    "DCGM_FI_DEV_FB_FREE": "Framebuffer memory free (in MiB).",
    "DCGM_FI_DEV_FB_USED": "Framebuffer memory used (in MiB).",
    "DCGM_FI_DEV_XID_ERRORS": "Value of the last XID error encountered.",
}


class Settings(CommonSettings):
    port: Port = Field(9400, validation_alias="DCGM_EXPORTER_PORT")
    vllm_url: HttpUrl = Field("http://vllm:8000", validation_alias="VLLM_URL")
    gpus: int = Field(1, ge=1, le=16, validation_alias="SIMULATED_GPUS")
    memory_share: float = Field(0.9, gt=0, le=1, validation_alias="VLLM_GPU_MEMORY_UTILIZATION")


def busy(page: str) -> float:
    """Return the seconds in which requests ran, by the model server's own histogram of whole requests."""
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            if sample.name == "vllm:e2e_request_latency_seconds_sum":
                return sample.value
    return 0.0


def values(share: float, up: bool, memory_share: float) -> dict[str, float]:
    """Return the fields of a GPU that is busy to a share of its time; without a model server its memory is free."""
    used = TOTAL_MIB * memory_share if up else 3.0
    return {
        "DCGM_FI_DEV_SM_CLOCK": 210 + round(1485 * share),
        "DCGM_FI_DEV_MEM_CLOCK": 6251 if up else 405,
        "DCGM_FI_DEV_GPU_TEMP": 34 + round(41 * share),
        "DCGM_FI_DEV_POWER_USAGE": round(IDLE_WATTS + MORE_WATTS * share, 3),
        "DCGM_FI_DEV_GPU_UTIL": round(100 * share),
        "DCGM_FI_DEV_MEM_COPY_UTIL": round(70 * share),
        "DCGM_FI_DEV_FB_FREE": round(TOTAL_MIB - used),
        "DCGM_FI_DEV_FB_USED": round(used),
        "DCGM_FI_DEV_XID_ERRORS": 0,
    }


class Simulator:
    """What the GPUs of one model server look like, asked once a second."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._last: tuple[float, float] | None = None
        self._share, self._up, self._problem = 0.0, False, ""

    def look(self, page: str | None, now: float) -> None:
        """Take in what the model server says at a time in seconds; None when it does not answer."""
        seconds = busy(page) if page is not None else 0.0
        if page is not None and self._last and now > self._last[0]:
            # Requests side by side are one GPU busy.
            grown = max(0.0, seconds - self._last[1])
            self._share = min(1.0, 0.5 * self._share + 0.5 * grown / (now - self._last[0]))
        else:
            self._share = 0.0
        self._up = page is not None
        self._last = (now, seconds) if page is not None else None

    def follow(self) -> None:
        while True:
            try:
                page = httpx.get(f"{self._settings.vllm_url}/metrics", timeout=2).raise_for_status().text
                problem = ""
            except httpx.HTTPError as error:
                page, problem = None, reason(error)
            if problem != self._problem:
                log.info("model server: %s", problem or "answers")
            self._problem = problem
            self.look(page, time.monotonic())
            time.sleep(1)

    def page(self) -> str:
        """Return the exporter's page."""
        fields = values(self._share, self._up, self._settings.memory_share)
        lines = [f"# {STAND_IN}"]
        for name, text in FIELDS.items():
            lines += [f"# HELP {name} {text}", f"# TYPE {name} gauge"]
            for gpu in range(self._settings.gpus):
                labels = {
                    "gpu": gpu,
                    "UUID": f"GPU-00000000-0000-0000-0000-{gpu:012d}",
                    "device": f"nvidia{gpu}",
                    "modelName": "Simulated GPU",
                    "Hostname": socket.gethostname(),
                    "DCGM_FI_DRIVER_VERSION": "simulated",
                }
                text_of = ",".join(f'{key}="{value}"' for key, value in labels.items())
                lines.append(f"{name}{{{text_of}}} {fields[name]}")
        return "\n".join(lines) + "\n"


def build(settings: Settings, simulator: Simulator):
    app = create_app("dcgm-exporter-simulated", Health("dcgm-exporter-simulated", []), metrics=False)

    @app.get("/metrics", response_class=PlainTextResponse)
    def metrics() -> PlainTextResponse:
        return PlainTextResponse(simulator.page(), media_type="text/plain; version=0.0.4; charset=utf-8")

    return app


def run() -> None:
    settings = load(Settings)
    setup("dcgm-exporter-simulated", settings)
    log.warning(STAND_IN)
    simulator = Simulator(settings)
    threading.Thread(target=simulator.follow, name="model-server", daemon=True).start()
    serve(build(settings, simulator), settings, settings.port)
