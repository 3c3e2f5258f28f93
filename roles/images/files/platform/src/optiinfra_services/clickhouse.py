"""ClickHouse by its native protocol. All SQL of ours runs on 18.16 (Debian 12) and on current releases."""

import re
from typing import Any

from clickhouse_driver import Client
from clickhouse_driver.errors import Error, ServerException

from .settings import ClickHouseSettings


class ClickHouseError(Exception):
    """Short, and without the stack trace that the server sends along."""


class _Client(Client):
    def execute(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().execute(*args, **kwargs)
        except Error as error:
            raise ClickHouseError(_short(error)) from None


def client(settings: ClickHouseSettings, timeout: float = 5) -> Client:
    return _Client(
        **settings.clickhouse_arguments,
        connect_timeout=timeout,
        send_receive_timeout=timeout,
        sync_request_timeout=timeout,
        client_name="optiinfra",
    )


def _short(error: Error) -> str:
    message = (error.message or str(error)).split("Stack trace:")[0]
    message = re.sub(r"^(DB::\w*Exception: )+", "", " ".join(message.split()))
    code = getattr(error, "code", None)
    return f"{message} (code {code})" if isinstance(error, ServerException) else message


def insert_heartbeat(connection: Client, row: dict[str, Any]) -> None:
    statement = "INSERT INTO collector_heartbeats (sent_at, task_id, source, worker, executed_at) VALUES"
    connection.execute(statement, [row])


def count_heartbeats(connection: Client) -> int:
    return int(connection.execute("SELECT uniqExact(task_id) FROM collector_heartbeats")[0][0])
