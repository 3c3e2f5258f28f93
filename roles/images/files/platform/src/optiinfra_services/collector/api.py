"""The collector's API on 8005: targets, what was collected, and a way to collect now."""

import json
from typing import Annotated, Any

from fastapi import Query
from fastapi.responses import JSONResponse
from redis import Redis

from .. import clickhouse, dependencies, schema
from ..health import Health
from ..logs import setup
from ..settings import load
from ..web import create_app, serve, unavailable
from . import store
from .settings import CollectorSettings
from .tasks import COLLECT, OUTCOMES, make_app


def build(settings: CollectorSettings, tables: schema.Keeper):
    targets = settings.target_list()
    checks = [
        dependencies.postgres(settings),
        dependencies.clickhouse(settings),
        dependencies.redis(settings.redis_url),
        tables.check(),
    ]
    app = create_app("collector-api", Health("collector-api", checks))
    celery = make_app(settings)
    redis = Redis.from_url(settings.redis_url, socket_timeout=3, socket_connect_timeout=3, decode_responses=True)

    @app.get("/api/v1/targets", response_model=None)
    def list_targets() -> list[dict[str, Any]] | JSONResponse:
        """Every target with the outcome of its last scrape, null when there was none yet."""
        try:
            outcomes = redis.hgetall(OUTCOMES)
        except Exception as error:
            return unavailable("redis", error)
        return [
            {**target.model_dump(mode="json"), "last": json.loads(outcomes.get(target.name, "null"))}
            for target in targets
        ]

    @app.get("/api/v1/status", response_model=None)
    def status() -> dict[str, Any] | JSONResponse:
        """How much was collected, and how much waits for ClickHouse."""
        try:
            waiting = redis.llen(store.BUFFER)
        except Exception as error:
            return unavailable("redis", error)
        try:
            with clickhouse.client(settings) as connection:
                return {
                    "customer": str(settings.customer),
                    "heartbeats": clickhouse.count_heartbeats(connection),
                    "targets": len(targets),
                    "samples": connection.execute("SELECT count() FROM metrics")[0][0],
                    "batches_waiting": waiting,
                }
        except Exception as error:
            return unavailable("clickhouse", error)

    @app.get("/api/v1/metrics/latest", response_model=None)
    def latest(
        target: str = "", limit: Annotated[int, Query(ge=1, le=100_000)] = 1000
    ) -> list[dict[str, Any]] | JSONResponse:
        """The newest value of each series of the last ten minutes."""
        try:
            with clickhouse.client(settings) as connection:
                return store.latest(connection, target, limit)
        except Exception as error:
            return unavailable("clickhouse", error)

    @app.post("/api/v1/trigger", status_code=202, response_model=None)
    def trigger() -> dict[str, str] | JSONResponse:
        """Have a worker collect now."""
        try:
            sent = celery.send_task(COLLECT, retry=False)
        except Exception as error:
            return unavailable("broker", error)
        return {"task": sent.id}

    return app


def run() -> None:
    settings = load(CollectorSettings)
    setup("collector-api", settings)
    serve(build(settings, schema.Keeper(settings).start()), settings, settings.port)
