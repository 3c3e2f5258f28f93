"""The Celery application that beat and worker share, and its tasks."""

import json
import logging
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from celery import Celery
from celery.schedules import crontab
from prometheus_client import Counter, Histogram
from redis import Redis

from .. import clickhouse, schema
from ..health import reason
from ..settings import load
from . import store
from .scrape import ScrapeError, fetch, parse
from .settings import CollectorSettings
from .targets import Target

log = logging.getLogger(__name__)
HEARTBEAT, COLLECT, RETENTION = "optiinfra.heartbeat", "optiinfra.collect", "optiinfra.retention"
OUTCOMES = "optiinfra:collector:targets"
EXECUTED = Counter("optiinfra_collector_tasks_total", "Tasks done by this worker", ["task", "outcome"])
SCRAPES = Counter("optiinfra_collector_scrapes_total", "Scrapes of targets", ["target", "outcome"])
SECONDS = Histogram("optiinfra_collector_scrape_duration_seconds", "Time to fetch and parse a target", ["target"])
AT_ONCE = 8


def make_app(settings: CollectorSettings) -> Celery:
    app = Celery("optiinfra", broker=settings.broker_url.get_secret_value())
    once = {"expires": settings.interval}
    app.conf.update(
        task_ignore_result=True,
        # At least once: a task is taken off the queue when it is done, so one that a worker died over is done again.
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        worker_prefetch_multiplier=1,
        broker_connection_retry_on_startup=True,
        broker_transport_options={"visibility_timeout": 300},
        worker_hijack_root_logger=False,
        worker_send_task_events=True,
        task_send_sent_event=True,
        beat_max_loop_interval=5,
        # What was not begun within its interval is the next one's to do: a backlog never grows.
        beat_schedule={
            "heartbeat": {"task": HEARTBEAT, "schedule": settings.interval, "args": ("beat",), "options": once},
            "collect": {"task": COLLECT, "schedule": settings.interval, "options": once},
            "retention": {"task": RETENTION, "schedule": crontab(minute=7), "options": {"expires": 3600}},
        },
    )
    app.task(name=HEARTBEAT, bind=True, autoretry_for=(Exception,), retry_backoff=2, max_retries=5)(heartbeat)
    app.task(name=COLLECT)(collect)
    app.task(name=RETENTION)(retention)
    return app


def heartbeat(self, source: str) -> None:
    """Write one row, which shows that beat, broker, worker and ClickHouse work together."""
    now = store.now()
    row = {
        "sent_at": now,
        "task_id": self.request.id or "",
        "source": source,
        "worker": socket.gethostname(),
        "executed_at": now,
    }
    try:
        with clickhouse.client(load(CollectorSettings)) as connection:
            clickhouse.insert_heartbeat(connection, row)
    except Exception:
        EXECUTED.labels(HEARTBEAT, "failed").inc()
        raise
    EXECUTED.labels(HEARTBEAT, "done").inc()


def scrape(target: Target, settings: CollectorSettings, at: int) -> tuple[list[list[Any]], dict[str, Any]]:
    """Return a target's rows and what to say of it: a target that fails costs the others nothing."""
    begin, rows, problem = time.monotonic(), [], ""
    try:
        text = fetch(target.address, settings.scrape_timeout, settings.scrape_limit)
        head = (at, str(target.customer), target.name, target.kind)
        rows = [[*head, sample.metric, sample.labels, sample.value] for sample in parse(text)]
    except ScrapeError as error:
        rows, problem = [], str(error)
    seconds = time.monotonic() - begin
    SCRAPES.labels(target.name, "failed" if problem else "done").inc()
    SECONDS.labels(target.name).observe(seconds)
    return rows, {"at": at, "samples": len(rows), "seconds": round(seconds, 3), "problem": problem}


def collect() -> dict[str, int]:
    """Scrape all targets at once, keep the batch, and write everything that is kept."""
    settings = load(CollectorSettings)
    targets = settings.target_list()
    redis = Redis.from_url(settings.redis_url, socket_timeout=5, socket_connect_timeout=5)
    buffer = store.Buffer(redis, settings.buffer_batches)
    if targets:
        at = int(time.time())
        with ThreadPoolExecutor(min(AT_ONCE, len(targets))) as pool:
            found = list(pool.map(lambda target: scrape(target, settings, at), targets))
        redis.hset(
            OUTCOMES, mapping={t.name: json.dumps(said) for t, (_rows, said) in zip(targets, found, strict=True)}
        )
        batch = [row for rows, _said in found for row in rows]
        if batch:
            # In Redis before it is in ClickHouse: what was scraped is not lost when either this or that goes away.
            buffer.put(batch)
    try:
        with clickhouse.client(settings) as connection:
            # Here as well: a ClickHouse whose data was removed has its tables again with the next collection.
            schema.upgrade_clickhouse(connection)
            written = buffer.drain(connection)
    except Exception as error:
        EXECUTED.labels(COLLECT, "buffered").inc()
        log.warning("clickhouse: %s; samples are kept in the buffer", reason(error))
        return {"written": 0}
    EXECUTED.labels(COLLECT, "done").inc()
    return {"written": written}


def retention() -> list[str]:
    """Drop the days that are older than COLLECTOR_RETENTION_DAYS."""
    settings = load(CollectorSettings)
    with clickhouse.client(settings) as connection:
        dropped = store.drop_old(connection, settings.retention_days)
    if dropped:
        log.info("dropped %s", ", ".join(dropped))
    return dropped
