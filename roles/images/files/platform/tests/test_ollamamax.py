"""OllamaMax' tokens, roles and CORS without stores; with them it runs in tests/integration and in Molecule."""

import http.server
import json
import threading
import time

import jwt
import pytest
from fastapi.testclient import TestClient
from optiinfra_services.ollamamax import api
from optiinfra_services.ollamamax.auth import Credentials, Tokens, Users
from optiinfra_services.ollamamax.settings import GatewaySettings
from optiinfra_services.settings import SettingsError, load
from pydantic import ValidationError
from redis import RedisError

SECRET = "secret-of-the-tests-0123456789abcdef"  # noqa: S105
WRONG = SECRET[::-1]


class Memory:
    """As much of a Redis client as tokens use."""

    def __init__(self):
        self.values = {}

    def exists(self, *keys):
        return sum(key in self.values for key in keys)

    def get(self, key):
        return self.values.get(key)

    def set(self, key, value, ex, nx=False):
        if nx and key in self.values:
            return None
        self.values[key] = value
        return True


class Gone(Memory):
    """A Redis that is away."""

    def exists(self, *keys):
        raise RedisError("nobody there")

    set = get = exists


@pytest.fixture
def node():
    """A node that takes /v1/chat/completions and breaks off in its answer, and says that none of its own answers."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_error(503)

        def do_POST(self):
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(200)
            self.send_header("content-type", "text/event-stream")
            self.send_header("content-length", "1000")
            self.end_headers()
            piece = {"choices": [{"delta": {"content": "Once"}}]}
            self.wfile.write(f"data: {json.dumps(piece)}\n\n".encode())

        def log_message(self, *_args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def environment(monkeypatch):
    values = {
        "JWT_SECRET": SECRET,
        "DATABASE_URL": "postgresql://user:word@127.0.0.1:9/db",
        "REDIS_HOST": "127.0.0.1",
        "REDIS_PORT": "9",
        "OLLAMA_NODES": "http://127.0.0.1:9, http://127.0.0.1:10",
        "CORS_ORIGINS": "http://127.0.0.1:13100,http://127.0.0.1:3002",
        "PUBLIC_ENDPOINTS": '{"api": "http://127.0.0.1:13100", "chat": ["ws://127.0.0.1:13100/chat"]}',
    }
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(api.Redis, "from_url", lambda *_args, **_options: Memory())
    return monkeypatch


def client(role):
    return TestClient(api.build(role, load(GatewaySettings)))


def bearer(seconds=60, secret=SECRET):
    return {"authorization": "Bearer " + Tokens(secret, seconds, Memory()).issue("ann").access_token}


@pytest.mark.parametrize("role", ["api", "backend"])
def test_a_token_of_one_is_a_token_of_all_and_a_wrong_one_of_none(environment, role):
    asked = client(role)
    assert asked.get("/v1/models").status_code == 401
    assert asked.get("/v1/models", headers=bearer(secret=WRONG)).status_code == 401
    assert asked.get("/v1/models", headers=bearer(seconds=-5)).status_code == 401
    # Past the token it is the nodes that are away, and each is named.
    answer = asked.get("/v1/models", headers=bearer())
    assert answer.status_code == 503
    assert "127.0.0.1:9: ConnectError; http://127.0.0.1:10" in answer.json()["error"]["message"]


def test_a_session_that_was_ended_is_over(environment):
    asked, mine = client("api"), bearer()
    assert asked.get("/auth/me", headers=mine).json()["username"] == "ann"
    assert asked.post("/auth/logout", headers=mine).status_code == 204
    assert asked.get("/auth/me", headers=mine).status_code == 401


def test_a_refresh_token_is_good_once_and_stolen_ones_end_the_session(environment):
    environment.setenv("JWT_REFRESH_SECRET", WRONG)
    settings = load(GatewaySettings)
    listener = api.Listener("api", settings)
    first = listener.tokens.issue("ann")
    second = listener.tokens.renew(first.refresh_token)
    assert listener.tokens.read(second.access_token)["sub"] == "ann"
    for stolen in (first.refresh_token, second.refresh_token):
        with pytest.raises(jwt.InvalidTokenError):
            listener.tokens.renew(stolen)
    with pytest.raises(jwt.InvalidTokenError, match="ended"):
        listener.tokens.read(second.access_token)


def test_neither_kind_of_token_is_taken_for_the_other(environment):
    environment.setenv("JWT_REFRESH_SECRET", WRONG)
    tokens = api.Listener("api", load(GatewaySettings)).tokens
    issued = tokens.issue("ann")
    with pytest.raises(jwt.InvalidTokenError):
        tokens.read(issued.refresh_token)
    with pytest.raises(jwt.InvalidTokenError):
        tokens.renew(issued.access_token)


def test_without_redis_nobody_is_let_in_and_it_is_told_why(environment):
    environment.setattr(api.Redis, "from_url", lambda *_args, **_options: Gone())
    asked = client("api")
    for method, path in (("GET", "/auth/me"), ("POST", "/auth/logout"), ("GET", "/v1/models")):
        answer = asked.request(method, path, headers=bearer())
        assert (answer.status_code, answer.json()["detail"]) == (503, "redis is unavailable")
    assert asked.get("/v1/models", headers={"authorization": "Bearer om-1"}).status_code == 503
    with asked.websocket_connect("/chat") as socket:
        socket.send_json({"token": bearer()["authorization"].removeprefix("Bearer ")})
        assert socket.receive_json() == {"error": "redis is unavailable"}


def test_a_key_that_nobody_made_is_refused(environment):
    assert client("backend").get("/v1/models", headers={"authorization": "Bearer om-made-up"}).status_code == 401


def test_a_session_that_ends_during_a_chat_is_over_there_too(environment):
    asked, mine = client("api"), bearer()
    with asked.websocket_connect("/chat") as socket:
        socket.send_json({"token": mine["authorization"].removeprefix("Bearer ")})
        assert "ready" in socket.receive_json()
        assert asked.post("/auth/logout", headers=mine).status_code == 204
        socket.send_json({"message": "Hello"})
        assert "log in first" in socket.receive_json()["error"]


def test_an_answer_that_breaks_off_is_told_in_its_own_form(environment, node):
    environment.setenv("OLLAMA_NODES", node)
    body = {"messages": [], "stream": True}
    for role, path in (("api", "/v1/chat/completions"), ("backend", "/api/v1/chat/completions")):
        answer = client(role).post(path, json=body, headers=bearer())
        events = [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: ")]
        assert events[0]["choices"][0]["delta"]["content"] == "Once"
        assert events[-1]["error"]["message"] == "the answer broke off"
    with client("websocket").websocket_connect("/chat") as socket:
        socket.send_json({"token": bearer()["authorization"].removeprefix("Bearer ")})
        assert "ready" in socket.receive_json()
        socket.send_json({"message": "Hello"})
        assert socket.receive_json() == {"delta": "Once"}
        assert "broke off" in socket.receive_json()["error"]


@pytest.mark.parametrize("role", ["api", "websocket", "backend"])
def test_nobody_is_ready_while_no_model_can_be_asked(environment, node, role):
    """A backend answers, and says by /api/version that no node of its own does: that is not enough."""
    environment.setenv("OLLAMA_NODES", node)
    asked = client(role)
    assert asked.get("/health/ready").status_code == 503
    assert asked.get("/api/version").json()["nodes"] == {node: "answers 503"}
    assert asked.get("/api/version").status_code == 503
    assert f'ollamamax_node_up{{node="{node}"}} 0.0' in asked.get("/metrics").text


def test_documentation_asks_nobody_else_for_its_scripts(environment):
    asked = client("api")
    page = asked.get("/docs").text
    assert "//" not in page.replace("http://testserver", "").replace("window.location", "").split("<script>")[0]
    assert asked.get("/static-offline-docs/swagger-ui-bundle.js").status_code == 200


def test_a_token_without_algorithm_is_forged():
    claims = {"sub": "ann", "jti": "1", "exp": int(time.time()) + 60}
    forged = jwt.encode(claims, "", "none")
    with pytest.raises(jwt.InvalidTokenError):
        Tokens(SECRET, 60, Memory()).read(forged)


@pytest.mark.parametrize(("origin", "allowed"), [("http://127.0.0.1:3002", True), ("http://evil.example", False)])
def test_only_planned_origins_may_ask_from_a_browser(environment, origin, allowed):
    answer = client("api").get("/health/live", headers={"origin": origin})
    assert (answer.headers.get("access-control-allow-origin") == origin) == allowed


def test_roles_have_their_own_paths(environment):
    paths = {role: {route.path for route in client(role).app.routes} for role in ("api", "websocket", "backend")}
    assert {"/auth/login", "/v1/chat/completions", "/chat"} <= paths["api"]
    assert {"/chat", "/api/nodes", "/api/health"} <= paths["websocket"]
    assert not {"/auth/login", "/v1/models"} & paths["websocket"]
    # OpenAI's API below both prefixes, and Ollama's own.
    assert {"/v1/chat/completions", "/api/v1/models", "/api/tags", "/api/generate", "/api/chat"} <= paths["backend"]
    assert not {"/chat", "/auth/login"} & paths["backend"]


def test_a_websocket_needs_a_token_and_a_planned_origin(environment):
    asked = client("websocket")
    with asked.websocket_connect("/chat") as socket:
        socket.send_json({"token": "wrong"})
        assert "log in first" in socket.receive_json()["error"]
    with asked.websocket_connect("/chat") as socket:
        socket.send_json({"token": bearer()["authorization"].removeprefix("Bearer ")})
        assert socket.receive_json() == {"ready": "ann"}
        socket.send_json({"message": "Hello"})
        assert "no node answers" in socket.receive_json()["error"]
        socket.send_json([])
        assert "send {message" in socket.receive_json()["error"]
    with (
        pytest.raises(Exception, match=r"1008|Disconnect|^$"),
        asked.websocket_connect("/chat", headers={"origin": "http://evil.example"}) as socket,
    ):
        socket.receive_json()


def test_health_says_what_is_away_and_live_does_not_care(environment):
    asked = client("api")
    for path in ("/health", "/health/ready"):
        assert asked.get(path).status_code == 503
    assert set(asked.get("/health").json()["dependencies"]) == {"redis", "ollama", "postgres"}
    assert asked.get("/health/live").status_code == 200
    assert "word" not in asked.get("/health").text


def test_a_listener_without_nodes_is_no_node(environment):
    assert client("backend").get("/api/version").status_code == 503


def test_the_web_interface_knows_where_to_go_and_goes_nowhere_else(environment):
    web = TestClient(api.web(load(GatewaySettings)))
    assert web.get("/config.json").json()["chat"] == ["ws://127.0.0.1:13100/chat"]
    page = web.get("/")
    assert (
        "connect-src 'self' http://127.0.0.1:13100 ws://127.0.0.1:13100/chat;"
        in page.headers["content-security-policy"]
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("JWT_SECRET", "short"),
        ("JWT_REFRESH_SECRET", "short"),
        ("JWT_EXPIRY", "1 hour"),
        ("OLLAMA_NODES", "ollama:11434"),
        ("CORS_ORIGINS", "*"),
        ("PUBLIC_ENDPOINTS", "{"),
    ],
)
def test_bad_settings_are_named(environment, name, value):
    environment.setenv(name, value)
    with pytest.raises(SettingsError, match=name):
        load(GatewaySettings)


@pytest.mark.parametrize(("given", "seconds"), [("900", 900), ("90s", 90), ("15m", 900), ("1h", 3600), ("1d", 86400)])
def test_a_session_lasts_as_long_as_is_said(environment, given, seconds):
    environment.setenv("JWT_EXPIRY", given)
    assert load(GatewaySettings).jwt_expiry == seconds


@pytest.mark.parametrize(
    "given", [{"username": "", "password": "long-enough"}, {"username": "ann", "password": "short"}]
)
def test_credentials_that_are_none_are_refused(given):
    with pytest.raises(ValidationError):
        Credentials(**given)


def test_users_without_postgresql_are_an_error_to_tell(environment):
    with pytest.raises(Exception, match="connect"):
        Users("postgresql://u:p@127.0.0.1:9/d").known(Credentials(username="ann", password=WRONG))
