"""Summaries by a server with OpenAI's API: one that answers, one that fails, none at all."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from optiinfra_services.agent.rules import Recommendation
from optiinfra_services.agent.summary import SummarySettings, summarise
from optiinfra_services.settings import load

FOUND = [Recommendation("idle-gpu", "gpu1", "gpu 0", "warning", "gpu 0 of gpu1 is idle", {"mean": 4.0})]


@pytest.fixture
def server(monkeypatch):
    """Answers with ``status`` and ``text``, and keeps what it was asked and by which key."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            http.asked.append((self.path, self.headers["authorization"], body))
            choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": http.text}}
            answer = {"id": "1", "object": "chat.completion", "created": 1, "model": "small", "choices": [choice]}
            payload = json.dumps(answer if http.status == 200 else {"error": {"message": "too busy"}}).encode()
            self.send_response(http.status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(payload)))
            self.end_headers()
            self.wfile.write(payload)

        def log_message(self, *_args):
            """Say nothing."""

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.asked, http.status, http.text = [], 200, "Switch gpu 0 off."
    threading.Thread(target=http.serve_forever, daemon=True).start()
    monkeypatch.setenv("GROQ_API_KEY", "gsk-secret")
    monkeypatch.setenv("GROQ_BASE_URL", f"http://127.0.0.1:{http.server_port}/v1")
    yield http
    http.shutdown()
    http.server_close()


def test_the_model_is_given_question_and_evidence(server):
    summary = summarise(load(SummarySettings), "What now?", FOUND)
    assert (summary.text, summary.model, summary.reason) == ("Switch gpu 0 off.", "small", None)
    path, key, body = server.asked[0]
    assert (path, key) == ("/v1/chat/completions", "Bearer gsk-secret")
    given = json.loads(body["messages"][1]["content"])
    assert given["question"] == "What now?"
    assert given["recommendations"][0]["evidence"] == {"mean": 4.0}


def test_a_server_that_fails_costs_only_the_summary(server):
    server.status = 503
    summary = summarise(load(SummarySettings), "What now?", FOUND)
    assert summary.text is None
    assert "503" in summary.reason
    assert "gsk-secret" not in summary.reason


def test_an_empty_answer_is_no_summary(server):
    server.text = " "
    assert summarise(load(SummarySettings), "What now?", FOUND).reason == "the language model said nothing"


def test_nothing_found_asks_nobody(server):
    assert summarise(load(SummarySettings), "What now?", []).reason == "there is nothing to summarise"
    assert server.asked == []


def test_without_a_key_it_says_so(monkeypatch):
    monkeypatch.delenv("GROQ_API_KEY", raising=False)
    assert summarise(load(SummarySettings), "What now?", FOUND).reason == "GROQ_API_KEY is not set"
