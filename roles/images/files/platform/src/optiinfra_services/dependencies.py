"""Probes of what services depend on: each connects, proves that it may work there, and lets go."""

from collections.abc import Callable
from typing import Any

import httpx

from .health import Check
from .settings import ClickHouseSettings, PostgresSettings

TIMEOUT = 2


def postgres(settings: PostgresSettings) -> Check:
    import psycopg

    def probe() -> None:
        with psycopg.connect(**settings.postgres_conninfo, connect_timeout=TIMEOUT, autocommit=True) as connection:
            connection.execute("SELECT 1")

    return Check("postgres", probe)


def clickhouse(settings: ClickHouseSettings) -> Check:
    from .clickhouse import client

    def probe() -> None:
        with client(settings, timeout=TIMEOUT) as connection:
            connection.execute("SELECT 1")

    return Check("clickhouse", probe)


def redis(url: str, name: str = "redis") -> Check:
    from redis import Redis

    def probe() -> None:
        with Redis.from_url(url, socket_connect_timeout=TIMEOUT, socket_timeout=TIMEOUT) as connection:
            connection.ping()

    return Check(name, probe)


def http(name: str, url: str, headers: dict[str, str] | None = None, *, required: bool = True, **options: Any) -> Check:
    """Any answer below 400 is fine."""

    def probe() -> None:
        response = httpx.get(url, headers=headers, timeout=TIMEOUT, follow_redirects=True, **options)
        if response.status_code >= 400:
            raise RuntimeError(f"{url} answers {response.status_code}")

    return Check(name, probe, required=required)


def state(name: str, look: Callable[[], str | None], *, required: bool = True) -> Check:
    """Something the service itself keeps track of: None is fine, a text is the reason why it is not."""

    def probe() -> None:
        problem = look()
        if problem:
            raise RuntimeError(problem)

    return Check(name, probe, required=required)
