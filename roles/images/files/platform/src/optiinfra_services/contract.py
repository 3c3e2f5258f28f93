"""What orchestrator and agents say to each other: one contract, used by both sides and shown by both OpenAPI pages."""

from typing import Any, Literal

from pydantic import BaseModel, Field

AgentType = Literal["cost", "performance", "resource", "application"]
TYPES: tuple[AgentType, ...] = ("cost", "performance", "resource", "application")


class Registration(BaseModel):
    """What an agent says of itself."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")
    # Customers may bring agents of other types; a request asks for those it names.
    type: str = Field(pattern=r"^[a-z][a-z0-9_-]{0,30}$")
    host: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9.-]{0,252}$")
    port: int = Field(ge=1, le=65535)


class Known(Registration):
    """An agent that is alive; times in seconds since 1970."""

    id: str
    registered_at: int
    seen_at: int


class Task(BaseModel):
    """What the orchestrator hands over."""

    id: str = Field(max_length=64)
    question: str = Field(max_length=2000)


class Past(BaseModel):
    """An earlier recommendation that is like one of now."""

    summary: str
    target: str
    seen_at: str
    score: float


class Recommended(BaseModel):
    """What a rule recommends, with the window and the values that it saw."""

    rule: str
    target: str
    subject: str
    severity: Literal["info", "warning", "error"]
    summary: str
    evidence: dict[str, Any]
    similar: list[Past] = []


class Summary(BaseModel):
    """What a language model makes of the recommendations; ``reason`` says why there is none."""

    text: str | None = None
    model: str | None = None
    reason: str | None = None


class Done(BaseModel):
    """An agent's answer to a task; ``memory`` says why nothing similar was looked up."""

    id: str
    agent: str
    series: int
    recommendations: list[Recommended]
    summary: Summary = Summary()
    memory: str | None = None


class Result(BaseModel):
    """What came of asking one agent. ``result`` is as the agent said it: a customer's own may say more."""

    agent: str
    status: Literal["answered", "failed"]
    result: dict[str, Any] | None = None
    reason: str | None = None


class ServiceState(BaseModel):
    """Whether a service of the platform is up."""

    service: str
    state: Literal["up", "down"]


class Question(BaseModel):
    """A request of the customer's."""

    question: str = Field(min_length=1, max_length=2000)
    agents: list[AgentType] | None = Field(None, description="types of agents to ask; all four by default")


class Answer(BaseModel):
    """A request with what came of it."""

    id: str
    question: str
    status: Literal["complete", "partial", "failed"]
    results: list[Result]
    created_at: str | None = None
