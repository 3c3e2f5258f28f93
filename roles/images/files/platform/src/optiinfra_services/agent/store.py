"""Recommendations in PostgreSQL, one for what is the same in an hour, with the evidence of when it was last seen."""

import json
from typing import Any

import psycopg

from .rules import Recommendation

INSERT = """
INSERT INTO recommendations (agent, customer, target, rule, subject, severity, summary, evidence)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (agent, customer, target, rule, subject, hour) DO UPDATE
SET severity = EXCLUDED.severity, summary = EXCLUDED.summary, evidence = EXCLUDED.evidence, seen_at = now()
"""
SELECT = """
SELECT rule, target, subject, severity, summary, evidence, seen_at FROM recommendations
WHERE agent = %s ORDER BY seen_at DESC, id DESC LIMIT %s
"""
NAMES = ("rule", "target", "subject", "severity", "summary", "evidence", "seen_at")


def keep(conninfo: dict[str, Any], agent: str, customer: str, found: list[Recommendation]) -> None:
    """Write recommendations, all or none."""
    with psycopg.connect(**conninfo, connect_timeout=5) as connection:
        for r in found:
            values = (agent, customer, r.target, r.rule, r.subject, r.severity, r.summary, json.dumps(r.evidence))
            connection.execute(INSERT, values)


def read(conninfo: dict[str, Any], agent: str, limit: int) -> list[dict[str, Any]]:
    """Return an agent's newest recommendations."""
    with psycopg.connect(**conninfo, connect_timeout=5) as connection:
        rows = connection.execute(SELECT, (agent, limit)).fetchall()
    return [{**dict(zip(NAMES, row, strict=True)), "seen_at": row[-1].isoformat()} for row in rows]
