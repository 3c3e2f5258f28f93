"""Settings from environment variables, under the names that the customers' own images read."""

from typing import Annotated, Any, Literal, Self, TypeVar
from urllib.parse import quote, unquote, urlsplit

from pydantic import AfterValidator, AliasChoices, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

Port = Annotated[int, Field(ge=1, le=65535)]
Seconds = Annotated[float, Field(gt=0, le=86400)]


class SettingsError(Exception):
    """Settings that a service cannot start with; the text names every variable and no value."""


def http_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be a URL such as http://host:8080")
    return value.rstrip("/")


HttpUrl = Annotated[str, AfterValidator(http_url)]


class Settings(BaseSettings):
    """What all settings have in common; each class below is a part that a service takes or leaves."""

    # A variable that is set but empty is a variable that is not set: Compose passes ${VAR:-} that way.
    model_config = SettingsConfigDict(env_ignore_empty=True, extra="ignore", populate_by_name=True)


class CommonSettings(Settings):
    """Read by every service."""

    environment: str = Field("production", validation_alias="ENVIRONMENT")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", validation_alias="LOG_LEVEL")
    # For tests on one machine; an image's services listen on every address of their container.
    bind_host: str = Field("0.0.0.0", validation_alias="BIND_HOST")  # noqa: S104

    @model_validator(mode="before")
    @classmethod
    def _upper_level(cls, data: dict[str, Any]) -> dict[str, Any]:
        if isinstance(data, dict) and isinstance(data.get("LOG_LEVEL"), str):
            data["LOG_LEVEL"] = data["LOG_LEVEL"].upper()
        return data

    def secrets(self) -> list[str]:
        """Every secret in use, for the log to leave out."""
        values = [getattr(self, name) for name in type(self).model_fields]
        return [value.get_secret_value() for value in values if isinstance(value, SecretStr)]


class PostgresSettings(Settings):
    """DATABASE_URL, or else POSTGRES_*."""

    database_url: SecretStr | None = Field(None, validation_alias="DATABASE_URL")
    postgres_host: str = Field("postgres", validation_alias="POSTGRES_HOST")
    postgres_port: Port = Field(5432, validation_alias="POSTGRES_PORT")
    postgres_db: str | None = Field(None, validation_alias="POSTGRES_DB")
    postgres_user: str | None = Field(None, validation_alias="POSTGRES_USER")
    postgres_password: SecretStr | None = Field(None, validation_alias="POSTGRES_PASSWORD")

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.database_url is not None:
            parts = urlsplit(self.database_url.get_secret_value())
            if parts.scheme.split("+")[0] not in ("postgresql", "postgres") or not parts.hostname:
                raise ValueError("DATABASE_URL must be a URL such as postgresql://user:password@host:5432/database")
            return self
        names = ("postgres_db", "postgres_user", "postgres_password")
        missing = [name.upper() for name in names if getattr(self, name) is None]
        if missing:
            raise ValueError("; ".join(f"{name} is required" for name in missing))
        return self

    @property
    def postgres_conninfo(self) -> dict[str, Any]:
        """Arguments of psycopg.connect()."""
        if self.database_url is not None:
            scheme, rest = self.database_url.get_secret_value().split("://", 1)
            return {"conninfo": f"{scheme.split('+')[0]}://{rest}"}
        return {
            "host": self.postgres_host,
            "port": self.postgres_port,
            "dbname": self.postgres_db,
            "user": self.postgres_user,
            "password": self.postgres_password.get_secret_value(),
        }


class ClickHouseSettings(Settings):
    clickhouse_host: str = Field("clickhouse", validation_alias="CLICKHOUSE_HOST")
    clickhouse_port: Port = Field(9000, validation_alias="CLICKHOUSE_PORT")
    clickhouse_http_port: Port = Field(8123, validation_alias="CLICKHOUSE_HTTP_PORT")
    # The collector's own images say DATABASE, the agents' say DB.
    clickhouse_database: str = Field("default", validation_alias=AliasChoices("CLICKHOUSE_DATABASE", "CLICKHOUSE_DB"))
    clickhouse_user: str = Field("default", validation_alias="CLICKHOUSE_USER")
    clickhouse_password: SecretStr = Field(validation_alias="CLICKHOUSE_PASSWORD")

    @property
    def clickhouse_arguments(self) -> dict[str, Any]:
        """Arguments of clickhouse_driver.Client()."""
        return {
            "host": self.clickhouse_host,
            "port": self.clickhouse_port,
            "database": self.clickhouse_database,
            "user": self.clickhouse_user,
            "password": self.clickhouse_password.get_secret_value(),
        }


class RedisSettings(Settings):
    """REDIS_URL, or else REDIS_ADDR (host:port), or else REDIS_HOST and REDIS_PORT."""

    redis_url_given: SecretStr | None = Field(None, validation_alias="REDIS_URL")
    redis_addr: str | None = Field(None, validation_alias="REDIS_ADDR")
    redis_host: str = Field("redis", validation_alias="REDIS_HOST")
    redis_port: Port = Field(6379, validation_alias="REDIS_PORT")
    redis_db: Annotated[int, Field(ge=0)] = Field(0, validation_alias="REDIS_DB")
    redis_password: SecretStr | None = Field(None, validation_alias="REDIS_PASSWORD")

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if self.redis_url_given is not None:
            check_redis_url("REDIS_URL", self.redis_url_given)
        if self.redis_addr is not None:
            host, _colon, port = self.redis_addr.rpartition(":")
            if not host or not port.isdigit() or not 1 <= int(port) <= 65535:
                raise ValueError("REDIS_ADDR must be host:port, such as redis:6379")
        return self

    @property
    def redis_url(self) -> str:
        if self.redis_url_given is not None:
            return self.redis_url_given.get_secret_value()
        address = self.redis_addr or f"{self.redis_host}:{self.redis_port}"
        password = f":{quote(self.redis_password.get_secret_value(), safe='')}@" if self.redis_password else ""
        return f"redis://{password}{address}/{self.redis_db}"


def check_redis_url(variable: str, value: SecretStr) -> None:
    parts = urlsplit(value.get_secret_value())
    if parts.scheme not in ("redis", "rediss") or not parts.hostname:
        raise ValueError(f"{variable} must be a URL such as redis://:password@host:6379/0")


S = TypeVar("S", bound=BaseSettings)


def load(settings_class: type[S]) -> S:
    """Read the environment; every problem in one SettingsError."""
    try:
        return settings_class()
    except ValidationError as error:
        raise SettingsError("; ".join(dict.fromkeys(_describe(item) for item in error.errors()))) from None


def _describe(error: Any) -> str:
    message = str(error["msg"]).removeprefix("Value error, ")
    if not error["loc"]:
        return message  # Ours, from a validator over several variables: names its variable itself.
    name = str(error["loc"][0])
    if error["type"] == "missing":
        return f"{name} is required"
    if error["type"] == "value_error":
        return f"{name} {message}"
    return f"{name}: {message[:1].lower()}{message[1:]}"


def url_secrets(url: str) -> list[str]:
    """The password inside a URL, as written and decoded."""
    password = urlsplit(url).password
    return [password, unquote(password)] if password else []
