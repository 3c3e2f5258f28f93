"""Agents that are alive, in Redis: an agent that falls silent expires by itself."""

import json
import time

from pydantic import BaseModel, Field
from redis import Redis

PREFIX = "optiinfra:agents:"
SILENCE = 45


class Registration(BaseModel):
    """What an agent says of itself."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")
    type: str = Field(pattern=r"^[a-z][a-z0-9_-]{0,30}$")
    host: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9.-]{0,252}$")
    port: int = Field(ge=1, le=65535)


class Registry:
    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def register(self, agent: Registration) -> str:
        """Keep an agent under its name, so that one that starts again takes its own place."""
        known = {**agent.model_dump(), "registered_at": int(time.time()), "seen_at": int(time.time())}
        self._redis.set(PREFIX + agent.name, json.dumps(known), ex=SILENCE)
        return agent.name

    def heartbeat(self, identity: str) -> bool:
        """Prolong an agent's life; False when it is not known (any more) and has to register again."""
        found = self._redis.get(PREFIX + identity)
        if not found:
            return False
        known = {**json.loads(found), "seen_at": int(time.time())}
        self._redis.set(PREFIX + identity, json.dumps(known), ex=SILENCE)
        return True

    def agents(self) -> list[dict]:
        names = sorted(self._redis.scan_iter(PREFIX + "*"))
        values = self._redis.mget(names) if names else []
        return [{"id": json.loads(v)["name"], **json.loads(v)} for v in values if v]
