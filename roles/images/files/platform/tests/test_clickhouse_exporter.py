"""Names and samples of the ClickHouse exporter, over a fake server."""

import pytest

pytest.importorskip("clickhouse_driver")
from optiinfra_services import clickhouse_exporter as exporter
from prometheus_client import CollectorRegistry, generate_latest


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Query", "clickhouse_query"),
        ("QueryTimeMicroseconds", "clickhouse_query_time_microseconds"),
        ("ZooKeeperInit", "clickhouse_zoo_keeper_init"),
        ("HTTPConnection", "clickhouse_http_connection"),
        ("OSIOWaitMicroseconds", "clickhouse_osio_wait_microseconds"),
        ("jemalloc.active", "clickhouse_jemalloc_active"),
        ("LoadAverage1", "clickhouse_load_average1"),
        ("BlockReadOps_sda-1", "clickhouse_block_read_ops_sda_1"),
    ],
)
def test_names(name, expected):
    assert exporter.metric_name(name) == expected


class Server:
    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    def execute(self, statement):
        if "system.metrics" in statement:
            return [("Query", 3), ("MemoryTracking", 5)]
        if "system.events" in statement:
            return [("Query", 40)]
        if "asynchronous" in statement:
            return [("MemoryTracking", 9.0), ("Uptime", 1.5)]
        if "system.parts" in statement:
            return [("optiinfra", 'a"b', 10, 2, 30)]
        return [("18.16.1",)]


def scrape(monkeypatch, client):
    monkeypatch.setattr(exporter, "client", client)
    registry = CollectorRegistry()
    registry.register(exporter.ClickHouse(exporter.Settings(clickhouse_password="x")))  # noqa: S106
    return generate_latest(registry).decode().splitlines()


def test_scrape(monkeypatch):
    lines = scrape(monkeypatch, lambda *_, **__: Server())
    for line in (
        "clickhouse_exporter_up 1.0",
        "clickhouse_query 3.0",
        "clickhouse_query_total 40.0",
        "clickhouse_memory_tracking 5.0",
        "clickhouse_uptime 1.5",
        r'clickhouse_table_parts_rows{database="optiinfra",table="a\"b"} 30.0',
        'clickhouse_version_info{version="18.16.1"} 1.0',
    ):
        assert line in lines
    assert len([line for line in lines if line.startswith("clickhouse_memory_tracking ")]) == 1


def test_server_down(monkeypatch):
    def down(*_, **__):
        raise OSError("Connection refused")

    samples = [line for line in scrape(monkeypatch, down) if not line.startswith("#")]
    assert samples == ["clickhouse_exporter_up 0.0"]
