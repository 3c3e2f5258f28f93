"""Chat API on 8080: a small REST API in front of vLLM, or of anything that speaks OpenAI's API."""

import json
import logging
import time
from collections.abc import AsyncIterator
from typing import Any, Literal

import httpx2
from fastapi import HTTPException
from fastapi.responses import StreamingResponse
from openai import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    AsyncOpenAI,
    DefaultAsyncHttpxClient,
    OpenAIError,
)
from prometheus_client import Counter, Histogram
from pydantic import BaseModel, Field, SecretStr

from .. import dependencies
from ..health import Health, reason
from ..logs import setup
from ..settings import CommonSettings, HttpUrl, Port, Seconds, load
from ..web import create_app, serve

log = logging.getLogger(__name__)
# Names and labels as most HTTP services have them: the collector's agents read them of any customer's API.
REQUESTS = Counter("http_requests_total", "Requests answered", ["method", "path", "status"])
SECONDS = Histogram(
    "http_request_duration_seconds",
    "Time until the whole answer was sent",
    ["path"],
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
)
FIRST = Histogram("chat_time_to_first_token_seconds", "Time until the first piece of a streamed answer")
TOKENS = Counter("chat_tokens_total", "Tokens that the model read and wrote", ["direction"])


class Settings(CommonSettings):
    port: Port = Field(8080, validation_alias="PORT")
    vllm_url: HttpUrl = Field("http://vllm:8000", validation_alias="VLLM_URL")
    # The client sends one in any case.
    vllm_api_key: SecretStr = Field(SecretStr("none"), validation_alias="VLLM_API_KEY")
    timeout: Seconds = Field(120, validation_alias="CHAT_TIMEOUT")


class Message(BaseModel):
    role: Literal["system", "user", "assistant"]
    content: str = Field(max_length=32_000)


class Question(BaseModel):
    """What is asked; ``history`` is what was said before."""

    message: str = Field(min_length=1, max_length=32_000)
    history: list[Message] = Field([], max_length=100)
    max_tokens: int = Field(256, ge=1, le=4096)
    temperature: float = Field(0.7, ge=0, le=2)
    stream: bool = False


class Reply(BaseModel):
    reply: str
    model: str
    finish_reason: str | None
    usage: dict[str, int]


def _error(error: OpenAIError) -> HTTPException:
    """Say of the model server's failure what the caller can use."""
    if isinstance(error, APITimeoutError):
        return HTTPException(504, "the model server did not answer in time")
    if isinstance(error, APIConnectionError):
        return HTTPException(503, "the model server cannot be reached")
    if isinstance(error, APIStatusError) and error.status_code == 400:
        return HTTPException(400, f"the model server refuses it: {reason(error)}")
    return HTTPException(502, f"the model server failed: {reason(error)}")


class Chat:
    """A model server and the name of the one model that it serves."""

    def __init__(self, settings: Settings) -> None:
        self._client = AsyncOpenAI(
            api_key=settings.vllm_api_key.get_secret_value(),
            base_url=f"{settings.vllm_url}/v1",
            timeout=settings.timeout,
            max_retries=0,
            # A connection for each request: one that was idle may be ended just when the next is sent.
            http_client=DefaultAsyncHttpxClient(limits=httpx2.Limits(max_keepalive_connections=0)),
        )
        self._model = ""

    async def start(self, question: Question) -> Any:
        if not self._model:
            self._model = (await self._client.models.list()).data[0].id
        messages = [message.model_dump() for message in question.history]
        return await self._client.chat.completions.create(
            model=self._model,
            messages=[*messages, {"role": "user", "content": question.message}],
            max_tokens=question.max_tokens,
            temperature=question.temperature,
            stream=question.stream,
            **({"stream_options": {"include_usage": True}} if question.stream else {}),
        )

    async def reply(self, question: Question) -> Reply:
        answer = await self.start(question)
        usage = {"prompt_tokens": answer.usage.prompt_tokens, "completion_tokens": answer.usage.completion_tokens}
        _count(usage)
        choice = answer.choices[0]
        return Reply(
            reply=choice.message.content or "", model=self._model, finish_reason=choice.finish_reason, usage=usage
        )


def _count(usage: dict[str, int]) -> None:
    TOKENS.labels("prompt").inc(usage["prompt_tokens"])
    TOKENS.labels("completion").inc(usage["completion_tokens"])


def _event(value: dict[str, Any]) -> str:
    return f"data: {json.dumps(value, ensure_ascii=False)}\n\n"


async def _pieces(stream: Any, begin: float) -> AsyncIterator[str]:
    """Yield events: {"delta": text} for each piece, then {"done": true, "usage": ...} or {"error": text}."""
    first, status = True, "200"
    try:
        async for chunk in stream:
            if chunk.choices and chunk.choices[0].delta.content:
                if first:
                    FIRST.observe(time.perf_counter() - begin)
                    first = False
                yield _event({"delta": chunk.choices[0].delta.content})
            if chunk.usage:
                usage = {
                    "prompt_tokens": chunk.usage.prompt_tokens,
                    "completion_tokens": chunk.usage.completion_tokens,
                }
                _count(usage)
                yield _event({"done": True, "usage": usage})
    except Exception as error:
        # The status was sent with the first piece; what is left is to say it in the stream.
        status = "502"
        log.warning("a stream broke off: %s", reason(error))
        yield _event({"error": "the model server broke off"})
    finally:
        _done("/chat", status, begin)


def _done(path: str, status: str, begin: float) -> None:
    REQUESTS.labels("POST", path, status).inc()
    SECONDS.labels(path).observe(time.perf_counter() - begin)


def build(settings: Settings):
    app = create_app("chat-api", Health("chat-api", [dependencies.http("vllm", f"{settings.vllm_url}/health")]))
    chat = Chat(settings)

    @app.post("/chat", response_model=Reply, responses={503: {"description": "the model server is away"}})
    async def ask(question: Question) -> Reply | StreamingResponse:
        """Answer a message; with ``stream`` as server-sent events."""
        begin = time.perf_counter()
        try:
            if question.stream:
                pieces = _pieces(await chat.start(question), begin)
                return StreamingResponse(pieces, media_type="text/event-stream", headers={"cache-control": "no-store"})
            reply = await chat.reply(question)
        except OpenAIError as error:
            failed = _error(error)
            _done("/chat", str(failed.status_code), begin)
            raise failed from None
        _done("/chat", "200", begin)
        return reply

    return app


def run() -> None:
    settings = load(Settings)
    setup("chat-api", settings)
    serve(build(settings), settings, settings.port)
