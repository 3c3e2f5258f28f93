"""The agents' rules, each with a case where it speaks and one where it is silent."""

import datetime

import pytest
from optiinfra_services.agent.rules import METRICS, RULES, analyse, percentile
from optiinfra_services.agent.series import make_window

UNTIL = datetime.datetime(2026, 11, 23, 12, 0)
SINCE = UNTIL - datetime.timedelta(minutes=15)


def window(*rows):
    """Rows of (metric, labels as JSON, mean, maximum, first, last), of 10 samples each."""
    return make_window(SINCE, UNTIL, [("gpu-host", metric, labels, 10, *values) for metric, labels, *values in rows])


def flat(metric, value, labels='{"gpu": "0"}'):
    return (metric, labels, value, value, value, value)


def counter(metric, increase, labels="{}"):
    return (metric, labels, 0.0, 0.0, 100.0, 100.0 + increase)


CASES = [
    (
        "application",
        "truncated",
        [
            counter("vllm:request_success_total", 30, '{"finished_reason": "length"}'),
            counter("vllm:request_success_total", 70, '{"finished_reason": "stop"}'),
        ],
        [
            counter("vllm:request_success_total", 3, '{"finished_reason": "length"}'),
            counter("vllm:request_success_total", 1, '{"finished_reason": "stop"}'),
        ],
    ),
    ("cost", "idle-gpu", [flat("DCGM_FI_DEV_GPU_UTIL", 4.0)], [flat("DCGM_FI_DEV_GPU_UTIL", 40.0)]),
    ("performance", "queue", [flat("vllm:num_requests_waiting", 7.5)], [flat("vllm:num_requests_waiting", 0.5)]),
    ("performance", "kv-cache", [flat("vllm:kv_cache_usage_perc", 0.97)], [flat("vllm:kv_cache_usage_perc", 0.4)]),
    (
        "performance",
        "latency",
        [
            counter("vllm:e2e_request_latency_seconds_bucket", n, f'{{"le": "{b}"}}')
            for b, n in ((1, 5), (10, 90), ("+Inf", 100))
        ],
        [
            counter("vllm:e2e_request_latency_seconds_bucket", n, f'{{"le": "{b}"}}')
            for b, n in ((1, 99), (10, 100), ("+Inf", 100))
        ],
    ),
    ("resource", "saturated-gpu", [flat("DCGM_FI_DEV_GPU_UTIL", 99.0)], [flat("DCGM_FI_DEV_GPU_UTIL", 80.0)]),
    (
        "resource",
        "gpu-memory-unused",
        [flat("DCGM_FI_DEV_FB_USED", 20.0), flat("DCGM_FI_DEV_FB_FREE", 80.0)],
        [flat("DCGM_FI_DEV_FB_USED", 60.0), flat("DCGM_FI_DEV_FB_FREE", 40.0)],
    ),
    (
        "resource",
        "gpu-memory-full",
        [flat("DCGM_FI_DEV_FB_USED", 99.0), flat("DCGM_FI_DEV_FB_FREE", 1.0)],
        [flat("DCGM_FI_DEV_FB_USED", 60.0)],
    ),
    (
        "resource",
        "idle-power",
        [flat("DCGM_FI_DEV_POWER_USAGE", 250.0), flat("DCGM_FI_DEV_GPU_UTIL", 1.0)],
        [flat("DCGM_FI_DEV_POWER_USAGE", 250.0), flat("DCGM_FI_DEV_GPU_UTIL", 90.0)],
    ),
    (
        "application",
        "error-rate",
        [
            counter("http_requests_total", 95, '{"status": "200"}'),
            counter("http_requests_total", 5, '{"status": "503"}'),
        ],
        [
            counter("http_requests_total", 999, '{"status": "200"}'),
            counter("http_requests_total", 1, '{"status": "500"}'),
        ],
    ),
    (
        "application",
        "silent",
        [flat("vllm:num_requests_running", 3.0), counter("vllm:generation_tokens_total", 0)],
        [flat("vllm:num_requests_running", 3.0), counter("vllm:generation_tokens_total", 500)],
    ),
]


@pytest.mark.parametrize(("kind", "rule", "speaks", "silent"), CASES, ids=[case[1] for case in CASES])
def test_each_rule_speaks_and_is_silent(kind, rule, speaks, silent):
    (found,) = [r for r in analyse(kind, window(*speaks)) if r.rule == rule]
    assert found.target == "gpu-host"
    assert found.evidence["window"] == {"since": "2026-11-23T11:45:00Z", "until": "2026-11-23T12:00:00Z"}
    assert len(found.evidence) > 1
    assert rule not in {r.rule for r in analyse(kind, window(*silent))}


def test_the_price_of_tokens_is_told_when_the_machines_price_is_known():
    seen = window(counter("vllm:generation_tokens_total", 50_000))
    assert analyse("cost", seen) == []
    (found,) = analyse("cost", seen, price_per_hour=2.0)
    # 15 minutes at 2 an hour are 0.5, for 50,000 tokens.
    assert found.evidence["price_per_million"] == 10.0


def test_a_counter_that_began_anew_counts_what_it_has_since():
    seen = make_window(SINCE, UNTIL, [("t", "vllm:generation_tokens_total", "{}", 10, 0.0, 0.0, 900.0, 50.0)])
    assert seen.of("vllm:generation_tokens_total")[0].increase == 50.0


def test_what_was_hardly_seen_says_nothing():
    rare = make_window(SINCE, UNTIL, [("t", "DCGM_FI_DEV_GPU_UTIL", "{}", 2, 0.0, 0.0, 0.0, 0.0)])
    assert analyse("cost", rare) == []


def test_every_agent_reads_what_its_rules_use_and_nothing_else():
    assert set(METRICS) == set(RULES) == {"cost", "performance", "resource", "application"}
    for kind, rule, speaks, _silent in CASES:
        assert {row[0] for row in speaks} <= set(METRICS[kind]), rule
    for kind in RULES:
        assert analyse(kind, window()) == []


@pytest.mark.parametrize(
    ("buckets", "share", "value"),
    [
        ({1.0: 50.0, 2.0: 100.0, float("inf"): 100.0}, 0.75, 1.5),
        ({1.0: 50.0, float("inf"): 100.0}, 0.95, 1.0),
        ({1.0: 0.0, float("inf"): 0.0}, 0.95, None),
        ({}, 0.95, None),
    ],
)
def test_percentile(buckets, share, value):
    assert percentile(buckets, share) == value


def latencies(bounds):
    return window(
        *(counter("vllm:e2e_request_latency_seconds_bucket", count, f'{{"le": "{bound}"}}') for bound, count in bounds)
    )


FAST = latencies([(1, 99), (5, 100), ("+Inf", 100)])
SLOW = latencies([(1, 10), (5, 100), ("+Inf", 100)])
FEW = latencies([(1, 1), (5, 10), ("+Inf", 10)])


@pytest.mark.parametrize(
    ("now", "before", "speaks"),
    [
        (SLOW, FAST, True),
        (FAST, SLOW, False),
        (SLOW, FEW, False),
        (FEW, FAST, False),
        (SLOW, SLOW, False),
        (SLOW, None, False),
    ],
)
def test_a_regression_is_told_against_the_time_before(now, before, speaks):
    found = [r for r in analyse("application", now, before) if r.rule == "latency-regression"]
    assert bool(found) == speaks
    if found:
        assert found[0].evidence["p95_seconds"] > 1.5 * found[0].evidence["baseline_seconds"]
