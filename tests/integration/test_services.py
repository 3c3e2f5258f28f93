"""The platform's services with their real stores, in containers of their own, without Ansible: flows and faults."""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
import urllib.error
import urllib.request
import uuid
from pathlib import Path

import pytest

from .conftest import docker

WORD = "word-for-tests-0123456789"
CUSTOMER = "00000000-0000-0000-0000-000000000001"
KINDS = {"vllm": "vllm", "chat": "chat", "dcgm": "dcgm", "prometheus": "federate"}
BAD = ("garbage", "endless", "silent")
TARGETS = [{"name": kind, "kind": kind, "url": f"http://customer:8100/{path}"} for kind, path in KINDS.items()]
TARGETS += [{"name": name, "kind": "vllm", "url": f"http://customer:8100/{name}"} for name in BAD]
ENVIRONMENT = {
    "POSTGRES_USER": "it",
    "POSTGRES_DB": "it",
    "POSTGRES_PASSWORD": WORD,
    "CLICKHOUSE_USER": "it",
    "CLICKHOUSE_DB": "it",
    "CLICKHOUSE_DATABASE": "it",
    "CLICKHOUSE_PASSWORD": WORD,
    "REDIS_PASSWORD": WORD,
    "CELERY_BROKER_URL": f"redis://:{WORD}@redis:6379/0",
    "QDRANT__SERVICE__API_KEY": WORD,
    "QDRANT_API_KEY": WORD,
    "DEFAULT_CUSTOMER_ID": CUSTOMER,
    "OPTIINFRA_TARGETS": json.dumps(TARGETS),
    "COLLECTOR_INTERVAL": "2",
    "COLLECTOR_SCRAPE_TIMEOUT": "1",
    "COLLECTOR_SCRAPE_LIMIT_BYTES": "1000000",
    "AGENT_TIMEOUT": "20",
}
REDIS = (
    "exec docker-entrypoint.sh redis-server - <<CONF\n"
    "requirepass $REDIS_PASSWORD\nappendonly yes\nappendfsync always\ndir /data\nCONF\n"
)
# As in the stack: what ends by itself begins again.
RUN = ("docker", "run", "--detach", "--restart", "unless-stopped")
AGENTS = {"cost": 8001, "performance": 8002, "resource": 8003, "application": 8004}
# Tables as they were before there were migrations, with a row that must not be lost.
BEFORE = """
CREATE TABLE orchestrator_requests (id uuid PRIMARY KEY, created_at timestamptz NOT NULL DEFAULT now(),
    question text NOT NULL, status text NOT NULL, results jsonb NOT NULL);
INSERT INTO orchestrator_requests VALUES ('11111111-1111-1111-1111-111111111111', now(), 'old', 'complete', '[]')
"""


class Platform:
    """Containers on a network of their own; each is known to the others by its service's name."""

    def __init__(self, images):
        self.images = images
        self.network = "it-services-" + uuid.uuid4().hex[:8]
        self.names = {}
        docker("network", "create", self.network)

    def start(self, service, image, *command, **environment):
        name = f"{self.network}-{service}"
        self.names[service] = name
        given = {**ENVIRONMENT, **environment}
        # By name only: values on a command line are seen by all users.
        options = [word for key in given for word in ("--env", key)]
        options += ["--name", name, "--network", self.network, "--network-alias", service]
        subprocess.run(
            [*RUN, *options, self.images[image], *command],
            env={**os.environ, **given},
            check=True,
            capture_output=True,
        )

    def url(self, service, port, path=""):
        form = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
        return f"http://{docker('inspect', '--format', form, self.names[service])}:{port}{path}"

    def get(self, service, port, path):
        return self.call(service, port, path)

    def call(self, service, port, path, body=None, headers=None):
        """Return (status, JSON)."""
        data = None if body is None else json.dumps(body).encode()
        head = {"content-type": "application/json", **(headers or {})}
        try:
            with urllib.request.urlopen(
                urllib.request.Request(self.url(service, port, path), data, head), timeout=40
            ) as a:
                return a.status, json.load(a)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)
        except (OSError, ValueError) as error:
            return 0, str(error)

    def sql(self, statement):
        """Return what PostgreSQL answers, a row a line."""
        command = (
            f'PGPASSWORD="$POSTGRES_PASSWORD" psql -h 127.0.0.1 -U it -d it -Atq -v ON_ERROR_STOP=1 -c "{statement}"'
        )
        return docker("exec", self.names["postgres"], "sh", "-c", command)

    def clickhouse(self, query):
        """Return what ClickHouse answers, a row a line."""
        command = f'clickhouse-client --user it --password "$CLICKHOUSE_PASSWORD" --database it --query "{query}"'
        return docker("exec", self.names["clickhouse"], "sh", "-c", command, check=False)

    def logs(self, service):
        done = subprocess.run(["docker", "logs", self.names[service]], check=True, capture_output=True, text=True)
        return done.stdout + done.stderr


def until(look, seconds=60):
    """Return what ``look`` returns once it is true."""
    deadline = time.monotonic() + seconds
    while True:
        found = look()
        if found or time.monotonic() > deadline:
            return found
        time.sleep(0.3)


def healthy(platform, service, port):
    status, report = until(lambda: (lambda a: a if a[0] == 200 else None)(platform.get(service, port, "/health"))) or (
        platform.get(service, port, "/health")
    )
    assert status == 200, (service, report, platform.logs(service)[-2000:])
    return report


@pytest.fixture(scope="module")
def platform(root, tmp_path_factory):
    written = tmp_path_factory.mktemp("images") / "images.json"
    wanted = ["postgres", "clickhouse", "redis", "qdrant", "orchestrator"]
    variables = {"images_wanted": wanted, "images_written": str(written)}
    subprocess.run(
        ["ansible-playbook", "tests/integration/images.yml", "-e", json.dumps(variables)],
        cwd=root,
        check=True,
        capture_output=True,
    )
    found = Platform(json.loads(written.read_text()))
    try:
        found.start("postgres", "POSTGRES_IMAGE")
        found.start("clickhouse", "CLICKHOUSE_IMAGE")
        found.start("redis", "REDIS_IMAGE", "sh", "-c", REDIS)
        found.start("qdrant", "QDRANT_IMAGE")
        ours = "ORCHESTRATOR_IMAGE"
        customer = Path(__file__).with_name("customer.py").read_text()
        found.start("customer", ours, "python3", "-c", customer)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                found.sql(BEFORE)
                break
            except subprocess.CalledProcessError:
                time.sleep(0.3)
        # All at once, so that they meet at the tables.
        found.start("orchestrator", ours, "optiinfra-orchestrator", REDIS_ADDR="redis:6379")
        for kind in AGENTS:
            url = f"redis://:{WORD}@redis:6379/1"
            found.start(f"{kind}-agent", ours, "optiinfra-agent", AGENT_TYPE=kind, REDIS_URL=url)
        for role in ("api", "worker", "beat"):
            found.start("data-collector" + ("" if role == "api" else f"-{role}"), ours, f"optiinfra-collector-{role}")
        healthy(found, "orchestrator", 8080)
        for kind, port in AGENTS.items():
            healthy(found, f"{kind}-agent", port)
        healthy(found, "data-collector", 8005)
        yield found
    finally:
        names = docker("ps", "-aq", "--filter", f"network={found.network}").split()
        docker("rm", "--force", "--volumes", *names, check=False)
        docker("network", "rm", found.network, check=False)


def ask(platform, **more):
    return platform.call("orchestrator", 8080, "/api/v1/requests", {"question": "How are we doing?"}, **more)


def all_alive(platform):
    status, agents = platform.get("orchestrator", 8080, "/agents")
    return status == 200 and len(agents) == 4


def intervals(platform):
    return int(platform.clickhouse("SELECT uniqExact(at) FROM metrics WHERE target = 'dcgm'") or 0)


def test_tables_of_before_are_migrated_once_and_keep_their_rows(platform):
    assert platform.sql("SELECT version_num FROM alembic_version") == "0002"
    status, old = platform.get("orchestrator", 8080, "/api/v1/requests/11111111-1111-1111-1111-111111111111")
    assert (status, old["question"]) == (200, "old")
    assert platform.sql("SELECT count(*) FROM pg_indexes WHERE indexname LIKE '%_newest'") == "2"


def test_all_kinds_of_target_reach_clickhouse_and_bad_ones_are_said(platform):
    def collected():
        return platform.clickhouse("SELECT DISTINCT kind FROM metrics ORDER BY kind").split() == sorted(KINDS)

    assert until(collected), platform.logs("data-collector-worker")[-3000:]
    _status, targets = platform.get("data-collector", 8005, "/api/v1/targets")
    problems = {target["name"]: target["last"]["problem"] for target in targets}
    assert [problems[name] for name in KINDS] == [""] * 4
    assert "Prometheus' format" in problems["garbage"]
    assert problems["endless"] == "more than 1000000 bytes"
    assert problems["silent"] == "no answer within 1 s"


def test_agents_recommend_what_clickhouse_says_and_remember_it(platform):
    assert until(lambda: all_alive(platform))
    assert until(lambda: intervals(platform) >= 4)

    def answered():
        status, answer = ask(platform, headers={"x-request-id": "it-request-1"})
        full = status == 201 and all(r.get("result", {}).get("recommendations") for r in answer["results"])
        return answer if full else None

    answer = until(answered, 30)
    assert answer, ask(platform)
    assert answer["status"] == "complete"
    found = {one["rule"]: one for result in answer["results"] for one in result["result"]["recommendations"]}
    assert set(found) >= {"idle-gpu", "queue", "gpu-memory-unused"}
    evidence = found["queue"]["evidence"]
    since, until_ = (evidence["window"][key].rstrip("Z").replace("T", " ") for key in ("since", "until"))
    query = (
        "SELECT avg(value), count() FROM (SELECT DISTINCT at, value FROM metrics WHERE target = 'vllm' AND metric = "
        f"'vllm:num_requests_waiting' AND at >= '{since}' AND at <= '{until_}')"
    )
    mean, count = platform.clickhouse(query).split()
    assert (evidence["mean"], evidence["samples"]) == (float(mean), int(count))
    kept = platform.sql("SELECT DISTINCT agent FROM recommendations ORDER BY agent").split()
    assert kept == sorted(f"{kind}-agent" for kind in AGENTS)
    body = {"exact": True}
    _s, told = platform.call(
        "qdrant", 6333, "/collections/optiinfra_recommendations/points/count", body, {"api-key": WORD}
    )
    assert told["result"]["count"] >= 4
    for service in ("orchestrator", "cost-agent", "application-agent"):
        assert '"request_id": "it-request-1"' in platform.logs(service)


def test_an_agent_that_dies_during_a_request_makes_it_partial(platform):
    docker("pause", platform.names["cost-agent"])
    answers = []
    asking = threading.Thread(target=lambda: answers.append(ask(platform)))
    asking.start()
    time.sleep(1)
    docker("kill", platform.names["cost-agent"])
    asking.join()
    status, answer = answers[0]
    states = {result["agent"]: result["status"] for result in answer["results"]}
    assert (status, answer["status"], states.pop("cost-agent")) == (201, "partial", "failed")
    assert set(states.values()) == {"answered"}
    docker("start", platform.names["cost-agent"])
    assert until(lambda: ask(platform)[1]["status"] == "complete")


def test_stores_that_restart_lose_nothing_that_was_acknowledged(platform):
    _status, answer = ask(platform)
    before = intervals(platform)
    samples = int(platform.clickhouse("SELECT count() FROM metrics"))
    for store in ("redis", "postgres", "clickhouse"):
        docker("restart", platform.names[store])
    status, read = until(
        lambda: (lambda a: a if a[0] == 200 else None)(
            platform.get("orchestrator", 8080, f"/api/v1/requests/{answer['id']}")
        )
    )
    assert (status, read["results"]) == (200, answer["results"])
    # Everything goes on by itself: agents are registered, requests answered, targets collected.
    assert until(lambda: all_alive(platform))
    assert until(lambda: intervals(platform) >= before + 2), platform.logs("data-collector-worker")[-3000:]
    assert int(platform.clickhouse("SELECT count() FROM metrics")) > samples
    assert until(lambda: ask(platform)[1].get("status") == "complete")


def test_no_secret_is_in_a_log(platform):
    for service in platform.names:
        assert WORD not in platform.logs(service), service


def test_every_service_stops_at_once_when_told(platform):
    ours = ["orchestrator", "data-collector", "data-collector-worker", "data-collector-beat", "cost-agent"]
    begin = time.monotonic()
    docker("stop", "--time", "20", *(platform.names[service] for service in ours))
    form = "{{.State.ExitCode}}"
    assert [docker("inspect", "--format", form, platform.names[service]) for service in ours] == ["0"] * len(ours)
    assert time.monotonic() - begin < 20 * len(ours)
