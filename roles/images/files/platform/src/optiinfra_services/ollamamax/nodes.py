"""The servers that models run on: asked in order, the next one when one is away."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx


class NodesAway(Exception):
    """No node answered; says what each said."""


class Nodes:
    """Servers with OpenAI's API: Ollama, or a backend in front of it."""

    def __init__(self, urls: list[str], timeout: float) -> None:
        self.urls = urls
        self._http = httpx.AsyncClient(timeout=httpx.Timeout(timeout, connect=3))

    async def send(self, method: str, path: str, token: str, body: Any = None, stream: bool = False) -> httpx.Response:
        """Return the first answer below 500; its body is not read yet when ``stream``.

        :raises NodesAway: when there is none
        """
        said = []
        for url in self.urls:
            # An Ollama takes no notice of a token, a backend of ours asks for it.
            request = self._http.build_request(
                method, url + path, json=body, headers={"authorization": f"Bearer {token}"}
            )
            try:
                answer = await self._http.send(request, stream=stream)
            except httpx.HTTPError as error:
                said.append(f"{url}: {type(error).__name__}")
                continue
            if answer.status_code < 500:
                return answer
            said.append(f"{url}: answers {answer.status_code}")
            await answer.aclose()
        raise NodesAway("; ".join(said))

    async def look(self) -> dict[str, str]:
        """Return {URL: ok or what is wrong} of every node."""
        found = {}
        for url in self.urls:
            try:
                answer = await self._http.get(f"{url}/api/version", timeout=3)
                found[url] = "ok" if answer.status_code == 200 else f"answers {answer.status_code}"
            except httpx.HTTPError as error:
                found[url] = type(error).__name__
        return found

    async def speak(self, token: str, model: str, messages: list[dict[str, str]]) -> AsyncIterator[str]:
        """Yield a chat's answer in pieces."""
        body = {"model": model, "messages": messages, "stream": True, "max_tokens": 256}
        answer = await self.send("POST", "/v1/chat/completions", token, body, stream=True)
        try:
            if answer.status_code != 200:
                raise NodesAway(f"{answer.url.host}: answers {answer.status_code}")
            async for line in answer.aiter_lines():
                if line.startswith("data: ") and line != "data: [DONE]":
                    for choice in json.loads(line[6:]).get("choices", []):
                        if choice.get("delta", {}).get("content"):
                            yield choice["delta"]["content"]
        finally:
            await answer.aclose()
