"""Audit a host: port_audit against community.general.listen_ports_facts, which tells less; and 50 hosts in one play.

The host is a network namespace with 10, 200 and 2,000 listeners and 20,000 established connections (40,000 sockets,
as both ends are there). Prints the wall time of the whole play, and that of the module on the host: the file that
Ansible sends there, run as Ansible runs it; and the ratio of what both take beyond ansible.builtin.ping, which does
nothing. The 50 hosts are names of this machine, each with a connection of its own.

    python tests/benchmarks/bench_port_audit.py [RUNS]
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from common import alternate, command, local_hosts, playbook, sent

HEAD = "- hosts: all\n  gather_facts: false\n  tasks:\n"
EMPTY = HEAD + "    - ansible.builtin.meta: noop\n"
THEIRS = HEAD + "    - community.general.listen_ports_facts:\n"
OURS = HEAD + "    - optiinfra.platform.port_audit: {lock: /nonexistent/ports.json}\n"
MODULES = {
    "ansible.builtin.ping": "",
    "community.general.listen_ports_facts": "",
    "optiinfra.platform.port_audit": "lock=/nonexistent/ports.json",
}
CASES = [(200, 0), (10, 20000), (200, 20000), (2000, 20000)]


@contextlib.contextmanager
def crowded(listeners: int, connections: int) -> Iterator[tuple[str, ...]]:
    """Make a host with these; yield what to run a command by so that it runs there."""
    name = f"bench-{uuid.uuid4().hex[:8]}"
    prefix = ("ip", "netns", "exec", name)
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        subprocess.run([*prefix, "ip", "link", "set", "lo", "up"], check=True)
        words = [*prefix, sys.executable, str(Path(__file__).with_name("crowd.py")), str(listeners), str(connections)]
        with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as crowd:
            if crowd.stdout.readline() != "up\n":
                sys.exit("the crowd did not come")
            yield prefix
            crowd.stdin.close()
    finally:
        subprocess.run(["ip", "netns", "del", name], check=True)


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    one = local_hosts(1)
    print(f"medians of {runs} runs, seconds")
    print(f"{'':21} {'the play':^35} {'the module on the host':^35}   beyond")
    names = f"{'listen_ports_facts':>18} {'port_audit':>10} {'ratio':>5}"
    print(f"{'listeners':>9} {'connections':>11} {names} {names} {'ping':>8}")
    with tempfile.TemporaryDirectory() as folder:
        files = [sent(module, arguments, Path(folder)) for module, arguments in MODULES.items()]
        for listeners, connections in CASES:
            with crowded(listeners, connections) as prefix:
                # What takes a minute needs no repetition to be told from a second.
                measured = alternate(
                    1 if listeners > 1000 else runs,
                    *(partial(playbook, text, one, prefix=prefix) for text in (THEIRS, OURS)),
                    *(partial(command, *prefix, "/usr/bin/python3", str(file)) for file in files),
                )
            pairs = [f"{t:>18.2f} {o:>10.2f} {t / o:>5.1f}" for t, o in (measured[:2], measured[3:])]
            _ping, theirs, ours = (seconds - measured[2] for seconds in measured[2:])
            print(f"{listeners:>9} {connections:>11} {' '.join(pairs)} {theirs / ours:>8.1f}")
    empty, ours = alternate(runs, *(partial(playbook, text, local_hosts(50), forks=20) for text in (EMPTY, OURS)))
    print(f"50 hosts in one play, 20 at a time: {ours:.2f} s, {ours - empty:.2f} s more than an empty play")


if __name__ == "__main__":
    main()
