"""Listeners and established connections in this network namespace, until standard input ends.

    crowd.py LISTENERS CONNECTIONS: prints "up" when all of them are there.

No process may hold more descriptors than the machine allows, so several share them.
"""

from __future__ import annotations

import resource
import socket
import subprocess
import sys

FIRST, DOOR = 10000, 9999
EACH = 500  # listeners of a process
CROWD = 5000  # connections of a pair of processes


def listen(first: int, count: int) -> None:
    """Hold ``count`` listeners from port ``first`` on."""
    held = [socket.create_server(("0.0.0.0", port), backlog=128) for port in range(first, first + count)]
    print("up", flush=True)
    sys.stdin.read()
    del held


def serve(address: str) -> None:
    """Accept all connections and keep them."""
    held = []
    with socket.create_server((address, DOOR), backlog=4096) as door:
        print("up", flush=True)
        while len(held) < CROWD:
            held.append(door.accept()[0])
    print("full", flush=True)
    sys.stdin.read()


def connect(address: str, count: int) -> None:
    """Keep connections."""
    held = [socket.create_connection((address, DOOR)) for _unused in range(count)]
    print("up", flush=True)
    sys.stdin.read()
    del held


def main() -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    listeners, connections = int(sys.argv[1]), int(sys.argv[2])
    running = []

    def start(*words: object) -> None:
        command = [sys.executable, __file__, *map(str, words)]
        running.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
        assert running[-1].stdout.readline() == "up\n"

    for first in range(0, listeners, EACH):
        start("listen", FIRST + first, min(EACH, listeners - first))
    for pair in range(0, connections, CROWD):
        address = f"127.0.0.{2 + pair // CROWD}"
        start("serve", address)
        start("connect", address, CROWD)
        assert running[-2].stdout.readline() == "full\n"
    print("up", flush=True)
    sys.stdin.read()
    for process in running:
        process.stdin.close()
    for process in running:
        process.wait()


if __name__ == "__main__":
    {"listen": lambda first, count: listen(int(first), int(count)), "serve": serve,
     "connect": lambda address, count: connect(address, int(count))}.get(
        sys.argv[1], lambda *_words: main())(*sys.argv[2:])  # fmt: skip
