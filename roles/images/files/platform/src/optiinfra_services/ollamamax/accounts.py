"""/auth of OllamaMax' gateway and fallback: register, login, refresh, logout, who one is, API keys."""

import logging
from typing import Any

import jwt
import psycopg
from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse
from redis import RedisError

from ..web import unavailable
from .auth import Credentials, Key, KeyOnce, Keys, NewKey, Refresh, Token, Tokens, Users, requires

log = logging.getLogger(__name__)


def authenticate(app: FastAPI, users: Users, tokens: Tokens) -> None:
    """Add them to an application."""
    keys = Keys(tokens.redis)
    session = requires(tokens, session=True)

    @app.exception_handler(psycopg.Error)
    def without_postgres(_request: Request, error: psycopg.Error) -> JSONResponse:
        return unavailable("postgres", error)

    @app.exception_handler(RedisError)
    def without_redis(_request: Request, error: RedisError) -> JSONResponse:
        return unavailable("redis", error)

    @app.post("/auth/register", status_code=201, tags=["auth"])
    def register(given: Credentials) -> Token:
        users.prepare()
        if not users.add(given):
            raise HTTPException(409, f"the name {given.username} is taken")
        return tokens.issue(given.username)

    @app.post("/auth/login", tags=["auth"])
    def login(given: Credentials) -> Token:
        if not users.known(given):
            raise HTTPException(401, "name or password is wrong")
        return tokens.issue(given.username)

    @app.post("/auth/refresh", tags=["auth"])
    def refresh(given: Refresh) -> Token:
        try:
            return tokens.renew(given.refresh_token)
        except jwt.InvalidTokenError:
            raise HTTPException(401, "log in again") from None

    @app.post("/auth/logout", status_code=204, tags=["auth"])
    def logout(caller: tuple = session) -> None:
        tokens.end(caller[1])

    @app.get("/auth/me", tags=["auth"])
    def me(caller: tuple = requires(tokens)) -> dict[str, Any]:
        return {"username": caller[1]["sub"], "expires_at": caller[1]["exp"]}

    @app.post("/auth/keys", status_code=201, tags=["auth"])
    def make_key(given: NewKey, caller: tuple = session) -> KeyOnce:
        return keys.make(caller[1]["sub"], given)

    @app.get("/auth/keys", tags=["auth"])
    def list_keys(caller: tuple = session) -> list[Key]:
        return keys.of(caller[1]["sub"])

    @app.delete("/auth/keys/{identity}", status_code=204, tags=["auth"])
    def end_key(identity: str, caller: tuple = session) -> None:
        if not keys.end(caller[1]["sub"], identity):
            raise HTTPException(404, "no such key of yours")
