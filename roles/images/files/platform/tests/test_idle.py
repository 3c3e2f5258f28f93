"""A model server ends a connection that was idle, just when the next request is sent on it: no request may fail."""

import asyncio
import contextlib
import json

from optiinfra_services import llama
from optiinfra_services.demo import chat_api, vllm
from optiinfra_services.settings import load

ANSWER = {
    "id": "1",
    "created": 1,
    "object": "chat.completion",
    "model": "m",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Yes."}}],
    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
}


@contextlib.asynccontextmanager
async def server():
    """Answer the first request of each connection and offer to keep it; end it, without a word, at the second."""

    async def serve(reader, writer):
        for turn in (1, 2):
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            lengths = [line.split(":")[1] for line in head.splitlines() if line.startswith("content-length:")]
            await reader.readexactly(int(lengths[0]) if lengths else 0)
            if turn == 2:
                break
            body = json.dumps({"object": "list", "data": [{"id": "m"}]} if head.startswith("get") else ANSWER).encode()
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: keep-alive\r\n")
            writer.write(b"content-length: %d\r\n\r\n%s" % (len(body), body))
            await writer.drain()
            if b"connection: close" in head.encode():
                break
        writer.close()

    async def quiet(reader, writer):
        with contextlib.suppress(asyncio.IncompleteReadError):
            await serve(reader, writer)

    listening = await asyncio.start_server(quiet, "127.0.0.1", 0)
    async with listening:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"


def test_the_model_server_asks_its_engine_on_a_new_connection(monkeypatch):
    async def ask():
        async with server() as url:
            monkeypatch.setattr(llama, "URL", url)
            engine = vllm.Engine("m", 2)
            return [(await vllm.complete(engine, "/v1/chat/completions", {})).status_code for _turn in range(3)]

    assert asyncio.run(ask()) == [200, 200, 200]


def test_the_chat_api_asks_the_model_server_on_a_new_connection(monkeypatch):
    async def ask():
        async with server() as url:
            monkeypatch.setenv("VLLM_URL", url)
            chat = chat_api.Chat(load(chat_api.Settings))
            return [(await chat.reply(chat_api.Question(message="Well?"))).reply for _turn in range(3)]

    assert asyncio.run(ask()) == ["Yes."] * 3
