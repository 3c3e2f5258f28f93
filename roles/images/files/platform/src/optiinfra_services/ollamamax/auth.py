"""Users in PostgreSQL, tokens that every listener can check by itself, and those that were ended, in Redis."""

import hashlib
import hmac
import os
import time
import uuid
from typing import Annotated, Any

import jwt
import psycopg
from fastapi import Depends, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, Field
from redis import Redis

ENDED = "ollamamax:ended:"
ALGORITHM = "HS256"
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
    token_type: str = "bearer"  # noqa: S105
    expires_in: int


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
    """Issues, checks and ends tokens."""

    def __init__(self, secret: str, seconds: float, redis: Redis) -> None:
        self._secret, self._seconds, self._redis = secret, int(seconds), redis

    def issue(self, name: str) -> Token:
        now = int(time.time())
        claims = {"sub": name, "jti": uuid.uuid4().hex, "iat": now, "exp": now + self._seconds}
        return Token(access_token=jwt.encode(claims, self._secret, ALGORITHM), expires_in=self._seconds)

    def read(self, token: str) -> dict[str, Any]:
        """Return the claims of a token.

        :raises jwt.InvalidTokenError: when it is forged, too old or was ended
        """
        claims = jwt.decode(token, self._secret, [ALGORITHM], options={"require": ["exp", "sub", "jti"]})
        if self._redis.exists(ENDED + claims["jti"]):
            raise jwt.InvalidTokenError("the session was ended")
        return claims

    def end(self, claims: dict[str, Any]) -> None:
        self._redis.set(ENDED + claims["jti"], "1", ex=max(1, claims["exp"] - int(time.time())))


def requires(tokens: Tokens):
    """Return the dependency that gives (token, claims) of the caller, or answers 401."""

    def caller(
        given: Annotated[HTTPAuthorizationCredentials | None, Depends(HTTPBearer(auto_error=False))],
    ) -> tuple[str, dict[str, Any]]:
        try:
            return given.credentials, tokens.read(given.credentials)
        except (jwt.InvalidTokenError, AttributeError):
            raise HTTPException(401, "log in first", {"www-authenticate": "Bearer"}) from None

    return Depends(caller)
