"""The tables of PostgreSQL (Alembic) and ClickHouse, brought up to date by whichever service starts first."""

import logging
import threading
from collections.abc import Callable
from typing import Any

import psycopg
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from clickhouse_driver import Client
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.pool import NullPool

from .. import clickhouse
from ..health import Check, reason
from ..settings import ClickHouseSettings, PostgresSettings

log = logging.getLogger(__name__)
# Services that begin at once do not migrate twice; the lock is given back with the connection.
LOCK = 7218001

# Each statement may run again, and runs on 18.16 (Debian 12) and on current releases. Both tables replace rows with
# equal keys, so what is written at least once counts once.
CLICKHOUSE = (
    """
    CREATE TABLE IF NOT EXISTS metrics (
        day Date, at DateTime, customer String, target String, kind String, metric String, labels String, value Float64
    ) ENGINE = ReplacingMergeTree PARTITION BY day ORDER BY (customer, target, metric, labels, at)
    """,
    """
    CREATE TABLE IF NOT EXISTS collector_heartbeats (
        sent_at DateTime, task_id String, source String, worker String, executed_at DateTime
    ) ENGINE = ReplacingMergeTree(executed_at) PARTITION BY toYYYYMM(sent_at) ORDER BY task_id
    """,
)


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", "optiinfra_services:schema")
    return config


def heads() -> tuple[str, ...]:
    """Return the newest revision, in a tuple as Alembic knows them."""
    return tuple(ScriptDirectory.from_config(_config()).get_heads())


def upgrade_postgres(settings: PostgresSettings) -> tuple[str, ...]:
    """Bring PostgreSQL's tables up to date and return the revision that they were at before."""
    engine = create_engine(
        "postgresql+psycopg://",
        creator=lambda: psycopg.connect(**settings.postgres_conninfo, connect_timeout=5),
        poolclass=NullPool,
    )
    with engine.connect() as connection:
        before = _current(connection)
        if before != heads():
            connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": LOCK})
            connection.commit()
            config = _config()
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    return before


def _current(connection: Connection) -> tuple[str, ...]:
    with connection.begin():
        return tuple(MigrationContext.configure(connection).get_current_heads())


def upgrade_clickhouse(connection: Client) -> None:
    """Make the tables that ClickHouse does not have."""
    for statement in CLICKHOUSE:
        connection.execute(statement)


def upgrade(settings: Any) -> None:
    """Bring up to date what the settings have: PostgreSQL, ClickHouse or both."""
    if isinstance(settings, PostgresSettings):
        before = upgrade_postgres(settings)
        if before != heads():
            log.info("postgres: from revision %s to %s", *(" ".join(r) or "none" for r in (before, heads())))
    if isinstance(settings, ClickHouseSettings):
        with clickhouse.client(settings) as connection:
            upgrade_clickhouse(connection)


class Keeper:
    """Upgrades at the start of a service, and again until the databases are there; a check of its health meanwhile."""

    def __init__(self, settings: Any, upgrade: Callable[[Any], None] = upgrade) -> None:
        self._settings = settings
        self._upgrade = upgrade
        self.problem: str | None = "not brought up to date yet"

    def start(self, every: float = 2) -> "Keeper":
        threading.Thread(target=self._run, args=(every,), name="schema", daemon=True).start()
        return self

    def _run(self, every: float) -> None:
        pause = threading.Event()
        while self.problem:
            try:
                self._upgrade(self._settings)
                self.problem = None
            except Exception as error:
                if self.problem != reason(error):
                    self.problem = reason(error)
                    log.warning("schema: %s", self.problem)
                pause.wait(every)

    def check(self) -> Check:
        """Return a check that fails while the tables are not up to date."""

        def probe() -> None:
            if self.problem:
                raise RuntimeError(self.problem)

        return Check("schema", probe)
