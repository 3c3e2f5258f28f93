"""The orchestrator's API on 8080: agents register, requests fan out, results are stored."""

import asyncio
import logging
import uuid
from typing import Annotated, Any

import httpx
from fastapi import HTTPException, Query
from fastapi.responses import JSONResponse
from prometheus_client import Counter, Gauge
from pydantic import Field
from redis import Redis

from .. import dependencies, schema
from ..contract import TYPES, Answer, Done, Known, Question, Registration, Result, ServiceState, Task
from ..health import Health, reason
from ..logs import setup
from ..settings import CommonSettings, HttpUrl, Port, PostgresSettings, RedisSettings, Seconds, load
from ..web import create_app, request_id, serve, unavailable
from . import states, store
from .registry import Registry

log = logging.getLogger(__name__)
AGENTS = Gauge("optiinfra_agents_alive", "Agents that have registered and are not silent")
TASKS = Counter("optiinfra_agent_tasks_total", "Tasks handed to agents", ["agent", "outcome"])
AWAY = {503: {"description": "Redis or PostgreSQL is away"}}


class Settings(CommonSettings, PostgresSettings, RedisSettings):
    port: Port = Field(8080, validation_alias="PORT")
    prometheus_url: HttpUrl = Field("http://prometheus:9090", validation_alias="PROMETHEUS_URL")
    agent_timeout: Seconds = Field(10, validation_alias="AGENT_TIMEOUT")


async def _ask(http: httpx.AsyncClient, agent: Known, task: Task) -> Result:
    address = f"http://{agent.host}:{agent.port}/task"
    try:
        answer = await http.post(address, json=task.model_dump(), headers={"x-request-id": request_id.get()})
        answer.raise_for_status()
        said = answer.json()
        if not isinstance(said, dict):
            raise ValueError("its answer is no object")
        TASKS.labels(agent.id, "answered").inc()
        return Result(agent=agent.id, status="answered", result=said)
    except (httpx.HTTPError, ValueError) as error:
        TASKS.labels(agent.id, "failed").inc()
        return Result(agent=agent.id, status="failed", reason=reason(error))


async def _ask_all(settings: Settings, alive: list[Known], question: Question) -> Answer:
    """Ask all at once; those that are away or do not answer in time are named, the others' results are kept."""
    wanted = dict.fromkeys(question.agents or TYPES)
    chosen = [agent for agent in alive if agent.type in wanted]
    task = Task(id=str(uuid.uuid4()), question=question.question)
    async with httpx.AsyncClient(timeout=settings.agent_timeout) as http:
        results = list(await asyncio.gather(*(_ask(http, agent, task) for agent in chosen)))
    results += [
        Result(agent=f"{kind}-agent", status="failed", reason="not registered")
        for kind in wanted
        if kind not in {agent.type for agent in chosen}
    ]
    good = sum(result.status == "answered" for result in results)
    status = "complete" if good == len(results) else "partial" if good else "failed"
    return Answer(id=task.id, question=question.question, status=status, results=results)


def build(settings: Settings, tables: schema.Keeper):
    redis = Redis.from_url(settings.redis_url, socket_timeout=3, socket_connect_timeout=3, decode_responses=True)
    registry = Registry(redis)
    checks = [dependencies.redis(settings.redis_url), dependencies.postgres(settings), tables.check()]
    app = create_app("orchestrator", Health("orchestrator", checks))
    AGENTS.set_function(lambda: _count(registry))

    @app.post("/agents/register", status_code=201, responses=AWAY, response_model=dict[str, str])
    def register(agent: Registration) -> dict[str, str] | JSONResponse:
        try:
            identity = registry.register(agent)
        except Exception as error:
            return unavailable("redis", error)
        log.info("registered %s (%s) at %s:%s", agent.name, agent.type, agent.host, agent.port)
        return {"id": identity}

    @app.post("/agents/{identity}/heartbeat", responses=AWAY, response_model=dict[str, str])
    def heartbeat(identity: str) -> dict[str, str] | JSONResponse:
        try:
            known = registry.heartbeat(identity)
        except Exception as error:
            return unavailable("redis", error)
        if not known:
            raise HTTPException(404, f"no agent {identity!r}: register first")
        return {"id": identity}

    @app.get("/agents", responses=AWAY, response_model=list[Known])
    def agents() -> list[Known] | JSONResponse:
        try:
            return registry.agents()
        except Exception as error:
            return unavailable("redis", error)

    @app.post("/api/v1/requests", status_code=201, responses=AWAY, response_model=Answer)
    async def ask(question: Question) -> Answer | JSONResponse:
        """Ask the agents at once; the answer is stored before it is given."""
        try:
            alive = await asyncio.to_thread(registry.agents)
        except Exception as error:
            return unavailable("redis", error)
        answer = await _ask_all(settings, alive, question)
        try:
            await asyncio.to_thread(store.keep, settings.postgres_conninfo, answer)
        except Exception as error:
            return unavailable("postgres", error)
        return answer

    @app.get("/api/v1/requests", responses=AWAY, response_model=list[Answer])
    def newest(limit: Annotated[int, Query(ge=1, le=100)] = 20) -> list[Answer] | JSONResponse:
        """The newest requests, without what the agents said."""
        try:
            return store.newest(settings.postgres_conninfo, limit)
        except Exception as error:
            return unavailable("postgres", error)

    @app.get("/api/v1/requests/{identity}", responses=AWAY, response_model=Answer)
    def stored(identity: uuid.UUID) -> Answer | JSONResponse:
        try:
            answer = store.read(settings.postgres_conninfo, identity)
        except Exception as error:
            return unavailable("postgres", error)
        if answer is None:
            raise HTTPException(404, f"no request {identity}")
        return answer

    @app.get("/api/v1/services", responses=AWAY, response_model=list[ServiceState])
    async def services() -> list[ServiceState] | JSONResponse:
        """Whether each service of the platform is up, as Prometheus sees it."""
        try:
            return await states.read(settings.prometheus_url)
        except (httpx.HTTPError, KeyError, ValueError) as error:
            return unavailable("prometheus", error)

    @app.get("/api/v1/recommendations", responses=AWAY, response_model=list[dict[str, Any]])
    def recommendations(limit: Annotated[int, Query(ge=1, le=1000)] = 100) -> list[dict[str, Any]] | JSONResponse:
        """The newest recommendations of all agents, with their evidence."""
        try:
            return store.recommendations(settings.postgres_conninfo, limit)
        except Exception as error:
            return unavailable("postgres", error)

    @app.webhooks.post("task")
    def task(given: Task) -> Done:
        """What each agent is asked at http://host:port/task, and what it answers: for those who write their own."""

    return app


def _count(registry: Registry) -> float:
    try:
        return len(registry.agents())
    except Exception:
        return float("nan")


def run() -> None:
    settings = load(Settings)
    setup("orchestrator", settings)
    serve(build(settings, schema.Keeper(settings).start()), settings, settings.port)
