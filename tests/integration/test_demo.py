"""The demo's services together, without a GPU: llama.cpp behind vLLM's API, the Chat API, DCGM's names, Locust."""

from __future__ import annotations

import json
import os
import signal
import time
import urllib.error
import urllib.request

import pytest
from services import WORD, Platform, docker, healthy, images, until

MODEL = "mistralai/Mistral-7B-Instruct-v0.3"
FLAGS = (f"--model={MODEL}", "--dtype=auto", "--max-model-len=8192", "--gpu-memory-utilization=0.90")
KEY = {"authorization": f"Bearer {WORD}"}


@pytest.fixture(scope="module")
def demo():
    with Platform(images("vllm_simulated", "dcgm_exporter_simulated", "chat_api", "locust")) as found:
        found.start("vllm", "VLLM_SIMULATED_IMAGE", *FLAGS, VLLM_API_KEY=WORD)
        found.start("chat-api", "CHAT_API_IMAGE", "optiinfra-chat-api", VLLM_API_KEY=WORD)
        found.start("dcgm-exporter", "DCGM_EXPORTER_SIMULATED_IMAGE")
        found.start("locust", "LOCUST_IMAGE", LOCUST_HOST="http://chat-api:8080")
        healthy(found, "vllm", 8000)
        healthy(found, "chat-api", 8080)
        yield found


def read(demo, service, port, path="/metrics"):
    with urllib.request.urlopen(demo.url(service, port, path), timeout=20) as answer:
        return answer.read().decode()


def metric(demo, service, port, *words):
    """Return the sum of the samples whose line has all the words."""
    lines = [line for line in read(demo, service, port).splitlines() if not line.startswith("#")]
    return sum(float(line.rpartition(" ")[2]) for line in lines if all(word in line for word in words))


def chat(demo, **body):
    return demo.call("chat-api", 8080, "/chat", {"message": "Hello", "max_tokens": 16, **body})


def test_the_model_server_is_asked_as_vllm_is(demo):
    path, body = "/v1/chat/completions", {"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 8}
    assert demo.call("vllm", 8000, path, body)[0] == 401
    assert demo.call("vllm", 8000, path, body, {"authorization": "Bearer wrong"})[0] == 401
    assert demo.call("vllm", 8000, path, {**body, "model": "another"}, KEY)[0] == 404
    status, answer = demo.call("vllm", 8000, path, {**body, "model": MODEL}, KEY)
    assert (status, answer["model"]) == (200, MODEL)
    # The model may come to an end before.
    assert 1 <= answer["usage"]["completion_tokens"] <= 8
    assert demo.call("vllm", 8000, "/v1/models", None, KEY)[1]["data"][0]["id"] == MODEL
    assert "simulated" in demo.call("vllm", 8000, "/version")[1]["version"]
    assert "this is a simulation" in demo.logs("vllm")


def test_a_chat_goes_to_the_model_and_is_measured_on_both_sides(demo):
    before = metric(demo, "vllm", 8000, "vllm:generation_tokens_total")
    status, answer = chat(demo)
    assert (status, answer["model"]) == (200, MODEL)
    written = answer["usage"]["completion_tokens"]
    assert 1 <= written <= 16
    assert metric(demo, "vllm", 8000, "vllm:generation_tokens_total") == before + written
    assert metric(demo, "vllm", 8000, "vllm:request_success_total", answer["finish_reason"]) >= 1
    assert metric(demo, "chat-api", 8080, "http_requests_total", 'status="200"') >= 1
    assert metric(demo, "chat-api", 8080, "chat_tokens_total", "completion") >= written


def test_a_streamed_answer_comes_in_pieces(demo):
    request = urllib.request.Request(
        demo.url("chat-api", 8080, "/chat"),
        json.dumps({"message": "Hello", "max_tokens": 12, "stream": True}).encode(),
        {"content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        events = [json.loads(line[6:]) for line in answer.read().decode().splitlines() if line.startswith("data: ")]
    assert events[-1]["done"]
    # A piece for each token, and no text with the end.
    pieces = [event for event in events if "delta" in event]
    assert 0 <= events[-1]["usage"]["completion_tokens"] - len(pieces) <= 1


@pytest.mark.parametrize("body", [{"message": ""}, {"max_tokens": 0}, {"history": [{"role": "x", "content": ""}]}])
def test_a_question_that_is_none_is_refused(demo, body):
    assert chat(demo, **body)[0] == 422


def test_load_by_locusts_api_is_served_without_failure_and_seen_by_dcgm(demo):
    # What the tests before asked for has died away.
    assert until(lambda: metric(demo, "dcgm-exporter", 9400, "DCGM_FI_DEV_GPU_UTIL") == 0)
    assert metric(demo, "dcgm-exporter", 9400, "DCGM_FI_DEV_FB_USED") > 20_000
    form = b"user_count=40&spawn_rate=20"
    with urllib.request.urlopen(demo.url("locust", 8089, "/swarm"), form, timeout=20) as answer:
        assert json.load(answer)["success"]
    busy = until(lambda: metric(demo, "dcgm-exporter", 9400, "DCGM_FI_DEV_GPU_UTIL"))
    time.sleep(8)
    stats = json.loads(read(demo, "locust", 8089, "/stats/requests"))
    with urllib.request.urlopen(demo.url("locust", 8089, "/stop"), b"", timeout=20) as answer:
        assert json.load(answer)["success"]
    assert busy > 0
    names = {row["name"]: row for row in stats["stats"]}
    assert set(names) >= {"/chat", "/chat streamed", "/chat with history"}
    assert names["Aggregated"]["num_requests"] > 40
    assert names["Aggregated"]["num_failures"] == 0, stats["errors"]
    assert metric(demo, "dcgm-exporter", 9400, "DCGM_FI_DEV_POWER_USAGE") > 32
    assert "# Simulated" in read(demo, "dcgm-exporter", 9400)


def test_without_the_model_server_health_is_503_and_comes_back(demo):
    docker("stop", "--time", "10", demo.names["vllm"])
    assert until(lambda: demo.get("chat-api", 8080, "/health")[0] == 503)
    status, answer = chat(demo)
    assert (status, answer["detail"]) == (503, "the model server cannot be reached")
    assert until(lambda: metric(demo, "dcgm-exporter", 9400, "DCGM_FI_DEV_FB_USED") < 10)
    docker("start", demo.names["vllm"])
    assert until(lambda: demo.get("chat-api", 8080, "/health")[0] == 200)
    assert until(lambda: chat(demo)[0] == 200)


def test_an_engine_that_dies_is_started_again(demo):
    processes = docker("top", demo.names["vllm"], "-o", "pid,args").splitlines()
    (pid,) = [line.split()[0] for line in processes if "llama-server" in line]
    os.kill(int(pid), signal.SIGKILL)
    assert until(lambda: int(docker("inspect", "--format", "{{.RestartCount}}", demo.names["vllm"])) >= 1)
    assert until(lambda: chat(demo)[0] == 200)
