"""Stands in for Ollama where its image cannot be had: its API before a real llama.cpp server with a tiny random model.

Every model that is asked for by /api/pull is there at once and is the same tiny one; what it says has no meaning. The
names are kept below OLLAMA_MODELS, as Ollama keeps its models.
"""

import datetime
import json
import logging
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
from fastapi import HTTPException
from fastapi.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from pydantic import BaseModel, Field

from . import llama
from .health import Check, Health
from .logs import setup
from .settings import CommonSettings, Port, load
from .web import create_app, serve

log = logging.getLogger(__name__)
STAND_IN = "a simulation on the processor: llama.cpp with a tiny random model behind Ollama's API"


class Settings(CommonSettings, llama.LlamaSettings):
    port: Port = Field(11434, validation_alias="OLLAMA_PORT")
    models: Path = Field(Path("/models"), validation_alias="OLLAMA_MODELS")


class Pull(BaseModel):
    model: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/:-]{0,100}$")
    stream: bool = True


def _tagged(name: str) -> str:
    return name if ":" in name else f"{name}:latest"


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat()


class Models:
    """The names that were pulled, and when."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "simulated.json"
        self.names: dict[str, str] = json.loads(self._file.read_text()) if self._file.exists() else {}

    def pull(self, name: str) -> None:
        self.names.setdefault(_tagged(name), _now())
        written = self._file.with_suffix(".new")
        written.write_text(json.dumps(self.names))
        os.replace(written, self._file)

    def card(self, name: str) -> dict[str, Any]:
        details = {"format": "gguf", "family": "llama", "parameter_size": "simulated", "quantization_level": "F32"}
        return {"name": name, "model": name, "modified_at": self.names[name], "size": 503136, "details": details}

    def find(self, name: Any) -> str:
        """Return a model's full name.

        :raises HTTPException: 404 as Ollama answers for one that was not pulled
        """
        tagged = _tagged(str(name or ""))
        if tagged not in self.names:
            raise HTTPException(404, f"model '{name}' not found")
        return tagged


def build(settings: Settings):
    def probe() -> None:
        httpx.get(f"{llama.URL}/health", timeout=2).raise_for_status()

    app = create_app("ollama-simulated", Health("ollama-simulated", [Check("llama.cpp", probe)], keep=1.0))
    engine = llama.client()
    models = Models(settings.models)

    @app.exception_handler(HTTPException)
    async def refused(_request: Any, error: HTTPException) -> JSONResponse:
        return JSONResponse({"error": error.detail}, error.status_code)

    @app.get("/", response_class=PlainTextResponse)
    def root() -> str:
        return "Ollama is running (simulated)"

    @app.get("/api/version")
    def version() -> dict[str, str]:
        return {"version": "0.0.0-simulated", "stand_in": STAND_IN}

    @app.get("/api/tags")
    def tags() -> dict[str, Any]:
        return {"models": [models.card(name) for name in models.names]}

    @app.post("/api/pull")
    def pull(given: Pull) -> Response:
        models.pull(given.model)
        # As Ollama: lines of JSON unless told otherwise.
        steps = [{"status": "pulling manifest"}] * given.stream + [{"status": "success"}]
        kind = "application/x-ndjson" if given.stream else "application/json"
        return Response("".join(json.dumps(step) + "\n" for step in steps), media_type=kind)

    @app.post("/api/show")
    def show(body: dict[str, Any]) -> dict[str, Any]:
        return models.card(models.find(body.get("model") or body.get("name")))

    @app.get("/v1/models")
    def listed() -> dict[str, Any]:
        return {
            "object": "list",
            "data": [{"id": name, "object": "model", "owned_by": "library"} for name in models.names],
        }

    @app.post("/v1/chat/completions")
    async def openai(body: dict[str, Any]) -> Response:
        name = models.find(body.get("model"))
        request = engine.build_request("POST", "/v1/chat/completions", json=body)
        if not body.get("stream"):
            answer = await engine.send(request)
            return JSONResponse({**answer.json(), "model": name}, answer.status_code)
        answer = await engine.send(request, stream=True)

        async def pieces() -> AsyncIterator[bytes]:
            try:
                async for piece in answer.aiter_raw():
                    yield piece
            finally:
                await answer.aclose()

        return StreamingResponse(pieces(), answer.status_code, media_type="text/event-stream")

    @app.post("/api/chat")
    async def chat(body: dict[str, Any]) -> Response:
        return await speak(
            body, body.get("messages") or [], lambda text: {"message": {"role": "assistant", "content": text}}
        )

    @app.post("/api/generate")
    async def generate(body: dict[str, Any]) -> Response:
        return await speak(
            body, [{"role": "user", "content": str(body.get("prompt", ""))}], lambda text: {"response": text}
        )

    async def speak(body: dict[str, Any], messages: list[Any], shaped: Any) -> Response:
        """Answer in Ollama's shape: lines of JSON, or one object without ``stream``."""
        name = models.find(body.get("model"))
        try:
            limit = int((body.get("options") or {}).get("num_predict", 128))
        except (AttributeError, TypeError, ValueError):
            raise HTTPException(400, "options.num_predict must be a number") from None
        asked = {"messages": messages, "max_tokens": limit, "stream": True, "stream_options": {"include_usage": True}}

        engines = await engine.send(engine.build_request("POST", "/v1/chat/completions", json=asked), stream=True)
        if engines.status_code != 200:
            said = await engines.aread()
            raise HTTPException(engines.status_code, said.decode(errors="replace")[:500])

        async def lines() -> AsyncIterator[dict[str, Any]]:
            usage, why = {}, "stop"
            try:
                async for line in engines.aiter_lines():
                    if not line.startswith("data: ") or line == "data: [DONE]":
                        continue
                    said = json.loads(line[6:])
                    usage = said.get("usage") or usage
                    for choice in said.get("choices", []):
                        why = choice.get("finish_reason") or why
                        text = choice["delta"].get("content")
                        if text:
                            yield {"model": name, "created_at": _now(), **shaped(text), "done": False}
            finally:
                await engines.aclose()
            end = {"model": name, "created_at": _now(), **shaped(""), "done": True, "done_reason": why}
            yield {
                **end,
                "eval_count": usage.get("completion_tokens", 0),
                "prompt_eval_count": usage.get("prompt_tokens", 0),
            }

        if body.get("stream", True):

            async def text() -> AsyncIterator[str]:
                async for line in lines():
                    yield json.dumps(line) + "\n"

            return StreamingResponse(text(), media_type="application/x-ndjson")
        whole, last = "", {}
        async for line in lines():
            whole += line.get("response") or line.get("message", {}).get("content") or ""
            last = line
        return JSONResponse({**last, **shaped(whole)})

    return app


def run() -> None:
    settings = load(Settings)
    setup("ollama-simulated", settings)
    log.warning("this is %s", STAND_IN)
    with llama.running(settings, slots=4, context=8192):
        serve(build(settings), settings, settings.port)
