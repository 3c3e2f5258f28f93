"""Planning 100,000 bindings over 1,000 hosts, and how the time grows. Goal: under 2 s, and linear."""

from __future__ import annotations

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / ".collections"))

from ansible_collections.optiinfra.platform.plugins.module_utils._plan import plan
from ansible_collections.optiinfra.platform.plugins.module_utils._stack import Endpoint

PER_HOST = 100


def host(number):
    """100 endpoints of 10 stacks, every fifth of which wants the port of another."""
    return [
        Endpoint(f"s{i // 10}", f"x{i}", "http", 80, 3000 + (i - i % 5 + (i % 5) % 4) + number % 7, (), "127.0.0.1")
        for i in range(PER_HOST)
    ]


def measure(hosts):
    work = [[e._replace(choices=(e.preferred,)) for e in host(number)] for number in range(hosts)]
    begin = time.perf_counter()
    moves = sum(len(plan(endpoints)[1]) for endpoints in work)
    return time.perf_counter() - begin, moves


def main():
    before = None
    print(f"{'hosts':>6} {'bindings':>9} {'moved':>7} {'seconds':>8} {'us/binding':>11} {'growth':>7}")
    for hosts in (10, 100, 1000):
        seconds, moves = min(measure(hosts) for _round in range(3))
        growth = f"x{seconds / before:.1f}" if before else ""
        each = seconds / hosts / PER_HOST * 1e6
        print(f"{hosts:6} {hosts * PER_HOST:9} {moves:7} {seconds:8.3f} {each:11.1f} {growth:>7}")
        before = seconds


if __name__ == "__main__":
    main()
