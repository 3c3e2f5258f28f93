"""The orchestrator's API on 8080: agents register, requests fan out, results are stored."""

import asyncio
import json
import logging
import uuid
from typing import Any, Literal

import httpx
import psycopg
from fastapi import HTTPException
from fastapi.responses import JSONResponse
from prometheus_client import Counter, Gauge
from pydantic import BaseModel, Field
from redis import Redis

from .. import dependencies
from ..health import Health, reason
from ..logs import setup
from ..settings import CommonSettings, Port, PostgresSettings, RedisSettings, Seconds, load
from ..web import create_app, request_id, serve, unavailable
from .registry import Registration, Registry

log = logging.getLogger(__name__)
AGENTS = Gauge("optiinfra_agents_alive", "Agents that have registered and are not silent")
TASKS = Counter("optiinfra_agent_tasks_total", "Tasks handed to agents", ["agent", "outcome"])
TYPES = ("cost", "performance", "resource", "application")
# Two first requests at once would both make the table; the lock is given back with the transaction.
TABLE = """
SELECT pg_advisory_xact_lock(7218001);
CREATE TABLE IF NOT EXISTS orchestrator_requests (
    id uuid PRIMARY KEY,
    created_at timestamptz NOT NULL DEFAULT now(),
    question text NOT NULL,
    status text NOT NULL,
    results jsonb NOT NULL
)
"""


class Settings(CommonSettings, PostgresSettings, RedisSettings):
    port: Port = Field(8080, validation_alias="PORT")
    agent_timeout: Seconds = Field(10, validation_alias="AGENT_TIMEOUT")


class Question(BaseModel):
    """A request of the customer's."""

    question: str = Field(min_length=1, max_length=2000)
    agents: list[Literal["cost", "performance", "resource", "application"]] | None = Field(
        None, description="types of agents to ask; all four by default"
    )


async def _ask(http: httpx.AsyncClient, agent: dict, body: dict) -> dict[str, Any]:
    address = f"http://{agent['host']}:{agent['port']}/task"
    try:
        answer = await http.post(address, json=body, headers={"x-request-id": request_id.get()})
        answer.raise_for_status()
        TASKS.labels(agent["id"], "answered").inc()
        return {"agent": agent["id"], "status": "answered", "result": answer.json()}
    except (httpx.HTTPError, ValueError) as error:
        TASKS.labels(agent["id"], "failed").inc()
        return {"agent": agent["id"], "status": "failed", "reason": reason(error) or type(error).__name__}


def build(settings: Settings):
    redis = Redis.from_url(settings.redis_url, socket_timeout=3, socket_connect_timeout=3, decode_responses=True)
    registry = Registry(redis)
    app = create_app(
        "orchestrator",
        Health("orchestrator", [dependencies.redis(settings.redis_url), dependencies.postgres(settings)]),
    )
    AGENTS.set_function(lambda: _count(registry))

    @app.post("/agents/register", status_code=201, response_model=None)
    def register(agent: Registration) -> dict[str, str] | JSONResponse:
        try:
            identity = registry.register(agent)
        except Exception as error:
            return unavailable("redis", error)
        log.info("registered %s (%s) at %s:%s", agent.name, agent.type, agent.host, agent.port)
        return {"id": identity}

    @app.post("/agents/{identity}/heartbeat", response_model=None)
    def heartbeat(identity: str) -> dict[str, str] | JSONResponse:
        try:
            known = registry.heartbeat(identity)
        except Exception as error:
            return unavailable("redis", error)
        if not known:
            raise HTTPException(404, f"no agent {identity!r}: register first")
        return {"id": identity}

    @app.get("/agents", response_model=None)
    def agents() -> list[dict] | JSONResponse:
        try:
            return registry.agents()
        except Exception as error:
            return unavailable("redis", error)

    @app.post("/api/v1/requests", status_code=201, response_model=None)
    async def ask(question: Question) -> dict[str, Any] | JSONResponse:
        """Ask all agents at once; those that do not answer in time are named, the others' results are kept."""
        try:
            alive = await asyncio.to_thread(registry.agents)
        except Exception as error:
            return unavailable("redis", error)
        wanted = dict.fromkeys(question.agents or TYPES)
        chosen = [agent for agent in alive if agent["type"] in wanted]
        away = [kind for kind in wanted if kind not in {agent["type"] for agent in chosen}]
        identity = str(uuid.uuid4())
        body = {"id": identity, "question": question.question}
        async with httpx.AsyncClient(timeout=settings.agent_timeout) as http:
            results = list(await asyncio.gather(*(_ask(http, agent, body) for agent in chosen)))
        results += [{"agent": f"{kind}-agent", "status": "failed", "reason": "not registered"} for kind in away]
        good = sum(result["status"] == "answered" for result in results)
        status = "complete" if good == len(results) and results else "partial" if good else "failed"
        try:
            await asyncio.to_thread(_store, settings, identity, question.question, status, results)
        except Exception as error:
            return unavailable("postgres", error)
        return {"id": identity, "status": status, "results": results}

    @app.get("/api/v1/requests/{identity}", response_model=None)
    def stored(identity: uuid.UUID) -> dict[str, Any] | JSONResponse:
        try:
            with psycopg.connect(**settings.postgres_conninfo, connect_timeout=3) as connection:
                connection.execute(TABLE)
                row = connection.execute(
                    "SELECT question, status, results FROM orchestrator_requests WHERE id = %s", (identity,)
                ).fetchone()
        except psycopg.Error as error:
            return unavailable("postgres", error)
        if not row:
            raise HTTPException(404, f"no request {identity}")
        return {"id": str(identity), "question": row[0], "status": row[1], "results": row[2]}

    return app


def _count(registry: Registry) -> float:
    try:
        return len(registry.agents())
    except Exception:
        return float("nan")


def _store(settings: Settings, identity: str, question: str, status: str, results: list) -> None:
    with psycopg.connect(**settings.postgres_conninfo, connect_timeout=3) as connection:
        connection.execute(TABLE)
        connection.execute(
            "INSERT INTO orchestrator_requests (id, question, status, results) VALUES (%s, %s, %s, %s)",
            (identity, question, status, json.dumps(results)),
        )


def run() -> None:
    settings = load(Settings)
    setup("orchestrator", settings)
    serve(build(settings), settings, settings.port)
