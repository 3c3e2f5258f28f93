"""What API, beat and worker of the collector read."""

from typing import Self
from uuid import UUID

from pydantic import Field, SecretStr, model_validator

from ..settings import (
    ClickHouseSettings,
    CommonSettings,
    HttpUrl,
    Port,
    PostgresSettings,
    RedisSettings,
    Seconds,
    check_redis_url,
)
from .targets import Target, read_targets


class CollectorSettings(CommonSettings, PostgresSettings, ClickHouseSettings, RedisSettings):
    """All three roles are one image with one set of variables."""

    broker_url: SecretStr = Field(validation_alias="CELERY_BROKER_URL")
    customer: UUID = Field(validation_alias="DEFAULT_CUSTOMER_ID")
    port: Port = Field(8005, validation_alias="COLLECTOR_PORT")
    interval: Seconds = Field(15, validation_alias="COLLECTOR_INTERVAL")
    targets: str = Field("[]", validation_alias="OPTIINFRA_TARGETS")
    vultr_enabled: bool = Field(False, validation_alias="VULTR_ENABLED")
    vultr_prometheus_url: HttpUrl | None = Field(None, validation_alias="VULTR_PROMETHEUS_URL")
    vultr_dcgm_url: HttpUrl | None = Field(None, validation_alias="VULTR_DCGM_URL")
    scrape_timeout: Seconds = Field(10, validation_alias="COLLECTOR_SCRAPE_TIMEOUT")
    scrape_limit: int = Field(10_000_000, ge=1000, validation_alias="COLLECTOR_SCRAPE_LIMIT_BYTES")
    # Batches of one interval each: 480 are two hours.
    buffer_batches: int = Field(480, ge=1, le=100_000, validation_alias="COLLECTOR_BUFFER_BATCHES")
    retention_days: int = Field(30, ge=1, le=3650, validation_alias="COLLECTOR_RETENTION_DAYS")
    concurrency: int = Field(2, ge=1, le=64, validation_alias="COLLECTOR_CONCURRENCY")

    def target_list(self) -> list[Target]:
        vultr = {"prometheus": self.vultr_prometheus_url, "dcgm": self.vultr_dcgm_url} if self.vultr_enabled else {}
        return read_targets(self.targets, self.customer, vultr)

    @model_validator(mode="after")
    def _broker(self) -> Self:
        check_redis_url("CELERY_BROKER_URL", self.broker_url)
        return self
