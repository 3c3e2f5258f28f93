"""An agent's presence with an orchestrator that comes, goes and forgets; and its settings."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest
from fastapi.testclient import TestClient
from optiinfra_services.agent import api
from optiinfra_services.agent.presence import Presence
from optiinfra_services.schema import Keeper
from optiinfra_services.settings import SettingsError, load

AGENT = {"name": "cost-agent", "type": "cost", "host": "cost-agent", "port": 8001}


@pytest.fixture
def orchestrator():
    """An HTTP server that keeps what it is asked, and forgets agents when told."""
    calls, known = [], set()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            calls.append(self.path)
            status, answer = 200, {}
            if self.path == "/agents/register":
                known.add(json.loads(body)["name"])
                status, answer = 201, {"id": json.loads(body)["name"]}
            elif self.path.split("/")[2] not in known:
                status = 404
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(answer).encode())

        def log_message(self, *_args):
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    server.calls, server.known = calls, known
    server.url = f"http://127.0.0.1:{server.server_port}"
    yield server
    server.shutdown()
    server.server_close()


def test_it_registers_once_then_sends_heartbeats(orchestrator):
    presence = Presence(orchestrator.url, AGENT)
    presence.beat()
    presence.beat()
    assert orchestrator.calls == ["/agents/register", "/agents/cost-agent/heartbeat"]


def test_it_registers_again_when_it_was_forgotten(orchestrator):
    presence = Presence(orchestrator.url, AGENT)
    presence.beat()
    orchestrator.known.clear()
    presence.beat()
    assert orchestrator.calls[-2:] == ["/agents/cost-agent/heartbeat", "/agents/register"]
    assert orchestrator.known == {"cost-agent"}


def test_an_orchestrator_that_is_away_is_an_error_to_note():
    presence = Presence("http://127.0.0.1:9", AGENT)
    assert presence.problem == "not registered yet"
    with pytest.raises(httpx.HTTPError):
        presence.beat()


@pytest.fixture
def environment(monkeypatch):
    values = {
        "AGENT_TYPE": "resource",
        "DATABASE_URL": "postgresql://user:word@127.0.0.1:9/db",
        "REDIS_URL": "redis://:word@127.0.0.1:9/2",
        "CLICKHOUSE_HOST": "127.0.0.1",
        "CLICKHOUSE_PORT": "9",
        "CLICKHOUSE_PASSWORD": "word",
        "QDRANT_URL": "http://127.0.0.1:9",
        "DEFAULT_CUSTOMER_ID": "00000000-0000-0000-0000-000000000001",
    }
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def build():
    settings = load(api.Settings)
    return api.build(settings, Presence("http://127.0.0.1:9", AGENT), Keeper(settings))


def test_health_is_at_every_path_that_images_use_and_names_what_is_away(environment):
    client = TestClient(build())
    for path in ("/health", "/health/", "/api/v1/health"):
        answer = client.get(path)
        assert answer.status_code == 503
        assert set(answer.json()["dependencies"]) == {
            "postgres",
            "clickhouse",
            "redis",
            "schema",
            "qdrant",
            "orchestrator",
        }
    assert "word" not in client.get("/health").text
    assert "optiinfra_dependency_up" in client.get("/metrics").text


def test_a_task_without_clickhouse_is_503(environment):
    client = TestClient(build())
    answer = client.post("/task", json={"id": "1", "question": "?"})
    assert answer.status_code == 503
    assert "clickhouse is unavailable" in answer.json()["detail"]


def test_an_unknown_type_is_named(environment):
    environment.setenv("AGENT_TYPE", "weather")
    with pytest.raises(SettingsError, match="AGENT_TYPE"):
        load(api.Settings)
