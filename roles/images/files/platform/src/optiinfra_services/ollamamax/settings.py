"""What OllamaMax' services read, under the names that its own images read."""

import json
import re
from typing import Annotated, Any

from pydantic import AliasChoices, Field, SecretStr, field_validator
from pydantic_settings import NoDecode

from ..settings import CommonSettings, Port, RedisSettings, Seconds, http_url

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
Urls = Annotated[list[str], NoDecode]


class GatewaySettings(CommonSettings, RedisSettings):
    port: Port = Field(13100, validation_alias="PORT")
    web_port: Port | None = Field(None, validation_alias="WEB_PORT")
    # Shared by all listeners and the backend, so that a token of one is a token of all.
    jwt_secret: SecretStr = Field(min_length=32, validation_alias=AliasChoices("JWT_SECRET", "OLLAMA_JWT_SECRET"))
    jwt_refresh_secret: SecretStr | None = Field(None, min_length=32, validation_alias="JWT_REFRESH_SECRET")
    # Seconds, or 90s, 15m, 1h, 7d: OllamaMax' own image takes a bare number for milliseconds.
    jwt_expiry: Seconds = Field(3600, validation_alias="JWT_EXPIRY")
    cors_origins: Urls = Field([], validation_alias="CORS_ORIGINS")
    # Where models are served, tried in this order; those of our own are given the caller's token.
    nodes: Urls = Field(
        ["http://ollama:11434"], validation_alias=AliasChoices("OLLAMA_NODES", "OLLAMA_PRIMARY"), min_length=1
    )
    model: str = Field("llama3.2:1b", validation_alias="OLLAMA_MODEL")
    timeout: Seconds = Field(120, validation_alias="OLLAMA_TIMEOUT")
    database_url: SecretStr | None = Field(None, validation_alias="DATABASE_URL")
    # What the web interface tells browsers: {"api": URL, "chat": [WebSocket URLs in order]}.
    public: Annotated[dict[str, Any], NoDecode] = Field({}, validation_alias="PUBLIC_ENDPOINTS")

    @field_validator("cors_origins", "nodes", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        return [http_url(one.strip()) for one in value.split(",") if one.strip()] if isinstance(value, str) else value

    @field_validator("jwt_expiry", mode="before")
    @classmethod
    def _with_unit(cls, value: Any) -> Any:
        found = re.fullmatch(r"(\d+)([smhd])", value) if isinstance(value, str) else None
        return int(found[1]) * UNITS[found[2]] if found else value

    @field_validator("public", mode="before")
    @classmethod
    def _object(cls, value: Any) -> Any:
        try:
            return json.loads(value) if isinstance(value, str) else value
        except ValueError as error:
            raise ValueError(f"must be JSON: {error}") from None
