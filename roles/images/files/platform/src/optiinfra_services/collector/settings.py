"""What API, beat and worker of the collector read."""

from typing import Self
from uuid import UUID

from pydantic import Field, SecretStr, model_validator

from ..settings import (
    ClickHouseSettings,
    CommonSettings,
    Port,
    PostgresSettings,
    RedisSettings,
    Seconds,
    check_redis_url,
)


class CollectorSettings(CommonSettings, PostgresSettings, ClickHouseSettings, RedisSettings):
    """All three roles are one image with one set of variables."""

    broker_url: SecretStr = Field(validation_alias="CELERY_BROKER_URL")
    customer: UUID = Field(validation_alias="DEFAULT_CUSTOMER_ID")
    port: Port = Field(8005, validation_alias="COLLECTOR_PORT")
    interval: Seconds = Field(15, validation_alias="COLLECTOR_INTERVAL")
    concurrency: int = Field(2, ge=1, le=64, validation_alias="COLLECTOR_CONCURRENCY")

    @model_validator(mode="after")
    def _broker(self) -> Self:
        check_redis_url("CELERY_BROKER_URL", self.broker_url)
        return self
