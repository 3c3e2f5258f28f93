"""OllamaMax' tokens, roles and CORS without stores; with them it runs in its Molecule scenario."""

import time

import jwt
import pytest
from fastapi.testclient import TestClient
from optiinfra_services.ollamamax import api
from optiinfra_services.ollamamax.auth import Credentials, Tokens, Users
from optiinfra_services.ollamamax.settings import GatewaySettings
from optiinfra_services.settings import SettingsError, load
from pydantic import ValidationError

SECRET = "secret-of-the-tests-0123456789abcdef"  # noqa: S105
WRONG = SECRET[::-1]


class Memory:
    """As much of a Redis client as tokens use."""

    def __init__(self):
        self.values = {}

    def exists(self, key):
        return key in self.values

    def set(self, key, value, ex):
        self.values[key] = value


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
    assert "/v1/chat/completions" in paths["backend"]
    assert "/chat" not in paths["backend"]


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
    [("JWT_SECRET", "short"), ("OLLAMA_NODES", "ollama:11434"), ("CORS_ORIGINS", "*"), ("PUBLIC_ENDPOINTS", "{")],
)
def test_bad_settings_are_named(environment, name, value):
    environment.setenv(name, value)
    with pytest.raises(SettingsError, match=name):
        load(GatewaySettings)


@pytest.mark.parametrize(
    "given", [{"username": "", "password": "long-enough"}, {"username": "ann", "password": "short"}]
)
def test_credentials_that_are_none_are_refused(given):
    with pytest.raises(ValidationError):
        Credentials(**given)


def test_users_without_postgresql_are_an_error_to_tell(environment):
    with pytest.raises(Exception, match="connect"):
        Users("postgresql://u:p@127.0.0.1:9/d").known(Credentials(username="ann", password=WRONG))
