"""Collection: samples a second from scrape to ClickHouse, and what a collection of 1, 10 and 100 targets costs.

Each target serves 1,000 samples. Runs the worker, the API and their real stores in containers of its own.

    python tests/benchmarks/bench_collect.py [COLLECTIONS]
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time

from common import CHECKOUT

sys.path.insert(0, str(CHECKOUT / "tests"))
from services import Platform, docker, healthy, images, until

SAMPLES = 1000
INTERVAL = 15


def cpu_seconds(container: str) -> float:
    """Return the processor time that a container's first process has used, all its threads included."""
    pid = docker("inspect", "--format", "{{.State.Pid}}", container)
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def collect(platform: Platform, targets: int) -> tuple[float, float]:
    """Collect once; return the seconds it took to be in ClickHouse and the worker's processor seconds."""
    worker = platform.names["data-collector-worker"]
    # Samples of the same second would replace each other.
    time.sleep(1.1)
    before, busy, begin = int(platform.clickhouse("SELECT count() FROM metrics")), cpu_seconds(worker), time.monotonic()
    platform.call("data-collector", 8005, "/api/v1/trigger", {})
    wanted = before + targets * SAMPLES
    if not until(lambda: int(platform.clickhouse("SELECT count() FROM metrics")) >= wanted):
        sys.exit(f"{targets} targets: not all samples arrived:\n{platform.logs('data-collector-worker')[-2000:]}")
    return time.monotonic() - begin, cpu_seconds(worker) - busy


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    with Platform(images("postgres", "clickhouse", "redis", "qdrant", "orchestrator")) as platform:
        platform.start_stores()
        platform.start_customer()
        print(f"{SAMPLES} samples each, medians of {runs} collections")
        print(f"{'targets':>8} {'seconds':>8} {'samples/s':>10} {'worker CPU s':>13} {f'cores every {INTERVAL} s':>18}")
        for count in (1, 10, 100):
            given = [
                {"name": f"t{number}", "kind": "vllm", "url": "http://customer:8100/thousand"}
                for number in range(count)
            ]
            for role in ("api", "worker"):
                name = "data-collector" + ("" if role == "api" else f"-{role}")
                if name in platform.names:
                    docker("rm", "--force", platform.names[name])
                command = f"optiinfra-collector-{role}"
                platform.start(name, "ORCHESTRATOR_IMAGE", command, OPTIINFRA_TARGETS=json.dumps(given))
            healthy(platform, "data-collector", 8005)
            healthy(platform, "data-collector-worker", 8005)
            collect(platform, count)
            measured = [collect(platform, count) for _run in range(runs)]
            seconds, busy = (statistics.median(values) for values in zip(*measured, strict=True))
            rate = count * SAMPLES / seconds
            print(f"{count:>8} {seconds:>8.2f} {rate:>10.0f} {busy:>13.2f} {busy / INTERVAL:>18.2f}", flush=True)


if __name__ == "__main__":
    main()
