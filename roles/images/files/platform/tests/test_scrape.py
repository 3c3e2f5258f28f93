"""Scraping real HTTP servers that answer well, badly, too much, too slowly or not at all; targets; the buffer."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from uuid import UUID

import pytest
from optiinfra_services.collector import store
from optiinfra_services.collector.scrape import ScrapeError, fetch, parse
from optiinfra_services.collector.targets import read_targets
from optiinfra_services.collector.tasks import scrape
from optiinfra_services.settings import SettingsError

CUSTOMER = UUID("00000000-0000-0000-0000-000000000001")
PAGE = """# HELP vllm:num_requests_running Requests running
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{model_name="mistral"} 3.0
DCGM_FI_DEV_GPU_UTIL{gpu="0",UUID="GPU-1"} 87
broken_gauge NaN
"""


@pytest.fixture
def server():
    """A customer's endpoint with a page for each way to answer."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            kind = self.path.split("?")[0]
            self.send_response({"/missing": 404, "/away": 302}.get(kind, 200))
            if kind == "/away":
                self.send_header("location", "http://127.0.0.1:9/")
            self.end_headers()
            try:
                if kind == "/huge":
                    for _part in range(200):
                        self.wfile.write(b"x" * 10_000)
                elif kind == "/slow":
                    for _part in range(100):
                        self.wfile.write(b"# \n")
                        time.sleep(0.1)
                elif kind == "/never":
                    time.sleep(3)
                elif kind == "/garbage":
                    self.wfile.write(b"<html>\xff{} not metrics")
                else:
                    self.wfile.write(PAGE.encode())
            except OSError:
                pass

        def log_message(self, *_args):
            """Say nothing."""

    found = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=found.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{found.server_port}"
    found.shutdown()
    found.server_close()


def test_names_of_vllm_and_dcgm_are_kept_and_nan_is_left_out():
    found = list(parse(PAGE))
    assert [(s.metric, s.value) for s in found] == [("vllm:num_requests_running", 3.0), ("DCGM_FI_DEV_GPU_UTIL", 87.0)]
    assert json.loads(found[1].labels) == {"gpu": "0", "UUID": "GPU-1"}


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("/missing", "it answers 404"),
        ("/away", "it answers 302"),
        ("/huge", "more than 100000 bytes"),
        ("/slow", "not complete within 0.5 s"),
        ("/never", "no answer within 0.5 s"),
        ("/garbage", "no metrics in Prometheus' format"),
    ],
)
def test_bad_answers_are_said_and_cost_a_limited_time(server, path, problem):
    begin = time.monotonic()
    with pytest.raises(ScrapeError) as caught:
        list(parse(fetch(server + path, 0.5, 100_000)))
    assert problem in str(caught.value)
    assert time.monotonic() - begin < 3


def test_nobody_there_is_said():
    with pytest.raises(ScrapeError, match="refused"):
        fetch("http://127.0.0.1:9/metrics", 1, 1000)


def test_one_bad_target_costs_the_others_nothing(server):
    text = json.dumps([{"name": n, "kind": "vllm", "url": server + p} for n, p in (("good", ""), ("bad", "/garbage"))])
    settings = SimpleNamespace(scrape_timeout=1, scrape_limit=100_000)
    good, bad = (scrape(target, settings, 1000) for target in read_targets(text, CUSTOMER, {}))
    assert good[0][0][:5] == [1000, str(CUSTOMER), "good", "vllm", "vllm:num_requests_running"]
    assert good[1]["problem"] == ""
    assert bad[0] == []
    assert "no metrics" in bad[1]["problem"]


def test_targets_by_kind_and_from_vultr():
    text = json.dumps([{"name": "a", "kind": "chat", "url": "http://h:8200"}])
    found = read_targets(text, CUSTOMER, {"prometheus": "http://v:9091", "dcgm": None})
    assert [t.address for t in found] == [
        "http://h:8200/metrics",
        "http://v:9091/federate?match[]=%7B__name__%21%3D%22%22%7D",
    ]
    assert {t.customer for t in found} == {CUSTOMER}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "OPTIINFRA_TARGETS is not JSON"),
        ("{}", "OPTIINFRA_TARGETS must be a JSON list"),
        ("[1]", "OPTIINFRA_TARGETS[0]"),
        ('[{"kind": "vllm", "url": "http://h"}]', "OPTIINFRA_TARGETS[0].name"),
        ('[{"name": "a", "kind": "x", "url": "http://h"}]', "OPTIINFRA_TARGETS[0].kind"),
        ('[{"name": "a", "kind": "vllm", "url": "ftp://h"}]', "OPTIINFRA_TARGETS[0].url"),
        ('[{"name": "a", "kind": "vllm", "url": "http://h", "uri": 1}]', "OPTIINFRA_TARGETS[0].uri"),
        (
            '[{"name": "a", "kind": "vllm", "url": "http://h"}, {"name": "a", "kind": "vllm", "url": "http://i"}]',
            "two targets",
        ),
    ],
)
def test_bad_targets_are_named(text, problem):
    with pytest.raises(SettingsError) as caught:
        read_targets(text, CUSTOMER, {})
    assert problem in str(caught.value)


class Queue:
    """As much of a Redis list as the buffer uses."""

    def __init__(self):
        self.items = []

    def rpush(self, _key, value):
        self.items.append(value)

    def llen(self, _key):
        return len(self.items)

    def lpop(self, _key):
        return self.items.pop(0) if self.items else None

    def lindex(self, _key, index):
        return self.items[index] if self.items else None

    def lrem(self, _key, _count, value):
        self.items.remove(value)


class Tables:
    """Takes inserts, and fails after some when told."""

    def __init__(self, good=1000):
        self.rows, self.good = [], good

    def execute(self, _statement, rows):
        if self.good == 0:
            raise RuntimeError("away")
        self.good -= 1
        self.rows += rows


def batch(number):
    return [[number, "customer", "target", "vllm", "metric", "{}", float(number)]]


def test_what_could_not_be_written_is_written_later_in_order():
    buffer = store.Buffer(Queue(), 10)
    for number in (1, 2, 3):
        buffer.put(batch(number))
    tables = Tables(good=1)
    with pytest.raises(RuntimeError):
        buffer.drain(tables)
    assert [row[-1] for row in tables.rows] == [1.0]
    tables.good = 10
    assert buffer.drain(tables) == 2
    assert [row[-1] for row in tables.rows] == [1.0, 2.0, 3.0]


def test_a_full_buffer_drops_the_oldest_and_counts_it():
    before = store.DROPPED._value.get()
    buffer = store.Buffer(Queue(), 2)
    for number in (1, 2, 3):
        buffer.put(batch(number))
    tables = Tables()
    buffer.drain(tables)
    assert [row[-1] for row in tables.rows] == [2.0, 3.0]
    assert store.DROPPED._value.get() == before + 1
