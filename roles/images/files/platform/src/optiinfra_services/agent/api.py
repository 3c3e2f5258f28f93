"""An agent's API on 8001 to 8004: health at the paths that the customers' images use, and tasks of the orchestrator."""

import socket
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Query
from fastapi.responses import JSONResponse
from prometheus_client import Gauge
from pydantic import BaseModel, Field, SecretStr

from .. import clickhouse, dependencies
from ..collector.store import TABLE as METRICS_TABLE
from ..health import Health
from ..logs import setup
from ..settings import ClickHouseSettings, CommonSettings, HttpUrl, Port, PostgresSettings, RedisSettings, Seconds, load
from ..web import create_app, serve, unavailable
from . import store
from .presence import Presence
from .rules import METRICS, analyse
from .series import read_window

RECOMMENDED = Gauge("optiinfra_agent_recommendations", "What the last look recommended")

PORTS = {"cost": 8001, "performance": 8002, "resource": 8003, "application": 8004}


class Settings(CommonSettings, PostgresSettings, ClickHouseSettings, RedisSettings):
    type: Literal["cost", "performance", "resource", "application"] = Field(validation_alias="AGENT_TYPE")
    port: Port | None = Field(None, validation_alias="PORT")
    orchestrator_url: HttpUrl = Field("http://orchestrator:8080", validation_alias="ORCHESTRATOR_URL")
    # What the orchestrator is told to call; the name of the Compose service by default.
    advertised_host: str | None = Field(None, validation_alias="AGENT_HOST")
    registration: bool = Field(True, validation_alias="REGISTRATION_ENABLED")
    customer: UUID = Field(validation_alias="DEFAULT_CUSTOMER_ID")
    window_minutes: int = Field(15, ge=1, le=1440, validation_alias="AGENT_WINDOW_MINUTES")
    price_per_hour: float = Field(0, ge=0, validation_alias="GPU_PRICE_PER_HOUR")
    latency_limit: Seconds = Field(5, validation_alias="LATENCY_P95_LIMIT_SECONDS")
    qdrant_url: HttpUrl = Field("http://qdrant:6333", validation_alias="QDRANT_URL")
    qdrant_api_key: SecretStr | None = Field(None, validation_alias="QDRANT_API_KEY")


class Task(BaseModel):
    """What the orchestrator hands over."""

    id: str = Field(max_length=64)
    question: str = Field(max_length=2000)


def build(settings: Settings, presence: Presence):
    headers = {"api-key": settings.qdrant_api_key.get_secret_value()} if settings.qdrant_api_key else None
    checks = [
        dependencies.postgres(settings),
        dependencies.clickhouse(settings),
        dependencies.redis(settings.redis_url),
        dependencies.http("qdrant", f"{settings.qdrant_url}/collections", headers),
        # An orchestrator that is away does not make the agent unable to work.
        dependencies.state("orchestrator", lambda: presence.problem if settings.registration else None, required=False),
    ]
    name = f"{settings.type}-agent"
    paths = ("/api/v1/health", "/api/v1/live", "/api/v1/ready", "/health/live", "/health/ready")
    app = create_app(name, Health(name, checks), paths)

    @app.post("/task", response_model=None)
    def task(given: Task) -> dict[str, Any] | JSONResponse:
        """Look at the customer's metrics now, keep what the rules recommend, and answer with it."""
        try:
            with clickhouse.client(settings) as connection:
                connection.execute(METRICS_TABLE)
                window = read_window(
                    connection, str(settings.customer), METRICS[settings.type], settings.window_minutes
                )
        except Exception as error:
            return unavailable("clickhouse", error)
        found = analyse(settings.type, window, settings.price_per_hour, settings.latency_limit)
        try:
            store.keep(settings.postgres_conninfo, name, str(settings.customer), found)
        except Exception as error:
            return unavailable("postgres", error)
        RECOMMENDED.set(len(found))
        series = sum(len(several) for several in window.series.values())
        return {"id": given.id, "agent": name, "series": series, "recommendations": [r._asdict() for r in found]}

    @app.get("/api/v1/recommendations", response_model=None)
    def recommendations(limit: Annotated[int, Query(ge=1, le=1000)] = 100) -> list[dict[str, Any]] | JSONResponse:
        """The newest recommendations, with the evidence of when they were last seen."""
        try:
            return store.read(settings.postgres_conninfo, name, limit)
        except Exception as error:
            return unavailable("postgres", error)

    return app


def run() -> None:
    settings = load(Settings)
    name = f"{settings.type}-agent"
    setup(name, settings)
    port = settings.port or PORTS[settings.type]
    host = settings.advertised_host or name
    agent = {"name": name, "type": settings.type, "host": host or socket.gethostname(), "port": port}
    presence = Presence(settings.orchestrator_url, agent)
    if settings.registration:
        presence.start()
    serve(build(settings, presence), settings, port)
