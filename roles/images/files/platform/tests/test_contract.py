"""One contract between orchestrator and agents: both sides show it, and each accepts what the other sends."""

import pytest
from fastapi.testclient import TestClient
from optiinfra_services import contract
from optiinfra_services.agent import api as agent
from optiinfra_services.agent.presence import Presence
from optiinfra_services.agent.rules import Recommendation
from optiinfra_services.orchestrator import api as orchestrator
from optiinfra_services.schema import Keeper
from optiinfra_services.settings import load

VALUES = {
    "AGENT_TYPE": "cost",
    "DATABASE_URL": "postgresql://user:word@127.0.0.1:9/db",
    "REDIS_URL": "redis://:word@127.0.0.1:9/2",
    "CLICKHOUSE_HOST": "127.0.0.1",
    "CLICKHOUSE_PORT": "9",
    "CLICKHOUSE_PASSWORD": "word",
    "QDRANT_URL": "http://127.0.0.1:9",
    "DEFAULT_CUSTOMER_ID": "00000000-0000-0000-0000-000000000001",
}


@pytest.fixture
def both(monkeypatch):
    for name, value in VALUES.items():
        monkeypatch.setenv(name, value)
    one, other = load(agent.Settings), load(orchestrator.Settings)
    presence = Presence(
        "http://127.0.0.1:9", {"name": "cost-agent", "type": "cost", "host": "cost-agent", "port": 8001}
    )
    return agent.build(one, presence, Keeper(one)), orchestrator.build(other, Keeper(other))


def _without_titles(schema):
    if isinstance(schema, dict):
        return {k: _without_titles(v) for k, v in schema.items() if k != "title" or not isinstance(v, str)}
    return [_without_titles(item) for item in schema] if isinstance(schema, list) else schema


@pytest.mark.parametrize("model", ["Task", "Done", "Recommended", "Past", "Summary"])
def test_both_sides_show_the_same_schema(both, model):
    ours, theirs = (TestClient(app).get("/openapi.json").json()["components"]["schemas"][model] for app in both)
    assert _without_titles(ours) == _without_titles(theirs)


def test_what_an_agent_answers_is_what_the_contract_says(both, monkeypatch):
    found = Recommendation("idle-gpu", "gpu1", "gpu 0", "warning", "gpu 0 of gpu1 is idle", {"mean": 4.0})
    monkeypatch.setattr(agent, "_look", lambda _settings: (7, [found]))
    monkeypatch.setattr(agent.store, "keep", lambda *_args: None)
    task = contract.Task(id="1", question="?")
    answer = TestClient(both[0]).post("/task", json=task.model_dump())
    done = contract.Done.model_validate(answer.json())
    assert (done.id, done.agent, done.series) == ("1", "cost-agent", 7)
    assert done.recommendations[0].summary == found.summary
    # Qdrant is away here, and so is a language model: both are said, nothing is lost.
    assert done.memory.startswith("qdrant: ")
    assert done.summary.reason == "GROQ_API_KEY is not set"


def test_what_an_agent_registers_with_is_accepted():
    for kind in contract.TYPES:
        said = {"name": f"{kind}-agent", "type": kind, "host": f"{kind}-agent", "port": agent.PORTS[kind]}
        assert contract.Registration(**said).type == kind
