"""Users in PostgreSQL; tokens that every listener checks by the secret they share; API keys and what ended in Redis."""

import hashlib
import hmac
import json
import logging
import os
import secrets
import time
import uuid
from typing import Annotated, Any

import jwt
import psycopg
from fastapi import Depends, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, Field
from redis import Redis, RedisError

log = logging.getLogger(__name__)
ENDED, USED = "ollamamax:ended:", "ollamamax:used:"
KEY, KEYS = "ollamamax:key:", "ollamamax:keys:"
# What an API key begins with, so that it is told from a token, and found by those who look for leaked ones.
MARK = "om-"
ALGORITHM = "HS256"
REFRESH_SECONDS = 7 * 86400
DAY = 86400
# Parameters of scrypt: 16 MiB and some 50 ms for each guess.
COST = {"n": 16384, "r": 8, "p": 1}
TABLE = """
SELECT pg_advisory_xact_lock(7218003);
CREATE TABLE IF NOT EXISTS users (
    name text PRIMARY KEY, salt bytea NOT NULL, hash bytea NOT NULL, created_at timestamptz NOT NULL DEFAULT now()
)
"""


class Credentials(BaseModel):
    username: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,62}$")
    password: str = Field(min_length=8, max_length=200)


class Token(BaseModel):
    access_token: str
    refresh_token: str | None = None
    token_type: str = "bearer"  # noqa: S105
    expires_in: int


class Refresh(BaseModel):
    refresh_token: str


class NewKey(BaseModel):
    name: str = Field(min_length=1, max_length=80)
    days: int = Field(90, ge=1, le=3650)


class Key(BaseModel):
    id: str
    name: str
    expires_at: int


class KeyOnce(Key):
    """A key as it is told once, to whom it was made for."""

    key: str


class Users:
    """Users by name; passwords only as salted scrypt hashes."""

    def __init__(self, conninfo: str) -> None:
        self._conninfo = conninfo

    def _connect(self) -> psycopg.Connection:
        return psycopg.connect(self._conninfo, connect_timeout=3)

    def prepare(self) -> None:
        with self._connect() as connection:
            connection.execute(TABLE)

    def add(self, given: Credentials) -> bool:
        """Keep a user; False when the name is taken."""
        salt = os.urandom(16)
        with self._connect() as connection:
            return bool(
                connection.execute(
                    "INSERT INTO users (name, salt, hash) VALUES (%s, %s, %s) ON CONFLICT (name) DO NOTHING",
                    (given.username, salt, _hash(given.password, salt)),
                ).rowcount
            )

    def known(self, given: Credentials) -> bool:
        with self._connect() as connection:
            row = connection.execute("SELECT salt, hash FROM users WHERE name = %s", (given.username,)).fetchone()
        # As long for a name that is not there.
        salt, kept = row or (b"\0" * 16, b"")
        return hmac.compare_digest(_hash(given.password, bytes(salt)), bytes(kept))


def _hash(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, **COST)


class Tokens:
    """Issues, checks, renews and ends tokens.

    The tokens of one login have its session's id; an image of somebody else's may issue tokens without.
    """

    def __init__(self, secret: str, seconds: float, redis: Redis, refresh_secret: str | None = None) -> None:
        self.redis, self._secret, self._seconds, self._refresh = redis, secret, int(seconds), refresh_secret

    def issue(self, name: str, session: str | None = None) -> Token:
        claims = {"sub": name, "sid": session or uuid.uuid4().hex}
        refresh = self._refresh and self._sign(claims, self._refresh, REFRESH_SECONDS)
        access = self._sign(claims, self._secret, self._seconds)
        return Token(access_token=access, refresh_token=refresh, expires_in=self._seconds)

    @staticmethod
    def _sign(claims: dict[str, Any], secret: str, seconds: int) -> str:
        now = int(time.time())
        return jwt.encode({**claims, "jti": uuid.uuid4().hex, "iat": now, "exp": now + seconds}, secret, ALGORITHM)

    def read(self, token: str) -> dict[str, Any]:
        """Return the claims of a token, or of an API key.

        :raises jwt.InvalidTokenError: when it is forged, too old or was ended
        :raises RedisError: when nobody knows whether it was ended
        """
        if token.startswith(MARK):
            return Keys(self.redis).read(token)
        return self._decode(token, self._secret)

    def _decode(self, token: str, secret: str) -> dict[str, Any]:
        claims = jwt.decode(token, secret, [ALGORITHM], options={"require": ["exp", "sub", "jti"]})
        if self.redis.exists(ENDED + _session(claims)):
            raise jwt.InvalidTokenError("the session was ended")
        return claims

    def renew(self, token: str) -> Token:
        """Return new tokens for a refresh token, which is good once: who brings it again may have stolen it.

        :raises jwt.InvalidTokenError: when it is none
        """
        if not self._refresh:
            raise jwt.InvalidTokenError("there are no refresh tokens")
        claims = self._decode(token, self._refresh)
        if not self.redis.set(USED + claims["jti"], "1", ex=_left(claims), nx=True):
            self.end(claims)
            raise jwt.InvalidTokenError("it was used before")
        return self.issue(claims["sub"], claims.get("sid"))

    def end(self, claims: dict[str, Any]) -> None:
        """End the session: all of its tokens."""
        self.redis.set(ENDED + _session(claims), "1", ex=max(_left(claims), REFRESH_SECONDS))


def _session(claims: dict[str, Any]) -> str:
    return claims.get("sid") or claims["jti"]


def _left(claims: dict[str, Any]) -> int:
    return max(1, claims["exp"] - int(time.time()))


class Keys:
    """API keys: random, good on every listener as a token is, kept in Redis as digests until they expire."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def make(self, owner: str, given: NewKey) -> KeyOnce:
        key = MARK + secrets.token_urlsafe(32)
        made = Key(id=uuid.uuid4().hex[:12], name=given.name, expires_at=int(time.time()) + given.days * DAY)
        kept = {**made.model_dump(), "owner": owner, "digest": _digest(key)}
        with self._redis.pipeline() as together:
            together.set(KEY + kept["digest"], json.dumps(kept), exat=made.expires_at)
            together.hset(KEYS + owner, made.id, json.dumps(kept))
            together.execute()
        return KeyOnce(**made.model_dump(), key=key)

    def read(self, key: str) -> dict[str, Any]:
        kept = self._redis.get(KEY + _digest(key))
        if kept is None:
            raise jwt.InvalidTokenError("no such key")
        kept = json.loads(kept)
        return {"sub": kept["owner"], "exp": kept["expires_at"], "key": kept["id"]}

    def of(self, owner: str) -> list[Key]:
        found = [json.loads(kept) for kept in self._redis.hvals(KEYS + owner)]
        return sorted((Key(**one) for one in found if one["expires_at"] > time.time()), key=lambda one: one.expires_at)

    def end(self, owner: str, identity: str) -> bool:
        """End one; False when the owner has none of that id."""
        kept = self._redis.hget(KEYS + owner, identity)
        if kept is None:
            return False
        with self._redis.pipeline() as together:
            together.delete(KEY + json.loads(kept)["digest"])
            together.hdel(KEYS + owner, identity)
            together.execute()
        return True


def _digest(key: str) -> str:
    # Keys are random: nothing to guess that a slow hash would have to guard.
    return hashlib.sha256(key.encode()).hexdigest()


def requires(tokens: Tokens, *, session: bool = False):
    """Return the dependency that gives (token, claims) of the caller, or answers 401.

    :arg session: whether an API key is not enough
    """

    def caller(
        given: Annotated[HTTPAuthorizationCredentials | None, Depends(HTTPBearer(auto_error=False))],
    ) -> tuple[str, dict[str, Any]]:
        try:
            claims = tokens.read(given.credentials)
        except (jwt.InvalidTokenError, AttributeError):
            raise HTTPException(401, "log in first", {"www-authenticate": "Bearer"}) from None
        except RedisError as error:
            log.warning("no session can be checked: %s", error)
            raise HTTPException(503, "redis is unavailable") from None
        if session and "key" in claims:
            raise HTTPException(403, "an API key is not enough; log in")
        return given.credentials, claims

    return Depends(caller)
