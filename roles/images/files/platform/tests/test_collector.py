"""The collector's settings, schedule and API without its stores; with them it runs in the Molecule scenario."""

import time

import pytest
from fastapi.testclient import TestClient
from optiinfra_services.collector import api, beat
from optiinfra_services.collector.settings import CollectorSettings
from optiinfra_services.collector.tasks import COLLECT, HEARTBEAT, RETENTION, make_app
from optiinfra_services.schema import Keeper
from optiinfra_services.settings import SettingsError, load


@pytest.fixture
def environment(monkeypatch):
    values = {
        "POSTGRES_HOST": "127.0.0.1",
        "POSTGRES_PORT": "9",
        "POSTGRES_DB": "db",
        "POSTGRES_USER": "user",
        "POSTGRES_PASSWORD": "word-word",
        "CLICKHOUSE_HOST": "127.0.0.1",
        "CLICKHOUSE_PORT": "9",
        "CLICKHOUSE_PASSWORD": "word-word",
        "REDIS_HOST": "127.0.0.1",
        "REDIS_PORT": "9",
        "REDIS_PASSWORD": "word-word",
        "CELERY_BROKER_URL": "redis://:word-word@127.0.0.1:9/0",
        "DEFAULT_CUSTOMER_ID": "00000000-0000-0000-0000-000000000001",
    }
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def test_what_is_scheduled_is_known_to_the_worker(environment):
    app = make_app(load(CollectorSettings))
    scheduled = {entry["task"] for entry in app.conf.beat_schedule.values()}
    assert scheduled == {HEARTBEAT, COLLECT, RETENTION}
    assert scheduled <= set(app.tasks)
    # A worker that dies over a task does not lose it.
    assert app.conf.task_acks_late
    assert app.conf.task_reject_on_worker_lost


def test_without_its_stores_it_is_unhealthy_and_says_why(environment):
    settings = load(CollectorSettings)
    client = TestClient(api.build(settings, Keeper(settings)))
    answer = client.get("/health")
    assert answer.status_code == 503
    assert set(answer.json()["dependencies"]) == {"postgres", "clickhouse", "redis", "schema"}
    assert client.get("/api/v1/status").status_code == 503
    assert "word-word" not in answer.text


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CELERY_BROKER_URL", "amqp://x"),
        ("DEFAULT_CUSTOMER_ID", "nobody"),
        ("COLLECTOR_CONCURRENCY", "0"),
        ("CLICKHOUSE_PORT", "70000"),
        ("POSTGRES_PASSWORD", ""),
    ],
)
def test_bad_settings_are_named(environment, name, value):
    environment.setenv(name, value)
    with pytest.raises(SettingsError, match=name):
        load(CollectorSettings)


def test_a_scheduler_that_hangs_is_noticed(monkeypatch):
    monkeypatch.setattr(beat.Scheduler, "last", time.monotonic())
    assert beat._late() is None
    monkeypatch.setattr(beat.Scheduler, "last", time.monotonic() - 100)
    assert "has not looked for 100 s" in beat._late()
