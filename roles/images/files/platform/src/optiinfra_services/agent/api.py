"""An agent's API on 8001 to 8004: health at the paths that the customers' images use, and tasks of the orchestrator."""

import datetime
import logging
from typing import Annotated, Any
from uuid import UUID

import httpx
from fastapi import Query
from fastapi.responses import JSONResponse
from prometheus_client import Gauge
from pydantic import Field, SecretStr

from .. import clickhouse, dependencies, schema
from ..contract import AgentType, Done, Recommended, Task
from ..health import Health, reason
from ..logs import setup
from ..settings import ClickHouseSettings, CommonSettings, HttpUrl, Port, PostgresSettings, RedisSettings, Seconds, load
from ..web import create_app, serve, unavailable
from . import store
from .memory import Memory
from .presence import Presence
from .rules import METRICS, Recommendation, analyse
from .series import read_baseline, read_window
from .summary import SummarySettings, summarise

log = logging.getLogger(__name__)
RECOMMENDED = Gauge("optiinfra_agent_recommendations", "What the last look recommended")

PORTS = {"cost": 8001, "performance": 8002, "resource": 8003, "application": 8004}


class Settings(CommonSettings, PostgresSettings, ClickHouseSettings, RedisSettings, SummarySettings):
    type: AgentType = Field(validation_alias="AGENT_TYPE")
    port: Port | None = Field(None, validation_alias="PORT")
    orchestrator_url: HttpUrl = Field("http://orchestrator:8080", validation_alias="ORCHESTRATOR_URL")
    # What the orchestrator is told to call; the name of the Compose service by default.
    advertised_host: str | None = Field(None, validation_alias="AGENT_HOST")
    registration: bool = Field(True, validation_alias="REGISTRATION_ENABLED")
    customer: UUID = Field(validation_alias="DEFAULT_CUSTOMER_ID")
    window_minutes: int = Field(15, ge=1, le=1440, validation_alias="AGENT_WINDOW_MINUTES")
    price_per_hour: float = Field(0, ge=0, validation_alias="GPU_PRICE_PER_HOUR")
    # What the window is compared with: the minutes before it.
    baseline_minutes: int = Field(60, ge=1, le=10080, validation_alias="AGENT_BASELINE_MINUTES")
    latency_limit: Seconds = Field(5, validation_alias="LATENCY_P95_LIMIT_SECONDS")
    qdrant_url: HttpUrl = Field("http://qdrant:6333", validation_alias="QDRANT_URL")
    qdrant_api_key: SecretStr | None = Field(None, validation_alias="QDRANT_API_KEY")


def _look(settings: Settings) -> tuple[int, list[Recommendation]]:
    """Return the number of series seen and what the rules recommend."""
    customer, wanted = str(settings.customer), METRICS[settings.type]
    with clickhouse.client(settings) as connection:
        window = read_window(connection, customer, wanted, settings.window_minutes)
        baseline = read_baseline(connection, customer, wanted, window, settings.baseline_minutes)
    series = sum(len(several) for several in window.series.values())
    return series, analyse(settings.type, window, baseline, settings.price_per_hour, settings.latency_limit)


def _remember(memory: Memory, found: list[Recommendation]) -> tuple[list[Recommended], str | None]:
    """Return recommendations with what was like them before, and why that could not be told."""
    now = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
    hour = now.strftime("%Y-%m-%dT%H")
    try:
        told = [Recommended(**one._asdict(), similar=memory.recall(one, hour)) for one in found]
        memory.remember(found, hour, now.isoformat())
        return told, None
    except (httpx.HTTPError, KeyError, ValueError) as error:
        log.warning("memory: %s", reason(error))
        return [Recommended(**one._asdict()) for one in found], f"qdrant: {reason(error)}"


def build(settings: Settings, presence: Presence, tables: schema.Keeper):
    key = settings.qdrant_api_key.get_secret_value() if settings.qdrant_api_key else None
    headers = {"api-key": key} if key else None
    checks = [
        dependencies.postgres(settings),
        dependencies.clickhouse(settings),
        dependencies.redis(settings.redis_url),
        tables.check(),
        dependencies.http("qdrant", f"{settings.qdrant_url}/collections", headers),
        # An orchestrator that is away does not make the agent unable to work.
        dependencies.state("orchestrator", lambda: presence.problem if settings.registration else None, required=False),
    ]
    name = f"{settings.type}-agent"
    paths = ("/api/v1/health", "/api/v1/live", "/api/v1/ready", "/health/live", "/health/ready")
    app = create_app(name, Health(name, checks), paths)
    qdrant = httpx.Client(base_url=settings.qdrant_url, headers=headers, timeout=3)
    memory = Memory(qdrant, name, str(settings.customer))

    @app.post("/task", response_model=Done, responses={503: {"description": "ClickHouse or PostgreSQL is away"}})
    def task(given: Task) -> Done | JSONResponse:
        """Look at the customer's metrics now, keep what the rules recommend, and answer with it."""
        try:
            series, found = _look(settings)
        except Exception as error:
            return unavailable("clickhouse", error)
        try:
            store.keep(settings.postgres_conninfo, name, str(settings.customer), found)
        except Exception as error:
            return unavailable("postgres", error)
        RECOMMENDED.set(len(found))
        told, problem = _remember(memory, found)
        summary = summarise(settings, given.question, found)
        return Done(id=given.id, agent=name, series=series, recommendations=told, summary=summary, memory=problem)

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
    agent = {"name": name, "type": settings.type, "host": host, "port": port}
    presence = Presence(settings.orchestrator_url, agent)
    if settings.registration:
        presence.start()
    serve(build(settings, presence, schema.Keeper(settings).start()), settings, port)
