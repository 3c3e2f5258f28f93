"""The HTTP side that every service shares: /health, /metrics, request ids, logs, a quick and graceful stop."""

import logging
import os
import re
import time
import uuid
from contextvars import ContextVar
from typing import Any

import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, Counter, Gauge, Histogram, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from . import __version__
from .health import Health, reason
from .settings import CommonSettings

log = logging.getLogger(__name__)

INFO = Gauge("optiinfra_service_info", "Always 1; what is running", ["service", "version"])
REQUESTS = Counter("optiinfra_http_requests_total", "HTTP requests answered", ["method", "route", "status"])
SECONDS = Histogram(
    "optiinfra_http_request_duration_seconds", "Time to answer", ["route"], buckets=(0.01, 0.05, 0.1, 0.5, 1, 3, 10)
)

FREE = Gauge("optiinfra_filesystem_avail_bytes", "Free on the file system that holds containers and volumes")
SIZE = Gauge("optiinfra_filesystem_size_bytes", "Size of the file system that holds containers and volumes")

request_id: ContextVar[str] = ContextVar("request_id", default="")
_SANE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


class RequestLog:
    """Gives each request an id (or keeps the caller's), counts it, logs it; polls are counted but not logged."""

    def __init__(self, app: ASGIApp, quiet: frozenset[str]) -> None:
        self._app = app
        self._quiet = quiet

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = dict(scope["headers"]).get(b"x-request-id", b"").decode("latin-1")
        identity = given if _SANE_ID.fullmatch(given) else uuid.uuid4().hex[:16]
        token = request_id.set(identity)
        status = 500
        started = time.perf_counter()

        async def respond(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", []), (b"x-request-id", identity.encode())]
            await send(message)

        try:
            await self._app(scope, receive, respond)
        finally:
            seconds = time.perf_counter() - started
            route = getattr(scope.get("route"), "path", "other")
            REQUESTS.labels(scope["method"], route, status).inc()
            SECONDS.labels(route).observe(seconds)
            if scope["path"] not in self._quiet or status >= 500:
                log.info(
                    "%s %s %s",
                    scope["method"],
                    scope["path"],
                    status,
                    extra={"request_id": identity, "seconds": round(seconds, 4)},
                )
            request_id.reset(token)


def create_app(
    service: str, health: Health, health_paths: tuple[str, ...] = (), *, metrics: bool = True, **options: Any
) -> FastAPI:
    """A FastAPI application that already answers /health (and the given paths) and /metrics."""
    make: Any = FastAPI
    if options.get("docs_url", True):
        # Swagger's scripts from the package, not from somebody else's server.
        from fastapi_offline import FastAPIOffline as make
    app = make(title=f"OptiInfra {service}", version=__version__, **options)
    INFO.labels(service, __version__).set(1)
    # A container's root is on the file system of the engine's data.
    FREE.set_function(lambda: _bytes("f_bavail"))
    SIZE.set_function(lambda: _bytes("f_blocks"))

    def get_health() -> JSONResponse:
        report = health.report()
        return JSONResponse(report.as_dict(), status_code=report.http_status)

    def get_metrics() -> Response:
        return Response(generate_latest(REGISTRY), media_type=CONTENT_TYPE_LATEST)

    paths = ("/health", "/health/", *health_paths)
    for path in dict.fromkeys(paths):
        documented = path == "/health"
        app.add_api_route(path, get_health, methods=["GET", "HEAD"], tags=["health"], include_in_schema=documented)
    if metrics:
        app.add_api_route("/metrics", get_metrics, methods=["GET"], tags=["health"])

    @app.exception_handler(Exception)
    def failed(_request: Request, error: Exception) -> JSONResponse:
        # uvicorn logs the traceback; the caller gets one line.
        return JSONResponse({"detail": f"internal error: {type(error).__name__}"}, status_code=500)

    app.add_middleware(RequestLog, quiet=frozenset((*paths, "/metrics")))
    return app


def _bytes(field: str) -> float:
    found = os.statvfs("/")
    return float(getattr(found, field) * found.f_frsize)


def unavailable(dependency: str, error: BaseException) -> JSONResponse:
    return JSONResponse({"detail": f"{dependency} is unavailable: {reason(error)}"}, status_code=503)


def serve(app: FastAPI, settings: CommonSettings, port: int) -> None:
    """Until SIGTERM; requests in progress get a second to finish."""
    log.info("listening on %s:%s", settings.bind_host, port)
    config = uvicorn.Config(
        app,
        host=settings.bind_host,
        port=port,
        log_config=None,
        log_level="warning" if settings.log_level == "INFO" else settings.log_level.lower(),
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=1,
        timeout_keep_alive=30,
        lifespan="on",
    )
    uvicorn.Server(config).run()
    log.info("stopped")
