"""Past recommendations in Qdrant: kept as vectors of their words, recalled when one of now is like them.

The vector is a hashed bag of words (feature hashing), so no model is needed and equal texts are equal everywhere.
"""

import hashlib
import math
import re
import uuid
from typing import Any

import httpx

from ..contract import Past
from .rules import Recommendation

COLLECTION = "optiinfra_recommendations"
SIZE = 256
LIKE = 0.6
_SPACE = uuid.UUID("5f0f4a0e-3c55-4f3b-9d5e-0d6a0a1f7c11")


def vector(text: str) -> list[float]:
    """Return a text's words as a vector of SIZE numbers and length 1; numbers count as the same word."""
    values = [0.0] * SIZE
    words = re.findall(r"[a-z]+|\d", re.sub(r"\d+([.,]\d+)?", "0", text.lower()))
    for word in words or ["-"]:
        digest = hashlib.blake2b(word.encode(), digest_size=8).digest()
        values[int.from_bytes(digest[:4], "big") % SIZE] += 1.0 if digest[4] & 1 else -1.0
    length = math.sqrt(sum(value * value for value in values))
    return [value / length for value in values] if length else [1.0] + [0.0] * (SIZE - 1)


def _text(found: Recommendation) -> str:
    return f"{found.rule} {found.subject} {found.severity} {found.summary}"


class Memory:
    """The collection of one agent and customer."""

    def __init__(self, http: httpx.Client, agent: str, customer: str) -> None:
        self._whose = {"agent": agent, "customer": customer}
        self._http = http

    def _call(self, method: str, path: str, body: dict[str, Any]) -> Any:
        answer = self._http.request(method, f"/collections/{COLLECTION}{path}", json=body)
        answer.raise_for_status()
        return answer.json()["result"]

    def _ready(self) -> None:
        if self._http.get(f"/collections/{COLLECTION}").status_code == 404:
            try:
                self._call("PUT", "", {"vectors": {"size": SIZE, "distance": "Cosine"}})
            except httpx.HTTPStatusError as error:
                # Another agent was faster.
                if error.response.status_code not in (400, 409):
                    raise

    def recall(self, found: Recommendation, hour: str, limit: int = 3) -> list[Past]:
        """Return what was recommended in earlier hours and is like it, the most similar first."""
        self._ready()
        must = [{"key": key, "match": {"value": value}} for key, value in self._whose.items()]
        body = {
            "query": vector(_text(found)),
            "limit": limit,
            "score_threshold": LIKE,
            "with_payload": True,
            "filter": {"must": must, "must_not": [{"key": "hour", "match": {"value": hour}}]},
        }
        points = self._call("POST", "/points/query", body)["points"]
        return [
            Past(**{key: p["payload"][key] for key in ("summary", "target", "seen_at")}, score=round(p["score"], 3))
            for p in points
        ]

    def remember(self, several: list[Recommendation], hour: str, seen_at: str) -> None:
        """Keep recommendations, one for what is the same in an hour."""
        if not several:
            return
        self._ready()
        points = []
        for found in several:
            same = "/".join([*self._whose.values(), found.target, found.rule, found.subject, hour])
            payload = {
                **self._whose,
                "rule": found.rule,
                "target": found.target,
                "subject": found.subject,
                "summary": found.summary,
                "hour": hour,
                "seen_at": seen_at,
            }
            points.append({"id": str(uuid.uuid5(_SPACE, same)), "vector": vector(_text(found)), "payload": payload})
        self._call("PUT", "/points?wait=true", {"points": points})
