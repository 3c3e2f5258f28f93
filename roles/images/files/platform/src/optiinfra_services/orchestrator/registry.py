"""Agents that are alive, in Redis: an agent that falls silent expires by itself."""

import time

from redis import Redis

from ..contract import Known, Registration

PREFIX = "optiinfra:agent:"
SILENCE = 45


class Registry:
    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def _keep(self, agent: Known) -> None:
        self._redis.set(PREFIX + agent.id, agent.model_dump_json(), ex=SILENCE)

    def register(self, agent: Registration) -> str:
        """Keep an agent under its name, so that one that starts again takes its own place."""
        now = int(time.time())
        self._keep(Known(**agent.model_dump(), id=agent.name, registered_at=now, seen_at=now))
        return agent.name

    def heartbeat(self, identity: str) -> bool:
        """Prolong an agent's life; False when it is not known (any more) and has to register again."""
        found = self._redis.get(PREFIX + identity)
        if not found:
            return False
        self._keep(Known.model_validate_json(found).model_copy(update={"seen_at": int(time.time())}))
        return True

    def agents(self) -> list[Known]:
        """Return the agents that are alive, by name."""
        names = sorted(self._redis.scan_iter(PREFIX + "*"))
        values = self._redis.mget(names) if names else []
        return [Known.model_validate_json(value) for value in values if value]
