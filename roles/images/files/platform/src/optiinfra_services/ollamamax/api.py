"""OllamaMax' listeners. Gateway and fallback: all; WebSocket server: chat and nodes; backend: inference and web."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from importlib.resources import files
from typing import Any, Literal

import httpx
import jwt
from fastapi import FastAPI, WebSocket, WebSocketDisconnect
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from prometheus_client import Counter, Gauge
from redis import Redis, RedisError

from .. import dependencies
from ..collector.side import serve_beside
from ..health import Check, Health
from ..logs import setup
from ..settings import load
from ..web import create_app, serve
from .accounts import authenticate
from .auth import Tokens, Users, requires
from .nodes import Nodes, NodesAway
from .settings import GatewaySettings

log = logging.getLogger(__name__)
Role = Literal["api", "websocket", "backend"]
CHATS = Counter("ollamamax_chats_total", "Chats over WebSocket", ["outcome"])
COMPLETIONS = Counter("ollamamax_completions_total", "Completions over HTTP", ["status"])
CONNECTED = Gauge("ollamamax_websockets", "WebSockets that are open")
# What a backend passes on of Ollama's own API; those that stream unless told otherwise.
ENGINE, STREAMED = ("/api/show", "/api/embed", "/api/generate", "/api/chat"), ("/api/generate", "/api/chat")


def _nodes_check(nodes: Nodes) -> Check:
    def probe() -> None:
        # A loop and a client of its own: health is looked at in threads.
        found = asyncio.run(Nodes(nodes.urls, 3).look())
        if "ok" not in found.values():
            raise RuntimeError("; ".join(f"{url} {said}" for url, said in found.items()))

    return Check("ollama", probe)


class Listener:
    """What the listeners share."""

    def __init__(self, role: Role, settings: GatewaySettings) -> None:
        self.settings = settings
        self.nodes = Nodes(settings.nodes, settings.timeout)
        redis = Redis.from_url(settings.redis_url, socket_timeout=3, socket_connect_timeout=3, decode_responses=True)
        refresh = settings.jwt_refresh_secret
        self.tokens = Tokens(
            settings.jwt_secret.get_secret_value(),
            settings.jwt_expiry,
            redis,
            refresh.get_secret_value() if refresh else None,
        )
        checks = [dependencies.redis(settings.redis_url), _nodes_check(self.nodes)]
        self.users = None
        if role == "api":
            if settings.database_url is None:
                raise SystemExit("DATABASE_URL is required")
            self.users = Users(settings.database_url.get_secret_value())
            checks.append(Check("postgres", self.users.prepare))
        name = f"ollamamax-{role}"
        self.health = Health(name, checks)
        # Ready means that a chat would be answered. Alive means only that the process is: a restart mends no other.
        self.app = create_app(name, self.health, ("/health/ready", "/api/health", "/api/v1/health"))
        self.app.add_api_route("/health/live", lambda: {"status": "alive"}, methods=["GET"], tags=["health"])
        self.app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=["GET", "POST", "DELETE"],
            allow_headers=["authorization", "content-type"],
        )

    def complete(self, prefixes: tuple[str, ...] = ("/v1",)) -> None:
        """Add OpenAI's API."""

        async def models(caller: tuple = requires(self.tokens)) -> Response:
            return await self._relay("GET", "/v1/models", caller[0])

        async def chat(body: dict[str, Any], caller: tuple = requires(self.tokens)) -> Response:
            body = {"model": self.settings.model, **body}
            answer = await self._relay("POST", "/v1/chat/completions", caller[0], body, bool(body.get("stream")))
            COMPLETIONS.labels(answer.status_code).inc()
            return answer

        for prefix in prefixes:
            self.app.add_api_route(f"{prefix}/models", models, methods=["GET"], tags=["openai"])
            self.app.add_api_route(f"{prefix}/chat/completions", chat, methods=["POST"], tags=["openai"])

    def engine(self) -> None:
        """Add Ollama's own API, for those that have a token."""

        @self.app.get("/api/tags", tags=["ollama"])
        async def tags(caller: tuple = requires(self.tokens)) -> Response:
            return await self._relay("GET", "/api/tags", caller[0])

        def passed(path: str) -> None:
            @self.app.post(path, tags=["ollama"], name=path)
            async def passed_on(body: dict[str, Any], caller: tuple = requires(self.tokens)) -> Response:
                stream = path in STREAMED and body.get("stream", True) is not False
                return await self._relay("POST", path, caller[0], {"model": self.settings.model, **body}, stream)

        for path in ENGINE:
            passed(path)

    async def _relay(self, method: str, path: str, token: str, body: Any = None, stream: bool = False) -> Response:
        try:
            answer = await self.nodes.send(method, path, token, body, stream)
        except NodesAway as error:
            return JSONResponse({"error": {"message": f"no node answers: {error}", "type": "unavailable"}}, 503)
        kind = answer.headers.get("content-type", "application/json")
        if not stream:
            return Response(answer.content, answer.status_code, media_type=kind)

        async def pieces() -> AsyncIterator[bytes]:
            try:
                async for piece in answer.aiter_raw():
                    yield piece
            except httpx.HTTPError as error:
                # The status is sent; what is left is to say it in the stream.
                log.warning("the answer of %s broke off: %s", answer.url.host, type(error).__name__)
                said = json.dumps({"error": {"message": "the answer broke off", "type": "unavailable"}})
                yield (f"data: {said}\n\n" if kind.startswith("text/event-stream") else f"{said}\n").encode()
            finally:
                await answer.aclose()

        return StreamingResponse(pieces(), answer.status_code, media_type=kind)

    def converse(self) -> None:
        """Add the WebSocket /chat: {"token"} first, then {"message"}; answers {"delta"}..., {"done"} or {"error"}."""

        @self.app.websocket("/chat")
        async def chat(socket: WebSocket) -> None:
            # Browsers send an origin, and CORS does not cover WebSockets.
            origin = socket.headers.get("origin")
            if origin and origin not in self.settings.cors_origins:
                await socket.close(1008)
                return
            await socket.accept()
            CONNECTED.inc()
            try:
                await self._talk(socket)
            except (WebSocketDisconnect, RuntimeError):
                pass
            finally:
                CONNECTED.dec()

    async def _talk(self, socket: WebSocket) -> None:
        try:
            said = await asyncio.wait_for(socket.receive_json(), 10)
            token = str(said["token"])
        except (KeyError, TypeError, ValueError, TimeoutError):
            token = ""
        claims = await self._admit(socket, token)
        if claims is None:
            return
        await socket.send_json({"ready": claims["sub"]})
        messages: list[dict[str, str]] = []
        while True:
            try:
                said = await socket.receive_json()
                message, model = str(said["message"])[:32_000], str(said.get("model") or self.settings.model)
            except (KeyError, TypeError, ValueError):
                await socket.send_json({"error": "send {message: text}"})
                continue
            # A session that was ended meanwhile is over here as well.
            if await self._admit(socket, token) is None:
                return
            messages = [*messages[-20:], {"role": "user", "content": message}]
            whole = ""
            try:
                async for piece in self.nodes.speak(token, model, messages):
                    whole += piece
                    await socket.send_json({"delta": piece})
            except NodesAway as error:
                CHATS.labels("failed").inc()
                await socket.send_json({"error": f"no node answers: {error}"})
                continue
            messages.append({"role": "assistant", "content": whole})
            CHATS.labels("answered").inc()
            await socket.send_json({"done": True})

    async def _admit(self, socket: WebSocket, token: str) -> dict[str, Any] | None:
        """Return the claims of a token, or say why not and close."""
        try:
            return await asyncio.to_thread(self.tokens.read, token)
        except jwt.InvalidTokenError:
            error, code = "log in first: send {token} within 10 s", 1008
        except RedisError as problem:
            log.warning("no session can be checked: %s", problem)
            error, code = "redis is unavailable", 1011
        await socket.send_json({"error": error})
        await socket.close(code)
        return None

    def coordinate(self) -> None:
        """Add /api/nodes: which nodes answer; and /api/version, by which others see whether any does."""

        @self.app.get("/api/nodes", tags=["nodes"])
        async def nodes() -> list[dict[str, str]]:
            found = await self.nodes.look()
            return [{"url": url, "state": said} for url, said in found.items()]

        @self.app.get("/api/version", tags=["nodes"])
        async def version() -> JSONResponse:
            found = await self.nodes.look()
            served = "ok" in found.values()
            return JSONResponse({"version": self.app.version, "nodes": found}, 200 if served else 503)


def build(role: Role, settings: GatewaySettings) -> FastAPI:
    listener = Listener(role, settings)
    if role == "api":
        authenticate(listener.app, listener.users, listener.tokens)
        listener.complete()
    if role == "backend":
        listener.complete(("/v1", "/api/v1"))
        listener.engine()
    else:
        listener.converse()
    listener.coordinate()
    return listener.app


def web(settings: GatewaySettings) -> FastAPI:
    """The web interface: one page, told by /config.json where to go."""
    app = create_app("ollamamax-web", Health("ollamamax-web", []), metrics=False, docs_url=None, redoc_url=None)
    page = files(__package__).joinpath("page.html").read_text(encoding="utf-8")
    allowed = " ".join(
        url for value in settings.public.values() for url in ([value] if isinstance(value, str) else value)
    )
    policy = (
        f"default-src 'self' 'unsafe-inline'; connect-src 'self' {allowed}; frame-ancestors 'none'; base-uri 'none'"
    )

    @app.get("/", response_class=HTMLResponse)
    def home() -> HTMLResponse:
        return HTMLResponse(page, headers={"content-security-policy": policy, "cache-control": "no-store"})

    @app.get("/config.json")
    def config() -> dict[str, Any]:
        return settings.public

    return app


def run(role: Role) -> None:
    settings = load(GatewaySettings)
    setup(f"ollamamax-{role}", settings)
    app = build(role, settings)
    if settings.web_port:
        serve_beside(web(settings), settings, settings.web_port)
    serve(app, settings, settings.port)
