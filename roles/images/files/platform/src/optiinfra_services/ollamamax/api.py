"""OllamaMax' listeners. Gateway and fallback: all; WebSocket server: chat and nodes; backend: inference and web."""

import asyncio
import logging
from importlib.resources import files
from typing import Any, Literal

import jwt
from fastapi import FastAPI, HTTPException, WebSocket, WebSocketDisconnect
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from prometheus_client import Counter, Gauge
from redis import Redis

from .. import dependencies
from ..collector.side import serve_beside
from ..health import Check, Health
from ..logs import setup
from ..settings import load
from ..web import create_app, serve, unavailable
from .auth import Credentials, Token, Tokens, Users, requires
from .nodes import Nodes, NodesAway
from .settings import GatewaySettings

log = logging.getLogger(__name__)
Role = Literal["api", "websocket", "backend"]
CHATS = Counter("ollamamax_chats_total", "Chats over WebSocket", ["outcome"])
COMPLETIONS = Counter("ollamamax_completions_total", "Completions over HTTP", ["status"])
CONNECTED = Gauge("ollamamax_websockets", "WebSockets that are open")


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
        self.tokens = Tokens(settings.jwt_secret.get_secret_value(), settings.jwt_expiry, redis)
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
            allow_methods=["GET", "POST"],
            allow_headers=["authorization", "content-type"],
        )

    def authenticate(self) -> None:
        """Add /auth: register, login, logout and who one is."""
        app, users, tokens = self.app, self.users, self.tokens

        @app.post("/auth/register", status_code=201, response_model=Token, tags=["auth"])
        def register(given: Credentials) -> Token | JSONResponse:
            try:
                users.prepare()
                added = users.add(given)
            except Exception as error:
                return unavailable("postgres", error)
            if not added:
                raise HTTPException(409, f"the name {given.username} is taken")
            return tokens.issue(given.username)

        @app.post("/auth/login", response_model=Token, tags=["auth"])
        def login(given: Credentials) -> Token | JSONResponse:
            try:
                known = users.known(given)
            except Exception as error:
                return unavailable("postgres", error)
            if not known:
                raise HTTPException(401, "name or password is wrong")
            return tokens.issue(given.username)

        @app.get("/auth/me", tags=["auth"])
        def me(caller: tuple = requires(tokens)) -> dict[str, Any]:
            return {"username": caller[1]["sub"], "expires_at": caller[1]["exp"]}

        @app.post("/auth/logout", status_code=204, tags=["auth"])
        def logout(caller: tuple = requires(tokens)) -> None:
            tokens.end(caller[1])

    def complete(self) -> None:
        """Add OpenAI's API."""
        app, nodes = self.app, self.nodes

        @app.get("/v1/models", tags=["openai"])
        async def models(caller: tuple = requires(self.tokens)) -> Response:
            return await relay("GET", "/v1/models", caller[0])

        @app.post("/v1/chat/completions", tags=["openai"])
        async def chat(body: dict[str, Any], caller: tuple = requires(self.tokens)) -> Response:
            body = {"model": self.settings.model, **body}
            answer = await relay("POST", "/v1/chat/completions", caller[0], body)
            COMPLETIONS.labels(answer.status_code).inc()
            return answer

        async def relay(method: str, path: str, token: str, body: Any = None) -> Response:
            stream = bool(body and body.get("stream"))
            try:
                answer = await nodes.send(method, path, token, body, stream)
            except NodesAway as error:
                return JSONResponse({"error": {"message": f"no node answers: {error}", "type": "unavailable"}}, 503)
            kind = answer.headers.get("content-type", "application/json")
            if not stream:
                return Response(answer.content, answer.status_code, media_type=kind)

            async def pieces():
                try:
                    async for piece in answer.aiter_raw():
                        yield piece
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
            name = (await asyncio.to_thread(self.tokens.read, token))["sub"]
        except (jwt.InvalidTokenError, KeyError, TypeError, ValueError, TimeoutError):
            await socket.send_json({"error": "log in first: send {token} within 10 s"})
            await socket.close(1008)
            return
        await socket.send_json({"ready": name})
        messages: list[dict[str, str]] = []
        while True:
            try:
                said = await socket.receive_json()
                message = str(said["message"])[:32_000]
            except (KeyError, TypeError, ValueError):
                await socket.send_json({"error": "send {message: text}"})
                continue
            messages = [*messages[-20:], {"role": "user", "content": message}]
            whole = ""
            try:
                async for piece in self.nodes.speak(token, said.get("model") or self.settings.model, messages):
                    whole += piece
                    await socket.send_json({"delta": piece})
            except (NodesAway, OSError) as error:
                CHATS.labels("failed").inc()
                await socket.send_json({"error": f"no node answers: {error}"})
                continue
            messages.append({"role": "assistant", "content": whole})
            CHATS.labels("answered").inc()
            await socket.send_json({"done": True})

    def coordinate(self) -> None:
        """Add /api/nodes, which nodes answer, and /api/version, by which a listener is a node of another."""

        @self.app.get("/api/version", tags=["nodes"], response_model=None)
        async def version() -> dict[str, str] | JSONResponse:
            found = await self.nodes.look()
            if "ok" in found.values():
                return {"version": self.app.version}
            # One that cannot serve a model is none.
            return JSONResponse({"detail": "no node answers"}, 503)

        @self.app.get("/api/nodes", tags=["nodes"])
        async def nodes() -> list[dict[str, str]]:
            found = await self.nodes.look()
            return [{"url": url, "state": said} for url, said in found.items()]


def build(role: Role, settings: GatewaySettings) -> FastAPI:
    listener = Listener(role, settings)
    if role == "api":
        listener.authenticate()
    if role != "websocket":
        listener.complete()
    if role != "backend":
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
