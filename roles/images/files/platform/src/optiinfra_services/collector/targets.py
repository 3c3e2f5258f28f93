"""The customer's endpoints that are scraped, from OPTIINFRA_TARGETS and the VULTR_* variables."""

import json
from typing import Annotated, Literal
from urllib.parse import urlsplit
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from ..settings import SettingsError, http_url

# What an endpoint of each kind serves below its bare address; an address with a path is taken as it is.
PATHS = {
    "vllm": "/metrics",
    "chat": "/metrics",
    "dcgm": "/metrics",
    "prometheus": "/federate?match[]=%7B__name__%21%3D%22%22%7D",
}


class Target(BaseModel):
    """One endpoint in Prometheus' text format."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")
    kind: Literal["vllm", "chat", "prometheus", "dcgm"]
    url: Annotated[str, AfterValidator(http_url)]
    customer: UUID | None = None

    @property
    def address(self) -> str:
        parts = urlsplit(self.url)
        return self.url if parts.path or parts.query else self.url + PATHS[self.kind]


def read_targets(text: str, customer: UUID, vultr: dict[str, str | None]) -> list[Target]:
    """Return the targets, each with a customer.

    :arg text: a JSON list of {name, kind, url, customer?}
    :arg vultr: {kind: base URL or None} of the demo on Vultr
    :raises SettingsError: naming the variable, the item and the key
    """
    try:
        items = json.loads(text)
    except ValueError as error:
        raise SettingsError(f"OPTIINFRA_TARGETS is not JSON: {error}") from None
    if not isinstance(items, list):
        raise SettingsError("OPTIINFRA_TARGETS must be a JSON list of objects with name, kind and url")
    items += [{"name": f"vultr-{kind}", "kind": kind, "url": url} for kind, url in vultr.items() if url]
    found: dict[str, Target] = {}
    for index, item in enumerate(items):
        try:
            target = Target.model_validate(item)
        except ValidationError as error:
            first = error.errors()[0]
            key = "".join(f".{part}" for part in first["loc"])
            message = first["msg"].removeprefix("Value error, ")
            raise SettingsError(f"OPTIINFRA_TARGETS[{index}]{key}: {message}") from None
        if target.name in found:
            raise SettingsError(f"OPTIINFRA_TARGETS[{index}].name: there are two targets named {target.name}")
        found[target.name] = target.model_copy(update={"customer": target.customer or customer})
    return list(found.values())
