"""use.py ADDRESS...: use the demo from outside as a customer does; fail when metrics or load test do not show it.

The addresses take turns.
"""

import itertools
import json
import sys
import time
import urllib.parse
import urllib.request

VLLM, CHAT, LOCUST, PROMETHEUS = 8100, 8200, 8090, 9091
CHATS = 'http_requests_total{job="chat-api",path="/chat",status="200"}'
UP = [(job, "up") for job in ("chat-api", "dcgm-exporter", "prometheus", "vllm")]
HOSTS = itertools.cycle(f"[{address}]" if ":" in address else address for address in sys.argv[1:])


def ask(port, path, body=None, form=None):
    """Return an open answer; a body is sent as JSON."""
    data = json.dumps(body).encode() if body else urllib.parse.urlencode(form).encode() if form else None
    headers = {"content-type": "application/json"} if body else {}
    request = urllib.request.Request(f"http://{next(HOSTS)}:{port}{path}", data, headers)
    return urllib.request.urlopen(request, timeout=60)


def read(port, path, **more):
    with ask(port, path, **more) as answer:
        return json.load(answer)


def query(text):
    """Return the sum of what PromQL yields."""
    found = read(PROMETHEUS, "/api/v1/query?" + urllib.parse.urlencode({"query": text}))["data"]["result"]
    return sum(float(sample["value"][1]) for sample in found)


def targets():
    found = read(PROMETHEUS, "/api/v1/targets?state=active")["data"]["activeTargets"]
    return sorted((target["labels"]["job"], target["health"]) for target in found)


def now(name):
    """Return the sum of a metric as the model server has it at this moment."""
    with ask(VLLM, "/metrics") as answer:
        lines = answer.read().decode().splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name + "{"))


def until(what, condition):
    for _attempt in range(120):
        if condition():
            return
        time.sleep(1.5)
    sys.exit(f"{what}: not within 3 minutes")


def stream():
    """Have an answer streamed; return its events, and whether the model server was at work at the first of them."""
    with ask(CHAT, "/chat", body={"message": "Tell a long story.", "max_tokens": 2048, "stream": True}) as answer:
        events, working = [], False
        for line in answer:
            if line.startswith(b"data: "):
                if not events:
                    working = now("vllm:num_requests_running") >= 1
                events.append(json.loads(line[6:]))
    return events, working


written, served = now("vllm:generation_tokens_total"), now("vllm:request_success_total")
asked = query(CHATS)

reply = read(CHAT, "/chat", body={"message": "What is the capital of Portugal?", "max_tokens": 16})
if reply["model"] != "mistralai/Mistral-7B-Instruct-v0.3" or not 1 <= reply["usage"]["completion_tokens"] <= 16:
    sys.exit(f"a chat was answered by {reply}")
tokens = reply["usage"]["completion_tokens"]

# What the model says is random, and so may be short: in one of many streams it is still at work at the first piece.
for _attempt in range(40):
    events, working = stream()
    if not events[-1].get("done") or len(events) < 2:
        sys.exit(f"a stream ended with {events[-1]}")
    tokens += events[-1]["usage"]["completion_tokens"]
    if working:
        break
else:
    sys.exit("no stream began before its answer was complete")

until("every target of Prometheus is up", lambda: targets() == UP)
until("tokens in Prometheus", lambda: query("vllm:generation_tokens_total") >= written + tokens)
until("chats in Prometheus", lambda: query(CHATS) >= asked + 2)

if not read(LOCUST, "/swarm", form={"user_count": 10, "spawn_rate": 10})["success"]:
    sys.exit("Locust did not start")
try:
    until("load", lambda: read(LOCUST, "/stats/requests")["stats"][-1]["num_requests"] >= 60)
    until("a busy GPU in Prometheus", lambda: query("DCGM_FI_DEV_GPU_UTIL") > 0)
finally:
    ask(LOCUST, "/stop", form={"stop": 1}).close()
until("Locust stops", lambda: read(LOCUST, "/stats/requests")["state"] == "stopped")
load = read(LOCUST, "/stats/requests")
rows = {row["name"]: row for row in load["stats"]}
if rows["Aggregated"]["num_failures"] or load["errors"]:
    sys.exit(f"{rows['Aggregated']['num_failures']} requests of Locust failed: {load['errors']}")
missing = {"/chat", "/chat streamed", "/chat with history"} - {n for n, row in rows.items() if row["num_requests"]}
if missing:
    sys.exit(f"Locust made no requests of {missing}")
requests = rows["Aggregated"]["num_requests"]
# Those that Locust gave up when it stopped hold no place.
until("no request is left", lambda: now("vllm:num_requests_running") + now("vllm:num_requests_waiting") == 0)
until("the load in Prometheus", lambda: query("vllm:request_success_total") >= served + requests)
print(f"{tokens} tokens of chats; {requests} requests of Locust, {rows['Aggregated']['num_failures']} failures")
