"""The collector's API on 8005: what was collected, and a way to collect now."""

from typing import Any

from fastapi.responses import JSONResponse

from .. import clickhouse, dependencies
from ..health import Health
from ..logs import setup
from ..settings import load
from ..web import create_app, serve, unavailable
from .settings import CollectorSettings
from .tasks import HEARTBEAT, make_app


def build(settings: CollectorSettings):
    checks = [
        dependencies.postgres(settings),
        dependencies.clickhouse(settings),
        dependencies.redis(settings.redis_url),
    ]
    app = create_app("collector-api", Health("collector-api", checks))
    celery = make_app(settings)

    @app.get("/api/v1/status", response_model=None)
    def status() -> dict[str, Any] | JSONResponse:
        """How many scheduled tasks have reached ClickHouse."""
        try:
            with clickhouse.client(settings) as connection:
                return {"customer": str(settings.customer), "heartbeats": clickhouse.count_heartbeats(connection)}
        except Exception as error:
            return unavailable("clickhouse", error)

    @app.post("/api/v1/trigger", status_code=202, response_model=None)
    def trigger() -> dict[str, str] | JSONResponse:
        """Have a worker write a heartbeat now."""
        try:
            sent = celery.send_task(HEARTBEAT, args=("api",), retry=False)
        except Exception as error:
            return unavailable("broker", error)
        return {"task": sent.id}

    return app


def run() -> None:
    settings = load(CollectorSettings)
    setup("collector-api", settings)
    serve(build(settings), settings, settings.port)
