"""The Celery worker: does what beat schedules, and answers /health and /metrics beside it."""

import logging

from .. import dependencies, schema
from ..health import Health
from ..logs import setup
from ..settings import load
from ..web import create_app
from .settings import CollectorSettings
from .side import serve_beside
from .tasks import make_app

log = logging.getLogger(__name__)


def run() -> None:
    settings = load(CollectorSettings)
    setup("collector-worker", settings)
    checks = [
        dependencies.redis(settings.broker_url.get_secret_value(), "broker"),
        dependencies.postgres(settings),
        dependencies.clickhouse(settings),
        schema.Keeper(settings).start().check(),
    ]
    serve_beside(create_app("collector-worker", Health("collector-worker", checks)), settings, settings.port)
    app = make_app(settings)
    worker = app.Worker(
        pool="threads",
        concurrency=settings.concurrency,
        loglevel=settings.log_level,
        without_gossip=True,
        without_mingle=True,
    )
    log.info("working with %s threads", settings.concurrency)
    worker.start()
