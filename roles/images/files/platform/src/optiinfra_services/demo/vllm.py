"""Stands in for vLLM where there is no GPU: vLLM's API, flags and metric names in front of a real llama.cpp server.

The model is tiny and random (see tiny_model), so what it says has no meaning; that it is computed, queued, streamed and
measured is real.
"""

import argparse
import asyncio
import hmac
import json
import logging
import sys
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
from fastapi import Request, Response
from fastapi.responses import JSONResponse, StreamingResponse
from prometheus_client import Counter, Gauge, Histogram
from pydantic import Field, SecretStr

from .. import llama
from ..health import Check, Health
from ..logs import setup
from ..settings import CommonSettings, load
from ..web import create_app, serve

log = logging.getLogger(__name__)
STAND_IN = "a simulation on the processor: llama.cpp with a tiny random model behind vLLM's API and metric names"
LABELS = ["model_name", "engine"]
TIMES = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
RUNNING = Gauge("vllm:num_requests_running", "Requests in the running batch", LABELS)
WAITING = Gauge("vllm:num_requests_waiting", "Requests that wait for a place in it", LABELS)
CACHE = Gauge("vllm:kv_cache_usage_perc", "Share of the KV cache in use, 1 is full", LABELS)
PROMPT = Counter("vllm:prompt_tokens", "Tokens read", LABELS)
GENERATED = Counter("vllm:generation_tokens", "Tokens written", LABELS)
SUCCESS = Counter("vllm:request_success", "Requests that were finished", [*LABELS, "finished_reason"])
FIRST = Histogram("vllm:time_to_first_token_seconds", "Until the first token", LABELS, buckets=TIMES)
QUEUE = Histogram("vllm:request_queue_time_seconds", "Time waiting", LABELS, buckets=TIMES)
WHOLE = Histogram("vllm:e2e_request_latency_seconds", "Until the last token", LABELS, buckets=TIMES)


class Settings(CommonSettings, llama.LlamaSettings):
    api_key: SecretStr | None = Field(None, validation_alias="VLLM_API_KEY")


def arguments(given: list[str]) -> argparse.Namespace:
    """Read vLLM's flags; those that mean nothing here are accepted, as vLLM's own would be."""
    parser = argparse.ArgumentParser("vllm-simulated")
    parser.add_argument("--model", default="tiny-random")
    parser.add_argument("--served-model-name")
    parser.add_argument("--host", default="")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--max-model-len", type=int, default=8192)
    parser.add_argument("--max-num-seqs", type=int, default=4)
    for name in ("--dtype", "--gpu-memory-utilization", "--tensor-parallel-size"):
        parser.add_argument(name)
    return parser.parse_args(given)


class Engine:
    """One llama.cpp server, with as many requests at once as it has slots, and what is measured of them."""

    def __init__(self, model: str, slots: int) -> None:
        self.model = model
        self.http = llama.client()
        self._places = asyncio.Semaphore(slots)
        self._slots = slots
        self._labels = (model, "0")
        for metric in (RUNNING, WAITING, CACHE, PROMPT, GENERATED, FIRST, QUEUE, WHOLE):
            metric.labels(*self._labels)
        for word in ("stop", "length"):
            SUCCESS.labels(*self._labels, word)

    async def enter(self) -> float:
        """Wait for a place; return when it was asked for."""
        begin = time.perf_counter()
        WAITING.labels(*self._labels).inc()
        try:
            await self._places.acquire()
        finally:
            WAITING.labels(*self._labels).dec()
        RUNNING.labels(*self._labels).inc()
        self._cache()
        QUEUE.labels(*self._labels).observe(time.perf_counter() - begin)
        return begin

    def leave(self) -> None:
        self._places.release()
        RUNNING.labels(*self._labels).dec()
        self._cache()

    def _cache(self) -> None:
        # A slot is a fixed part of the cache here.
        CACHE.labels(*self._labels).set(RUNNING.labels(*self._labels)._value.get() / self._slots)

    def first(self, begin: float) -> None:
        FIRST.labels(*self._labels).observe(time.perf_counter() - begin)

    def done(self, begin: float, usage: dict[str, Any], why: str | None) -> None:
        WHOLE.labels(*self._labels).observe(time.perf_counter() - begin)
        PROMPT.labels(*self._labels).inc(usage.get("prompt_tokens", 0))
        GENERATED.labels(*self._labels).inc(usage.get("completion_tokens", 0))
        SUCCESS.labels(*self._labels, why or "stop").inc()

    def named(self, text: str) -> dict[str, Any]:
        """Return the engine's JSON under the served model's name, without what is llama.cpp's own."""
        said = json.loads(text)
        said["model"] = self.model
        said.pop("timings", None)
        said.pop("__verbose", None)
        return said


def _refuse(status: int, text: str) -> JSONResponse:
    kind = {401: "AuthenticationError", 404: "NotFoundError", 503: "ServiceUnavailable"}.get(status, "BadRequestError")
    return JSONResponse({"error": {"message": text, "type": kind, "code": status}}, status_code=status)


async def _stream(engine: Engine, answer: httpx.Response, begin: float, wants_usage: bool) -> AsyncIterator[str]:
    first, why, usage = True, None, {}
    try:
        async for line in answer.aiter_lines():
            if not line.startswith("data: "):
                continue
            if line == "data: [DONE]":
                yield "data: [DONE]\n\n"
                continue
            said = engine.named(line.removeprefix("data: "))
            usage = said.get("usage") or usage
            for choice in said["choices"]:
                if first and (choice.get("text") or choice.get("delta", {}).get("content")):
                    engine.first(begin)
                    first = False
                why = choice.get("finish_reason") or why
            if said["choices"] or wants_usage:
                yield f"data: {json.dumps(said)}\n\n"
        engine.done(begin, usage, why)
    finally:
        await answer.aclose()
        engine.leave()


async def complete(engine: Engine, path: str, body: dict[str, Any]) -> Response:
    """Have the engine complete a text or a chat, streamed or whole."""
    if body.get("model") not in (None, engine.model):
        return _refuse(404, f"The model `{body['model']}` does not exist.")
    wants_usage = bool((body.get("stream_options") or {}).get("include_usage"))
    streams = bool(body.get("stream"))
    # Its own count of tokens is what is measured, whether the caller asked for it or not.
    asked = {**body, **({"stream_options": {"include_usage": True}} if streams else {})}
    begin = await engine.enter()
    try:
        answer = await engine.http.send(engine.http.build_request("POST", path, json=asked), stream=streams)
        if answer.status_code != 200:
            await answer.aread()
            engine.leave()
            return Response(answer.content, answer.status_code, media_type="application/json")
    except httpx.HTTPError as error:
        engine.leave()
        log.warning("the engine does not answer: %r", error)
        return _refuse(503, f"the engine does not answer: {type(error).__name__}")
    except BaseException:
        engine.leave()
        raise
    if streams:
        return StreamingResponse(_stream(engine, answer, begin, wants_usage), media_type="text/event-stream")
    try:
        said = engine.named(answer.text)
        engine.first(begin)
        engine.done(begin, said.get("usage") or {}, said["choices"][0].get("finish_reason"))
    finally:
        engine.leave()
    return JSONResponse(said)


def build(settings: Settings, given: argparse.Namespace):
    model = given.served_model_name or given.model
    engine = Engine(model, given.max_num_seqs)

    def probe() -> None:
        httpx.get(f"{llama.URL}/health", timeout=2).raise_for_status()

    # /health and /metrics are open in vLLM as well; a key is asked for below /v1.
    app = create_app("vllm-simulated", Health("vllm-simulated", [Check("llama.cpp", probe)], keep=1.0))
    key = settings.api_key.get_secret_value() if settings.api_key else ""

    @app.middleware("http")
    async def authorise(request: Request, following: Any) -> Response:
        sent = request.headers.get("authorization", "").removeprefix("Bearer ")
        if key and request.url.path.startswith("/v1") and not hmac.compare_digest(sent.encode(), key.encode()):
            return _refuse(401, "Unauthorized")
        return await following(request)

    @app.get("/version")
    def version() -> dict[str, str]:
        return {"version": "simulated", "stand_in": STAND_IN}

    @app.get("/v1/models")
    def models() -> dict[str, Any]:
        card = {"id": model, "object": "model", "owned_by": "vllm-simulated", "max_model_len": given.max_model_len}
        return {"object": "list", "data": [card]}

    @app.post("/v1/chat/completions")
    async def chat(body: dict[str, Any]) -> Response:
        return await complete(engine, "/v1/chat/completions", body)

    @app.post("/v1/completions")
    async def completions(body: dict[str, Any]) -> Response:
        return await complete(engine, "/v1/completions", body)

    return app


def run() -> None:
    settings = load(Settings)
    given = arguments(sys.argv[1:])
    setup("vllm-simulated", settings)
    log.warning("this is %s", STAND_IN)
    with llama.running(settings, given.max_num_seqs, given.max_model_len):
        serve(build(settings, given), settings, given.port)
