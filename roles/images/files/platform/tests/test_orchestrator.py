"""The fan-out with agents that answer, fail and are away; the stores are replaced by what they return."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from fastapi.testclient import TestClient
from optiinfra_services.contract import Registration
from optiinfra_services.orchestrator import api
from optiinfra_services.orchestrator.registry import Registry
from optiinfra_services.schema import Keeper
from optiinfra_services.settings import load
from pydantic import ValidationError


class Memory:
    """As much of a Redis client as the registry uses, without expiry."""

    def __init__(self):
        self.values = {}

    def set(self, key, value, ex):
        self.values[key] = value

    def get(self, key):
        return self.values.get(key)

    def scan_iter(self, pattern):
        return [key for key in self.values if key.startswith(pattern.rstrip("*"))]

    def mget(self, keys):
        return [self.values.get(key) for key in keys]


@pytest.fixture
def agent():
    """An HTTP server that answers tasks and keeps the request ids that it was sent."""
    seen = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["content-length"]))
            seen.append(self.headers["x-request-id"])
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'{"recommendations": []}')

        def log_message(self, *_args):
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    server.seen = seen
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def orchestrator(monkeypatch):
    """The API with a registry in memory, and a list of what it stored."""
    stored = []
    monkeypatch.setenv("DATABASE_URL", "postgresql://user:word@127.0.0.1:9/db")
    monkeypatch.setenv("REDIS_ADDR", "127.0.0.1:9")
    memory = Memory()
    monkeypatch.setattr(api.Redis, "from_url", lambda *_args, **_options: memory)
    monkeypatch.setattr(api.store, "keep", lambda _conninfo, answer: stored.append(answer))
    settings = load(api.Settings)
    client = TestClient(api.build(settings, Keeper(settings)))
    client.stored = stored
    return client


def register(client, kind, port):
    agent = {"name": f"{kind}-agent", "type": kind, "host": "127.0.0.1", "port": port}
    return client.post("/agents/register", json=agent)


def test_register_heartbeat_and_list(orchestrator):
    assert orchestrator.post("/agents/cost-agent/heartbeat").status_code == 404
    assert register(orchestrator, "cost", 8001).status_code == 201
    assert orchestrator.post("/agents/cost-agent/heartbeat").status_code == 200
    assert [a["id"] for a in orchestrator.get("/agents").json()] == ["cost-agent"]


def test_an_agent_that_is_away_makes_the_result_partial(orchestrator, agent):
    for kind in ("cost", "performance"):
        register(orchestrator, kind, agent.server_port)
    register(orchestrator, "resource", 9)
    answer = orchestrator.post("/api/v1/requests", json={"question": "?"}, headers={"x-request-id": "abc"}).json()
    assert answer["status"] == "partial"
    states = {result["agent"]: result["status"] for result in answer["results"]}
    assert states == {
        "cost-agent": "answered",
        "performance-agent": "answered",
        "resource-agent": "failed",
        "application-agent": "failed",
    }
    assert [r["reason"] for r in answer["results"] if r["agent"] == "application-agent"] == ["not registered"]
    assert agent.seen == ["abc", "abc"]
    assert orchestrator.stored[0].id == answer["id"]


def test_only_those_that_are_asked_for(orchestrator, agent):
    register(orchestrator, "cost", agent.server_port)
    answer = orchestrator.post("/api/v1/requests", json={"question": "?", "agents": ["cost"]}).json()
    assert (answer["status"], len(answer["results"])) == ("complete", 1)


def test_nobody_there_is_failed(orchestrator):
    answer = orchestrator.post("/api/v1/requests", json={"question": "?"}).json()
    assert (answer["status"], len(answer["results"])) == ("failed", 4)


@pytest.mark.parametrize("body", [{}, {"question": ""}, {"question": "?", "agents": ["weather"]}, []])
def test_a_request_that_is_none_is_422(orchestrator, body):
    assert orchestrator.post("/api/v1/requests", json=body).status_code == 422


@pytest.mark.parametrize("change", [{"name": "A b"}, {"port": 0}, {"host": "a/b"}, {"type": "X"}])
def test_a_registration_that_is_none_is_refused(change):
    with pytest.raises(ValidationError):
        Registration(**{"name": "cost-agent", "type": "cost", "host": "cost-agent", "port": 8001, **change})


def test_an_agent_that_starts_again_takes_its_own_place():
    memory = Memory()
    registry = Registry(memory)
    for port in (8001, 8002):
        registry.register(Registration(name="cost-agent", type="cost", host="cost-agent", port=port))
    assert [json.loads(value)["port"] for value in memory.values.values()] == [8002]
