"""The rules of the four agents: from a window of metrics to recommendations with their evidence.

A rule needs at least MINIMUM samples, so that nothing is recommended of what was hardly seen. Names of metrics are
those of vLLM (vllm:*), NVIDIA's DCGM exporter (DCGM_FI_*) and HTTP services (http_requests_total, label status).
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from .series import Series, Window

MINIMUM = 3
# Requests that a share or a percentile is told of at least.
ENOUGH = 20
UTIL, FB_USED, FB_FREE = "DCGM_FI_DEV_GPU_UTIL", "DCGM_FI_DEV_FB_USED", "DCGM_FI_DEV_FB_FREE"
POWER = "DCGM_FI_DEV_POWER_USAGE"
WAITING, RUNNING = "vllm:num_requests_waiting", "vllm:num_requests_running"
KV_CACHE = ("vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc")
LATENCY = "vllm:e2e_request_latency_seconds_bucket"
TOKENS = "vllm:generation_tokens_total"
REQUESTS = "http_requests_total"
FINISHED = "vllm:request_success_total"


class Recommendation(NamedTuple):
    """What to do and why; ``evidence`` holds the window and the values that the rule saw."""

    rule: str
    target: str
    subject: str
    severity: str
    summary: str
    evidence: dict[str, Any]


def _recommend(window: Window, rule: str, target: str, subject: str, severity: str, summary: str, **values: Any):
    span = {"since": window.since.isoformat() + "Z", "until": window.until.isoformat() + "Z"}
    rounded = {key: round(value, 4) if isinstance(value, float) else value for key, value in values.items()}
    return Recommendation(rule, target, subject, severity, summary, {"window": span, **rounded})


def _seen(window: Window, metric: str) -> Iterator[Series]:
    return (series for series in window.of(metric) if series.count >= MINIMUM)


def _gpu(series: Series) -> str:
    return "gpu " + series.labels.get("gpu", "0")


def idle_gpu(window: Window) -> Iterator[Recommendation]:
    """cost: a GPU that was busy less than 10 % of the time on average."""
    for s in _seen(window, UTIL):
        if s.mean < 10:
            text = f"{_gpu(s)} of {s.target} is idle ({s.mean:.0f} % busy): share it, shrink it or switch it off"
            yield _recommend(
                window, "idle-gpu", s.target, _gpu(s), "warning", text, metric=UTIL, mean=s.mean, samples=s.count
            )


def price_per_token(window: Window, price_per_hour: float = 0.0) -> Iterator[Recommendation]:
    """cost: what a million generated tokens cost at the price of the machine per hour, when that is known."""
    for s in _seen(window, TOKENS):
        if price_per_hour > 0 and s.increase > 0:
            cost = price_per_hour * window.seconds / 3600 / s.increase * 1e6
            text = f"a million tokens of {s.target} cost {cost:.2f} at {price_per_hour:g} an hour"
            yield _recommend(
                window,
                "price-per-token",
                s.target,
                "tokens",
                "info",
                text,
                metric=TOKENS,
                tokens=s.increase,
                price_per_hour=price_per_hour,
                price_per_million=cost,
            )


def queue(window: Window) -> Iterator[Recommendation]:
    """performance: on average more than one request waited."""
    for s in _seen(window, WAITING):
        if s.mean > 1:
            text = f"{s.mean:.1f} requests wait at {s.target} on average: add a replica or allow larger batches"
            yield _recommend(
                window,
                "queue",
                s.target,
                "requests",
                "warning",
                text,
                metric=WAITING,
                mean=s.mean,
                maximum=s.maximum,
                samples=s.count,
            )


def kv_cache(window: Window) -> Iterator[Recommendation]:
    """performance: the KV cache was more than 90 % full."""
    for metric in KV_CACHE:
        for s in _seen(window, metric):
            if s.maximum > 0.9:
                text = f"the KV cache of {s.target} was {s.maximum:.0%} full: shorten contexts or give it more memory"
                yield _recommend(
                    window, "kv-cache", s.target, "cache", "warning", text, metric=metric, maximum=s.maximum
                )


def percentile(buckets: dict[float, float], share: float) -> float | None:
    """Return a percentile of {upper bound: cumulated count}, interpolated as PromQL does; None without requests."""
    total = buckets.get(float("inf"), 0.0)
    if total <= 0:
        return None
    rank, below, low = share * total, 0.0, 0.0
    for bound in sorted(buckets):
        count = buckets[bound]
        if count >= rank:
            if bound == float("inf"):
                return low
            return low + (bound - low) * ((rank - below) / (count - below) if count > below else 1.0)
        below, low = count, bound
    return low


def _buckets(window: Window) -> dict[str, dict[float, float]]:
    """Return each target's latencies as {upper bound: cumulated count}."""
    by_target: dict[str, dict[float, float]] = {}
    for s in _seen(window, LATENCY):
        buckets = by_target.setdefault(s.target, {})
        bound = float(s.labels.get("le", "inf"))
        buckets[bound] = buckets.get(bound, 0.0) + s.increase
    return by_target


def latency(window: Window, limit: float = 5.0) -> Iterator[Recommendation]:
    """performance: one request of twenty took longer than the limit."""
    for target, buckets in _buckets(window).items():
        p95 = percentile(buckets, 0.95)
        if p95 is not None and p95 > limit:
            text = f"one request of twenty to {target} takes longer than {p95:.1f} s (limit {limit:g} s)"
            yield _recommend(
                window,
                "latency",
                target,
                "p95",
                "warning",
                text,
                metric=LATENCY,
                p95_seconds=p95,
                limit_seconds=limit,
                requests=buckets.get(float("inf"), 0.0),
            )


def saturated_gpu(window: Window) -> Iterator[Recommendation]:
    """resource: a GPU that was busy more than 95 % of the time on average."""
    for s in _seen(window, UTIL):
        if s.mean > 95:
            text = f"{_gpu(s)} of {s.target} is saturated ({s.mean:.0f} % busy): add capacity before load grows"
            yield _recommend(window, "saturated-gpu", s.target, _gpu(s), "warning", text, metric=UTIL, mean=s.mean)


def gpu_memory(window: Window) -> Iterator[Recommendation]:
    """resource: less than half, or more than 95 %, of a GPU's memory in use."""
    free = {(s.target, s.labels.get("gpu", "0")): s for s in _seen(window, FB_FREE)}
    for used in _seen(window, FB_USED):
        other = free.get((used.target, used.labels.get("gpu", "0")))
        if other is None or used.mean + other.mean <= 0:
            continue
        share = used.mean / (used.mean + other.mean)
        values = {"metric": FB_USED, "used_mib": used.mean, "free_mib": other.mean, "share": share}
        if share < 0.5:
            text = f"{_gpu(used)} of {used.target} uses {share:.0%} of its memory: a smaller one would do"
            yield _recommend(window, "gpu-memory-unused", used.target, _gpu(used), "info", text, **values)
        elif share > 0.95:
            text = f"{_gpu(used)} of {used.target} uses {share:.0%} of its memory: the next larger request fails"
            yield _recommend(window, "gpu-memory-full", used.target, _gpu(used), "warning", text, **values)


def idle_power(window: Window) -> Iterator[Recommendation]:
    """resource: a GPU that is idle and yet draws more than 100 W."""
    busy = {(s.target, s.labels.get("gpu", "0")): s for s in _seen(window, UTIL)}
    for s in _seen(window, POWER):
        load = busy.get((s.target, s.labels.get("gpu", "0")))
        if load is not None and load.mean < 10 and s.mean > 100:
            text = f"{_gpu(s)} of {s.target} draws {s.mean:.0f} W while idle: set a power limit"
            yield _recommend(
                window, "idle-power", s.target, _gpu(s), "info", text, metric=POWER, mean_watts=s.mean, busy=load.mean
            )


def _good_and_bad(window: Window, metric: str, label: tuple[str, ...], bad: str) -> dict[str, list[float]]:
    """Return each target's requests as [those without, those with a label that begins with ``bad``]."""
    totals: dict[str, list[float]] = {}
    for s in _seen(window, metric):
        value = next((s.labels[name] for name in label if s.labels.get(name)), "")
        totals.setdefault(s.target, [0.0, 0.0])[value.startswith(bad)] += s.increase
    return totals


def error_rate(window: Window, limit: float = 0.01) -> Iterator[Recommendation]:
    """application: more than one request of a hundred failed with a status of 500 and above."""
    for target, (good, bad) in _good_and_bad(window, REQUESTS, ("status", "code"), "5").items():
        share = bad / (good + bad) if good + bad else 0.0
        if share > limit:
            text = f"{share:.1%} of the requests to {target} fail (limit {limit:.0%})"
            yield _recommend(
                window,
                "error-rate",
                target,
                "errors",
                "error",
                text,
                metric=REQUESTS,
                failed=bad,
                requests=good + bad,
                share=share,
            )


def silent(window: Window) -> Iterator[Recommendation]:
    """application: a model server that has requests running and generates nothing."""
    running = {s.target: s for s in _seen(window, RUNNING)}
    for s in _seen(window, TOKENS):
        load = running.get(s.target)
        if load is not None and load.mean >= 1 and s.increase == 0:
            text = f"{s.target} has {load.mean:.1f} requests running and generated no token: it hangs"
            yield _recommend(
                window, "silent", s.target, "tokens", "error", text, metric=TOKENS, running=load.mean, tokens=0.0
            )


def truncated(window: Window, limit: float = 0.2) -> Iterator[Recommendation]:
    """application: more than one answer of five was cut off at its greatest length (a signal of quality)."""
    for target, (whole, cut) in _good_and_bad(window, FINISHED, ("finished_reason",), "length").items():
        share = cut / (whole + cut) if whole + cut >= ENOUGH else 0.0
        if share > limit:
            text = f"{share:.0%} of the answers of {target} are cut off: allow more tokens or ask for shorter answers"
            yield _recommend(
                window,
                "truncated",
                target,
                "answers",
                "info",
                text,
                metric=FINISHED,
                cut=cut,
                answers=whole + cut,
                share=share,
            )


def regression(window: Window, baseline: Window | None = None, factor: float = 1.5) -> Iterator[Recommendation]:
    """application: one request of twenty takes half as long again as in the time before the window."""
    before = _buckets(baseline) if baseline else {}
    for target, buckets in _buckets(window).items():
        then = before.get(target, {})
        if min(buckets.get(float("inf"), 0.0), then.get(float("inf"), 0.0)) < ENOUGH:
            continue
        p95, was = percentile(buckets, 0.95), percentile(then, 0.95)
        if p95 and was and p95 > factor * was:
            text = f"{target} has become slower: p95 {p95:.2f} s, {was:.2f} s before"
            yield _recommend(
                window,
                "latency-regression",
                target,
                "p95",
                "warning",
                text,
                metric=LATENCY,
                p95_seconds=p95,
                baseline_seconds=was,
                baseline_since=baseline.since.isoformat() + "Z",
                requests=buckets[float("inf")],
            )


Rule = Callable[[Window], Iterator[Recommendation]]
RULES: dict[str, tuple[Rule, ...]] = {
    "cost": (idle_gpu, price_per_token),
    "performance": (queue, kv_cache, latency),
    "resource": (saturated_gpu, gpu_memory, idle_power),
    "application": (error_rate, silent, truncated, regression),
}
METRICS: dict[str, tuple[str, ...]] = {
    "cost": (UTIL, TOKENS),
    "performance": (WAITING, *KV_CACHE, LATENCY),
    "resource": (UTIL, FB_USED, FB_FREE, POWER),
    "application": (REQUESTS, RUNNING, TOKENS, FINISHED, LATENCY),
}


def analyse(
    kind: str,
    window: Window,
    baseline: Window | None = None,
    price_per_hour: float = 0.0,
    latency_limit: float = 5.0,
) -> list[Recommendation]:
    """Return what the rules of an agent recommend for a window, compared with the time before it."""
    options = {
        price_per_token: {"price_per_hour": price_per_hour},
        latency: {"limit": latency_limit},
        regression: {"baseline": baseline},
    }
    return [found for rule in RULES[kind] for found in rule(window, **options.get(rule, {}))]
