"""ClickHouse by its native protocol. All SQL of ours runs on 18.16 (Debian 12) and on current releases."""

import re
from typing import Any

from clickhouse_driver import Client
from clickhouse_driver.errors import Error, ErrorCodes, ServerException

from .settings import ClickHouseSettings

UNKNOWN_TABLE = ErrorCodes.UNKNOWN_TABLE

# At least once: a task that is done again has the same id and replaces itself.
HEARTBEATS = """
CREATE TABLE IF NOT EXISTS collector_heartbeats (
    sent_at DateTime,
    task_id String,
    source String,
    worker String,
    executed_at DateTime
) ENGINE = ReplacingMergeTree(executed_at) PARTITION BY toYYYYMM(sent_at) ORDER BY task_id
"""


class ClickHouseError(Exception):
    """Short, and without the stack trace that the server sends along."""


class _Client(Client):
    def execute(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().execute(*args, **kwargs)
        except ServerException as error:
            if error.code == UNKNOWN_TABLE:
                raise
            raise ClickHouseError(_short(error)) from None
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
    try:
        connection.execute(statement, [row])
    except ServerException as error:
        if error.code != UNKNOWN_TABLE:
            raise
        connection.execute(HEARTBEATS)
        connection.execute(statement, [row])


def count_heartbeats(connection: Client) -> int:
    try:
        return int(connection.execute("SELECT uniqExact(task_id) FROM collector_heartbeats")[0][0])
    except ServerException as error:
        if error.code != UNKNOWN_TABLE:
            raise
        return 0
