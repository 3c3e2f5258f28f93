"""The Celery application that beat and worker share, and its tasks."""

import datetime
import socket

from celery import Celery
from prometheus_client import Counter

from .. import clickhouse
from ..settings import load
from .settings import CollectorSettings

HEARTBEAT = "optiinfra.heartbeat"
EXECUTED = Counter("optiinfra_collector_tasks_total", "Tasks done by this worker", ["task", "outcome"])


def make_app(settings: CollectorSettings) -> Celery:
    app = Celery("optiinfra", broker=settings.broker_url.get_secret_value())
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
        # A scheduler that was away does not flood the workers with what is long past.
        beat_schedule={
            "heartbeat": {
                "task": HEARTBEAT,
                "schedule": settings.interval,
                "args": ("beat",),
                "options": {"expires": settings.interval * 4},
            }
        },
    )
    app.task(name=HEARTBEAT, bind=True, autoretry_for=(Exception,), retry_backoff=2, max_retries=5)(heartbeat)
    return app


def heartbeat(self, source: str) -> None:
    """Write one row, which shows that beat, broker, worker and ClickHouse work together."""
    now = datetime.datetime.now(datetime.UTC).replace(tzinfo=None, microsecond=0)
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
