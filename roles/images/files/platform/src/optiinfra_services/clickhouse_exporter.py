"""ClickHouse for Prometheus: what its system tables say, read anew at each scrape.

Names are those of the well-known exporter (f1yegor/clickhouse-exporter), so that its dashboards and alerts work:
clickhouse_<metric>, clickhouse_<event>_total, clickhouse_<asynchronous metric>, clickhouse_table_parts_*.
"""

import logging
import re
import threading
from collections.abc import Iterator

from prometheus_client import REGISTRY, Counter
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from pydantic import Field

from . import dependencies
from .clickhouse import Client, client
from .health import Health, reason
from .logs import setup
from .settings import ClickHouseSettings, CommonSettings, Port, load
from .web import create_app, serve

log = logging.getLogger(__name__)

# Below the scrape timeout of 10 s.
TIMEOUT = 6
FAILURES = Counter("clickhouse_exporter_scrape_failures_total", "Scrapes at which ClickHouse gave no answer")
PARTS = """
SELECT database, table, sum(bytes_on_disk), count(), sum(rows) FROM system.parts WHERE active GROUP BY database, table
"""


class Settings(CommonSettings, ClickHouseSettings):
    port: Port = Field(9116, validation_alias="CLICKHOUSE_EXPORTER_PORT")


def metric_name(name: str) -> str:
    """QueryTimeMicroseconds -> clickhouse_query_time_microseconds, by the rule of the well-known exporter."""
    snake = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<!^)(?=[A-Z][a-z])", "_", name).lower()
    return "clickhouse_" + re.sub(r"[^a-z0-9_]", "_", snake)


class ClickHouse(Collector):
    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        # One scrape at a time: more would only add load to a server in trouble.
        self._lock = threading.Lock()
        self._problem = ""

    def describe(self) -> list[Metric]:
        return []  # Known only once the server has answered.

    def collect(self) -> Iterator[Metric]:
        up = GaugeMetricFamily("clickhouse_exporter_up", "1 if ClickHouse answered this scrape")
        families: list[Metric] = []
        try:
            with self._lock, client(self._settings, timeout=TIMEOUT) as connection:
                families = self._read(connection)
            self._note("")
        except Exception as error:
            FAILURES.inc()
            self._note(reason(error))
        up.add_metric([], 1 if families else 0)
        yield up
        yield from families

    def _note(self, problem: str) -> None:
        if problem != self._problem:
            log.log(logging.WARNING if problem else logging.INFO, "clickhouse: %s", problem or "answers again")
        self._problem = problem

    @staticmethod
    def _read(connection: Client) -> list[Metric]:
        # An event may have the name of a metric, and an asynchronous one that of another: the first keeps it.
        found: dict[str, Metric] = {}
        for name, value in connection.execute("SELECT metric, toInt64(value) FROM system.metrics"):
            family = metric_name(name)
            found.setdefault(family, GaugeMetricFamily(family, f"{name} of system.metrics", value=value))
        for name, value in connection.execute("SELECT event, toUInt64(value) FROM system.events"):
            family = metric_name(name) + "_total"
            found.setdefault(family, CounterMetricFamily(family, f"{name} of system.events", value=value))
        for name, value in connection.execute("SELECT metric, toFloat64(value) FROM system.asynchronous_metrics"):
            family = metric_name(name)
            found.setdefault(family, GaugeMetricFamily(family, f"{name} of system.asynchronous_metrics", value=value))
        labels = ["database", "table"]
        tables = [
            GaugeMetricFamily("clickhouse_table_parts_bytes", "Bytes of active parts on disk", labels=labels),
            GaugeMetricFamily("clickhouse_table_parts_count", "Active parts", labels=labels),
            GaugeMetricFamily("clickhouse_table_parts_rows", "Rows in active parts", labels=labels),
        ]
        for database, table, *values in connection.execute(PARTS):
            for family, value in zip(tables, values, strict=True):
                family.add_metric([database, table], value)
        info = GaugeMetricFamily("clickhouse_version_info", "Always 1; the server's version", labels=["version"])
        info.add_metric([connection.execute("SELECT version()")[0][0]], 1)
        return [info, *found.values(), *(family for family in tables if family.name not in found)]


def run() -> None:
    settings = load(Settings)
    setup("clickhouse-exporter", settings)
    # It logs a traceback at every attempt; we say once what is wrong.
    logging.getLogger("clickhouse_driver").setLevel(logging.CRITICAL)
    REGISTRY.register(ClickHouse(settings))
    health = Health("clickhouse-exporter", [dependencies.clickhouse(settings)])
    serve(create_app("clickhouse-exporter", health), settings, settings.port)
