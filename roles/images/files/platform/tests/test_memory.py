"""Past recommendations, kept in and recalled from Qdrant's real engine behind the stand-in's REST interface."""

import math

import httpx
import pytest

pytest.importorskip("qdrant_edge")
from fastapi.testclient import TestClient
from optiinfra_services.agent.memory import Memory, vector
from optiinfra_services.agent.rules import Recommendation
from optiinfra_services.qdrant.api import build
from optiinfra_services.qdrant.store import Store

CUSTOMER = "00000000-0000-0000-0000-000000000001"
IDLE = Recommendation("idle-gpu", "gpu1", "gpu 0", "warning", "gpu 0 of gpu1 is idle (4 % busy): share it", {})
COST = Recommendation("price-per-token", "gpu1", "tokens", "info", "a million tokens of gpu1 cost 10.00 an hour", {})


@pytest.fixture
def qdrant(tmp_path):
    with TestClient(build(Store(str(tmp_path)), "k-1234"), headers={"api-key": "k-1234"}) as client:
        yield client


def test_what_is_alike_is_recalled_in_a_later_hour(qdrant):
    memory = Memory(qdrant, "cost-agent", CUSTOMER)
    memory.remember([IDLE, COST], "2026-11-23T10", "2026-11-23T10:05:00+00:00")
    again = IDLE._replace(summary="gpu 0 of gpu1 is idle (7 % busy): share it")
    (past,) = memory.recall(again, "2026-11-23T11")
    assert (past.summary, past.target, past.seen_at) == (IDLE.summary, "gpu1", "2026-11-23T10:05:00+00:00")
    assert past.score > 0.9
    # Not of the same hour: that is the same recommendation.
    assert memory.recall(again, "2026-11-23T10") == []


def test_what_is_the_same_in_an_hour_is_kept_once(qdrant):
    memory = Memory(qdrant, "cost-agent", CUSTOMER)
    for minute in ("05", "06"):
        memory.remember([IDLE], "2026-11-23T10", f"2026-11-23T10:{minute}:00+00:00")
    assert [past.seen_at[14:16] for past in memory.recall(IDLE, "2026-11-23T11")] == ["06"]


def test_others_do_not_remember_it(qdrant):
    Memory(qdrant, "cost-agent", CUSTOMER).remember([IDLE], "2026-11-23T10", "2026-11-23T10:05:00+00:00")
    for agent, customer in (("resource-agent", CUSTOMER), ("cost-agent", CUSTOMER.replace("1", "2"))):
        assert Memory(qdrant, agent, customer).recall(IDLE, "2026-11-23T11") == []


def test_a_qdrant_that_is_away_is_an_error_to_tell():
    memory = Memory(httpx.Client(base_url="http://127.0.0.1:9"), "cost-agent", CUSTOMER)
    with pytest.raises(httpx.HTTPError):
        memory.recall(IDLE, "2026-11-23T11")


@pytest.mark.parametrize("text", ["", "gpu 0 is idle (4 % busy)", "a" * 10_000, "\U0001f4a5 übergroß 1.5e9"])
def test_a_vector_has_length_one(text):
    assert math.isclose(sum(value * value for value in vector(text)), 1.0)


def test_numbers_do_not_make_a_difference_but_words_do():
    assert vector("idle (4 % busy)") == vector("idle (97.5 % busy)")
    assert vector("idle gpu") != vector("saturated gpu")
