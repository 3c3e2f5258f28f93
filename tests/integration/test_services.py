"""The platform's services with their real stores, in containers of their own, without Ansible: flows and faults."""

from __future__ import annotations

import threading
import time

from services import WORD, docker, until

from .platform import AGENTS, KINDS


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
    path = f"/api/v1/requests/{answer['id']}"
    assert until(lambda: platform.get("orchestrator", 8080, path)[0] == 200)
    status, read = platform.get("orchestrator", 8080, path)
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
    docker("start", *(platform.names[service] for service in ours))
