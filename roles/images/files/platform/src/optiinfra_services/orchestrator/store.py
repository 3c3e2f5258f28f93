"""Requests in PostgreSQL, with what came of them."""

import json
import uuid
from typing import Any

import psycopg
from psycopg.rows import dict_row

from ..contract import Answer

INSERT = "INSERT INTO orchestrator_requests (id, question, status, results) VALUES (%s, %s, %s, %s)"
READ = "SELECT id, question, status, results, created_at FROM orchestrator_requests WHERE id = %s"
NEWEST = """
SELECT id, question, status, '[]'::jsonb AS results, created_at FROM orchestrator_requests
ORDER BY created_at DESC LIMIT %s
"""
RECOMMENDATIONS = """
SELECT agent, rule, target, subject, severity, summary, evidence, seen_at FROM recommendations
ORDER BY seen_at DESC, id DESC LIMIT %s
"""


def _connect(conninfo: dict[str, Any]) -> psycopg.Connection:
    return psycopg.connect(**conninfo, connect_timeout=3, row_factory=dict_row)


def _answer(row: dict[str, Any]) -> Answer:
    return Answer(**{**row, "id": str(row["id"]), "created_at": row["created_at"].isoformat()})


def keep(conninfo: dict[str, Any], answer: Answer) -> None:
    """Write an answer; what is stored is what was asked for and what was said."""
    results = json.dumps([result.model_dump(exclude_none=True) for result in answer.results])
    with _connect(conninfo) as connection:
        connection.execute(INSERT, (answer.id, answer.question, answer.status, results))


def read(conninfo: dict[str, Any], identity: uuid.UUID) -> Answer | None:
    """Return a request, None when there is none of this id."""
    with _connect(conninfo) as connection:
        row = connection.execute(READ, (identity,)).fetchone()
    return _answer(row) if row else None


def newest(conninfo: dict[str, Any], limit: int) -> list[Answer]:
    """Return the newest requests without their results."""
    with _connect(conninfo) as connection:
        return [_answer(row) for row in connection.execute(NEWEST, (limit,)).fetchall()]


def recommendations(conninfo: dict[str, Any], limit: int) -> list[dict[str, Any]]:
    """Return the newest recommendations of all agents."""
    with _connect(conninfo) as connection:
        rows = connection.execute(RECOMMENDATIONS, (limit,)).fetchall()
    return [{**row, "seen_at": row["seen_at"].isoformat()} for row in rows]
