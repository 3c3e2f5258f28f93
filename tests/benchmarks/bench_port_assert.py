"""Check 24 ports before a deploy: one port_assert task against 24 wait_for tasks, on 1 and on 10 hosts.

Prints the whole play's wall time, and the time of the checks alone (the play's less that of an empty play).

    python tests/benchmarks/bench_port_assert.py [RUNS]
"""

from __future__ import annotations

import json
import sys
from functools import partial

from common import alternate, local_hosts, playbook

PORTS = [3000, 3001, 5432, 5555, 6333, 6334, 6379, *range(8001, 8006), 8080, 8123, 9000, 9090, 9116, 9121, 9187]
PORTS += [8090, 8100, 8200, 9091, 9401]
# Ports that are surely free here: the same numbers, 30,000 higher would be ephemeral, so 20,000.
PORTS = [port + 20000 for port in PORTS]

HEAD = "- hosts: all\n  gather_facts: false\n  tasks:\n"
EMPTY = HEAD + "    - ansible.builtin.meta: noop\n"
WAIT_FOR = HEAD + "".join(
    f"    - ansible.builtin.wait_for: {{host: 127.0.0.1, port: {port}, state: stopped, timeout: 5}}\n" for port in PORTS
)
ASSIGNMENTS = [
    {
        "stack": "bench",
        "service": f"s{port}",
        "endpoint": f"s{port}.tcp",
        "id": f"bench/s{port}.tcp",
        "container": f"bench-s{port}",
        "published": port,
        "target": port,
        "host_ip": "127.0.0.1",
        "protocol": "tcp",
    }
    for port in PORTS
]
PORT_ASSERT = HEAD + (
    f"    - optiinfra.platform.port_assert:\n        state: available\n        assignments: {json.dumps(ASSIGNMENTS)}\n"
)


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    print(f"{len(PORTS)} ports, medians of {runs} runs, seconds")
    print(f"{'hosts':>5} {'wait_for':>10} {'port_assert':>12} {'ratio':>7} {'checks alone':>24} {'ratio':>7}")
    for hosts in (1, 10):
        inventory = local_hosts(hosts)
        empty, loop, ours = alternate(
            runs,
            *(partial(playbook, text, inventory) for text in (EMPTY, WAIT_FOR, PORT_ASSERT)),
        )
        alone = f"{loop - empty:.2f} / {ours - empty:.2f}"
        ratio = (loop - empty) / (ours - empty)
        print(f"{hosts:>5} {loop:>10.2f} {ours:>12.2f} {loop / ours:>7.1f} {alone:>24} {ratio:>7.1f}")


if __name__ == "__main__":
    main()
