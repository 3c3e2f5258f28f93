"""The real Flower. Broker and password come from the environment and never stand on a command line."""

import os
import re
import sys
from typing import Self

from pydantic import Field, SecretStr, model_validator

from .logs import setup
from .settings import CommonSettings, Port, check_redis_url, load


class Settings(CommonSettings):
    broker_url: SecretStr = Field(validation_alias="CELERY_BROKER_URL")
    # Flower without a password shows every task and its arguments to anyone, so it is not optional here.
    basic_auth: SecretStr = Field(validation_alias="FLOWER_BASIC_AUTH")
    port: Port = Field(5555, validation_alias="FLOWER_PORT")

    @model_validator(mode="after")
    def _sound(self) -> Self:
        check_redis_url("CELERY_BROKER_URL", self.broker_url)
        for pair in self.basic_auth.get_secret_value().split(","):
            if not re.fullmatch(r"[^:]+:.+", pair):
                raise ValueError("FLOWER_BASIC_AUTH must be user:password, or several separated by commas")
        return self


def run() -> None:
    settings = load(Settings)
    setup("flower", settings)
    # Flower reads FLOWER_* itself, the password included. It keeps no state here: the root is read-only.
    os.environ["FLOWER_PORT"] = str(settings.port)
    os.environ["FLOWER_ADDRESS"] = settings.bind_host
    os.environ["CELERY_BROKER_URL"] = settings.broker_url.get_secret_value()
    os.chdir("/tmp")  # noqa: S108 - Flower looks for flowerconfig.py in its directory
    program = os.path.join(os.path.dirname(sys.executable), "celery")
    os.execv(program, [program, "flower"])  # noqa: S606 - so that signals reach Flower itself
