"""Qdrant's REST interface, as far as the platform needs it (and a little further)."""

import hmac
import json
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import qdrant_edge as edge
from fastapi import FastAPI, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from pydantic import Field, SecretStr
from starlette.exceptions import HTTPException

from ..health import Check, Health
from ..logs import setup
from ..settings import CommonSettings, Port, load
from ..web import create_app, serve
from . import ENGINE_VERSION, STAND_IN, Refused, health_grpc
from .convert import (
    filter_in,
    id_out,
    integer,
    known,
    need,
    order_in,
    point_id,
    point_out,
    points_in,
    selector_in,
    with_payload_in,
)  # fmt: skip
from .search import query, search
from .store import Collection, Store

log = logging.getLogger(__name__)
# Without a key, as with Qdrant itself.
OPEN = {"/", "/healthz", "/readyz", "/livez", "/health", "/health/"}


class Settings(CommonSettings):
    api_key: SecretStr | None = Field(None, validation_alias="QDRANT__SERVICE__API_KEY")
    http_port: Port = Field(6333, validation_alias="QDRANT__SERVICE__HTTP_PORT")
    grpc_port: Port = Field(6334, validation_alias="QDRANT__SERVICE__GRPC_PORT")
    storage_path: str = Field("/qdrant/storage", validation_alias="QDRANT__STORAGE__STORAGE_PATH")


def upsert(collection: Collection, body: dict[str, Any]) -> dict[str, Any]:
    collection.update(edge.UpdateOperation.upsert_points(points_in(body)))
    return {"operation_id": None, "status": "completed"}


def delete(collection: Collection, body: dict[str, Any]) -> dict[str, Any]:
    ids, wanted = selector_in(body)
    operation = edge.UpdateOperation
    collection.update(operation.delete_points(ids) if ids is not None else operation.delete_points_by_filter(wanted))
    return {"operation_id": None, "status": "completed"}


def set_payload(collection: Collection, body: dict[str, Any]) -> dict[str, Any]:
    ids, wanted = selector_in(body, "payload", "key")
    operation, payload, key = edge.UpdateOperation, need(body, "body", "payload"), body.get("key")
    by_id = ids is not None
    collection.update(
        operation.set_payload(ids, payload, key) if by_id else operation.set_payload_by_filter(wanted, payload, key)
    )
    return {"operation_id": None, "status": "completed"}


def retrieve(collection: Collection, body: dict[str, Any]) -> list[dict[str, Any]]:
    known(body, "body", "ids", "with_payload", "with_vector", "shard_key")
    payload, vector = with_payload_in(body.get("with_payload", True)), body.get("with_vector") or False
    ids = [point_id(item) for item in need(body, "body", "ids")]
    with collection.shard() as shard:
        return [point_out(point, payload, vector) for point in shard.retrieve(ids, payload, vector)]


def scroll(collection: Collection, body: dict[str, Any]) -> dict[str, Any]:
    known(body, "body", "offset", "limit", "filter", "with_payload", "with_vector", "order_by", "shard_key")
    payload, vector = with_payload_in(body.get("with_payload", True)), body.get("with_vector") or False
    request = edge.ScrollRequest(
        offset=None if body.get("offset") is None else point_id(body["offset"]),
        limit=integer(body.get("limit", 10), "limit", 1),
        filter=filter_in(body.get("filter")),
        with_payload=payload,
        with_vector=vector,
        order_by=order_in(body.get("order_by")),
    )
    with collection.shard() as shard:
        points, following = shard.scroll(request)
    return {
        "points": [point_out(point, payload, vector) for point in points],
        "next_page_offset": None if following is None else id_out(following),
    }


def count(collection: Collection, body: dict[str, Any]) -> dict[str, int]:
    known(body, "body", "filter", "exact", "shard_key")
    with collection.shard() as shard:
        return {"count": shard.count(edge.CountRequest(exact=True, filter=filter_in(body.get("filter"))))}


def create_index(collection: Collection, body: dict[str, Any]) -> dict[str, Any]:
    known(body, "body", "field_name", "field_schema")
    schema = body.get("field_schema") or "keyword"
    kind = str(schema.get("type") if isinstance(schema, dict) else schema).title()
    if kind not in ("Keyword", "Integer", "Float", "Geo", "Text", "Bool", "Datetime", "Uuid"):
        raise Refused(f"Format error in JSON body: unknown field_schema `{schema}`")
    name = need(body, "body", "field_name")
    collection.update(edge.UpdateOperation.create_field_index(name, getattr(edge.PayloadSchemaType, kind)))
    return {"operation_id": None, "status": "completed"}


def describe(collection: Collection) -> dict[str, Any]:
    with collection.shard() as shard:
        info = shard.info()
    schema = {
        name: {"data_type": str(item.data_type).rsplit(".", 1)[-1].lower(), "points": item.points}
        for name, item in info.payload_schema.items()
    }
    return {
        "status": "green",
        "optimizer_status": "ok",
        # Searches are exact: the stand-in builds no vector index.
        "indexed_vectors_count": 0,
        "points_count": info.points_count,
        "segments_count": info.segments_count,
        "config": {"params": collection.config},
        "payload_schema": schema,
    }


def _on_shard(work: Callable[..., Any]) -> Callable[[Collection, dict[str, Any]], Any]:
    def run(collection: Collection, body: dict[str, Any]) -> Any:
        with collection.shard() as shard:
            return work(shard, body)

    return run


POINTS: dict[tuple[str, str], Callable[[Collection, dict[str, Any]], Any]] = {
    ("PUT", "points"): upsert,
    ("POST", "points"): retrieve,
    ("POST", "points/delete"): delete,
    ("POST", "points/payload"): set_payload,
    ("POST", "points/scroll"): scroll,
    ("POST", "points/count"): count,
    ("POST", "points/search"): _on_shard(search),
    ("POST", "points/query"): lambda collection, body: {"points": _on_shard(query)(collection, body)},
    ("PUT", "index"): create_index,
}


class Metrics(Collector):
    def __init__(self, store: Store) -> None:
        self._store = store

    def describe(self) -> list[Any]:
        return []

    def collect(self) -> Any:
        info = GaugeMetricFamily("app_info", STAND_IN, labels=["name", "version"])
        info.add_metric(["qdrant-edge-stand-in", ENGINE_VERSION], 1)
        yield info
        names = self._store.names()
        yield GaugeMetricFamily("collections_total", "Number of collections", value=len(names))
        points = GaugeMetricFamily("collection_points", "Number of points in a collection", labels=["collection"])
        for name in names:
            try:
                with self._store.get(name).shard() as shard:
                    points.add_metric([name], shard.count(edge.CountRequest()))
            except Refused:
                continue
        yield points


async def _body(request: Request) -> dict[str, Any]:
    data = await request.body()
    if not data:
        return {}
    try:
        body = json.loads(data)
    except ValueError as error:
        raise Refused(f"Format error in JSON body: {error}") from None
    if not isinstance(body, dict):
        raise Refused("Format error in JSON body: must be an object")
    return body


def build(store: Store, api_key: str | None, grpc_address: str | None = None) -> FastAPI:
    def storage() -> None:
        problem = store.problem()
        if problem:
            raise RuntimeError(problem)

    health = Health("qdrant", [Check("storage", storage)], keep=0)

    @asynccontextmanager
    async def life(_app: FastAPI) -> AsyncIterator[None]:
        await run_in_threadpool(store.open)
        server = health_grpc.start(grpc_address, store.problem) if grpc_address else None
        yield
        if server:
            server.stop(1)
        await run_in_threadpool(store.close)

    app = create_app("qdrant", health, metrics=False, lifespan=life, docs_url=None, redoc_url=None, openapi_url=None)

    def failed(message: str, status: int) -> JSONResponse:
        return JSONResponse({"status": {"error": message}, "time": 0.0, "result": None}, status_code=status)

    @app.exception_handler(Refused)
    def refused(_request: Request, error: Refused) -> JSONResponse:
        return failed(str(error), error.status)

    @app.exception_handler(HTTPException)
    def no_route(request: Request, error: HTTPException) -> JSONResponse:
        return failed(f"{request.method} {request.url.path} is not part of this stand-in", error.status_code)

    @app.middleware("http")
    async def guard(request: Request, following: Callable[[Request], Any]) -> Response:
        if api_key and request.url.path not in OPEN:
            given = request.headers.get("api-key") or ""
            scheme, _space, token = request.headers.get("authorization", "").partition(" ")
            if not given and scheme.lower() == "bearer":
                given = token.strip()
            if not given:
                return PlainTextResponse("Must provide an API key or an Authorization bearer token", 401)
            if not hmac.compare_digest(given.encode(), api_key.encode()):
                return PlainTextResponse("Invalid API key or JWT", 401)
        return await following(request)

    async def answer(work: Callable[[], Any]) -> JSONResponse:
        started = time.perf_counter()
        try:
            result = await run_in_threadpool(work)
        except (TypeError, ValueError, KeyError, AttributeError, OverflowError) as error:
            # The engine's types refuse what does not fit them.
            log.info("request refused: %s: %s", type(error).__name__, error)
            raise Refused(f"Format error in JSON body: {error}") from None
        return JSONResponse({"result": result, "status": "ok", "time": round(time.perf_counter() - started, 6)})

    @app.get("/")
    def root() -> dict[str, str]:
        return {"title": "qdrant-edge behind a REST front", "version": ENGINE_VERSION, "stand_in": STAND_IN}

    @app.get("/healthz")
    @app.get("/livez")
    def alive(request: Request) -> PlainTextResponse:
        return PlainTextResponse(f"{request.url.path[1:]} check passed")

    @app.get("/readyz")
    def ready() -> PlainTextResponse:
        problem = store.problem()
        return PlainTextResponse(problem or "all shards are ready", 503 if problem else 200)

    @app.get("/metrics")
    def metrics() -> Response:
        return Response(generate_latest(REGISTRY), media_type=CONTENT_TYPE_LATEST)

    @app.get("/collections")
    async def collections() -> JSONResponse:
        return await answer(lambda: {"collections": [{"name": name} for name in store.names()]})

    @app.put("/collections/{name}")
    async def create(name: str, request: Request) -> JSONResponse:
        body = await _body(request)
        return await answer(lambda: store.create(name, body) or True)

    @app.get("/collections/{name}")
    async def show(name: str) -> JSONResponse:
        return await answer(lambda: describe(store.get(name)))

    @app.get("/collections/{name}/exists")
    async def exists(name: str) -> JSONResponse:
        return await answer(lambda: {"exists": name in store.names()})

    @app.delete("/collections/{name}")
    async def drop(name: str) -> JSONResponse:
        return await answer(lambda: store.delete(name))

    @app.get("/collections/{name}/points/{identity}")
    async def one(name: str, identity: str) -> JSONResponse:
        def work() -> dict[str, Any]:
            wanted = int(identity) if identity.isdigit() else identity
            found = retrieve(store.get(name), {"ids": [wanted], "with_payload": True, "with_vector": True})
            if not found:
                raise Refused(f"Not found: Point with id {identity} does not exists!", 404)
            return found[0]

        return await answer(work)

    @app.delete("/collections/{name}/index/{field}")
    async def drop_index(name: str, field: str) -> JSONResponse:
        operation = edge.UpdateOperation.delete_field_index(field)
        return await answer(lambda: store.get(name).update(operation) or {"operation_id": None, "status": "completed"})

    def add(method: str, path: str, work: Callable[[Collection, dict[str, Any]], Any]) -> None:
        async def endpoint(name: str, request: Request) -> JSONResponse:
            body = await _body(request)
            return await answer(lambda: work(store.get(name), body))

        app.add_api_route(f"/collections/{{name}}/{path}", endpoint, methods=[method])

    for (method, path), work in POINTS.items():
        add(method, path, work)
    return app


def run() -> None:
    settings = load(Settings)
    setup("qdrant", settings)
    if settings.api_key is None:
        log.warning("no QDRANT__SERVICE__API_KEY: anyone who reaches this port may read and write")
    store = Store(settings.storage_path)
    REGISTRY.register(Metrics(store))
    key = settings.api_key.get_secret_value() if settings.api_key else None
    serve(build(store, key, f"{settings.bind_host}:{settings.grpc_port}"), settings, settings.http_port)
