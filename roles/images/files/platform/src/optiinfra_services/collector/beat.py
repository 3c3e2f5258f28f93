"""Celery beat: schedules, and answers /health and /metrics beside it."""

import logging
import time

from celery.beat import PersistentScheduler
from prometheus_client import Gauge

from .. import dependencies
from ..health import Health
from ..logs import setup
from ..settings import load
from ..web import create_app
from .settings import CollectorSettings
from .side import serve_beside
from .tasks import make_app

log = logging.getLogger(__name__)
TICK = Gauge("optiinfra_beat_last_tick_timestamp_seconds", "When the scheduler last looked what is due")
# Beat looks every 5 s at the latest.
LIMIT = 30


class Scheduler(PersistentScheduler):
    """Notes that it is alive."""

    last = time.monotonic()

    def tick(self, *args, **kwargs):
        result = super().tick(*args, **kwargs)
        Scheduler.last = time.monotonic()
        TICK.set_to_current_time()
        return result


def _late() -> str | None:
    age = time.monotonic() - Scheduler.last
    return f"the scheduler has not looked for {age:.0f} s" if age > LIMIT else None


def run() -> None:
    settings = load(CollectorSettings)
    setup("collector-beat", settings)
    checks = [
        dependencies.redis(settings.broker_url.get_secret_value(), "broker"),
        dependencies.state("scheduler", _late),
    ]
    serve_beside(create_app("collector-beat", Health("collector-beat", checks)), settings, settings.port)
    app = make_app(settings)
    log.info("scheduling every %g s", settings.interval)
    # /tmp is the one place that can be written; a schedule that is lost begins anew.
    app.Beat(scheduler_cls=Scheduler, schedule="/tmp/celerybeat-schedule", loglevel=settings.log_level).run()  # noqa: S108
