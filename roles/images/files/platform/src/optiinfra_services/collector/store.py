"""Samples in ClickHouse, at least once, and what cannot be written yet in a bounded buffer in Redis."""

import datetime
import json
import logging
import zlib
from typing import Any

from clickhouse_driver import Client
from prometheus_client import Counter, Gauge
from redis import Redis

log = logging.getLogger(__name__)
BUFFER = "optiinfra:collector:buffer"
DROPPED = Counter("optiinfra_collector_dropped_samples_total", "Samples dropped because the buffer was full")
WRITTEN = Counter("optiinfra_collector_written_samples_total", "Samples written to ClickHouse")
WAITING = Gauge("optiinfra_collector_waiting_batches", "Batches that wait for ClickHouse")
LAST = Gauge("optiinfra_collector_last_write_timestamp_seconds", "When ClickHouse last took all that was collected")

# The same batch written twice has the same keys and replaces itself, see schema.
INSERT = "INSERT INTO metrics (day, at, customer, target, kind, metric, labels, value) VALUES"
LATEST = """
SELECT target, kind, metric, labels, argMax(value, at), max(at) FROM metrics
WHERE day >= toDate(%(since)s) AND at >= %(since)s AND (%(target)s = '' OR target = %(target)s)
GROUP BY target, kind, metric, labels ORDER BY target, metric, labels LIMIT %(limit)s
"""
PARTITIONS = """
SELECT DISTINCT partition FROM system.parts WHERE database = currentDatabase() AND table = 'metrics' AND active
"""


def now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC).replace(tzinfo=None, microsecond=0)


class Buffer:
    """Batches in the order in which they were scraped; the oldest goes when there are too many."""

    def __init__(self, redis: Redis, limit: int) -> None:
        self._redis = redis
        self._limit = limit

    def put(self, batch: list[list[Any]]) -> None:
        """Keep a batch of rows: [epoch seconds, customer, target, kind, metric, labels, value]."""
        self._redis.rpush(BUFFER, zlib.compress(json.dumps(batch).encode()))
        while self._redis.llen(BUFFER) > self._limit:
            oldest = self._redis.lpop(BUFFER)
            if oldest is None:
                break
            DROPPED.inc(len(json.loads(zlib.decompress(oldest))))
        WAITING.set(self._redis.llen(BUFFER))

    def drain(self, client: Client) -> int:
        """Write what is kept, oldest first, each batch taken away only when ClickHouse has it; return its samples."""
        count = 0
        while True:
            kept = self._redis.lindex(BUFFER, 0)
            if kept is None:
                WAITING.set(0)
                LAST.set_to_current_time()
                return count
            batch = json.loads(zlib.decompress(kept))
            write(client, batch)
            # By value: another worker may have written and removed it meanwhile.
            self._redis.lrem(BUFFER, 1, kept)
            count += len(batch)


def write(client: Client, batch: list[list[Any]]) -> None:
    """Write rows of a buffer's batch."""
    rows = []
    for seconds, *columns in batch:
        at = datetime.datetime.fromtimestamp(seconds, datetime.UTC).replace(tzinfo=None)
        rows.append((at.date(), at, *columns))
    client.execute(INSERT, rows)
    WRITTEN.inc(len(rows))


def latest(client: Client, target: str, limit: int, minutes: int = 10) -> list[dict[str, Any]]:
    """Return the newest value of each series of the last minutes."""
    since = (now() - datetime.timedelta(minutes=minutes)).strftime("%Y-%m-%d %H:%M:%S")
    rows = client.execute(LATEST, {"since": since, "target": target, "limit": limit})
    names = ("target", "kind", "metric", "labels", "value", "at")
    return [{**dict(zip(names, row, strict=True)), "labels": json.loads(row[3])} for row in rows]


def drop_old(client: Client, days: int) -> list[str]:
    """Drop the partitions of days that are over, and return them."""
    oldest = (now().date() - datetime.timedelta(days=days)).isoformat()
    old = [name for (name,) in client.execute(PARTITIONS) if name.strip("'") < oldest]
    for name in old:
        day = datetime.date.fromisoformat(name.strip("'"))
        client.execute(f"ALTER TABLE metrics DROP PARTITION '{day.isoformat()}'")
    return old
