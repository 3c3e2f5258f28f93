"""port_probe from outside: a network namespace is the host, this machine the vantage point."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time

import pytest

SERVER = """
import http.server, socket, sys, threading
for port in map(int, sys.argv[2:]):
    server = http.server.ThreadingHTTPServer((sys.argv[1], port), http.server.SimpleHTTPRequestHandler)
    threading.Thread(target=server.serve_forever).start()
print("up", flush=True)
"""


def ip(*args, check=True):
    return subprocess.run(["ip", *args], check=check, capture_output=True, text=True)


@pytest.fixture
def host(port, tmp_path):
    """A host of its own: its address, and a function that listens on ports there."""
    name, subnet = f"it{port}", f"10.{port // 256 % 256}.{port % 256}"
    running = []
    ip("netns", "add", name)
    try:
        ip("link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", name)
        ip("addr", "add", f"{subnet}.1/24", "dev", name)
        ip("link", "set", name, "up")
        for command in (f"addr add {subnet}.2/24 dev eth0", "link set eth0 up", "link set lo up"):
            ip("-n", name, *command.split())

        def listen(*ports, address=f"{subnet}.2"):
            command = ["ip", "netns", "exec", name, "python3", "-c", SERVER, address, *map(str, ports)]
            process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            running.append(process)
            process.stdout.readline()

        listen.address, listen.name = f"{subnet}.2", name
        yield listen
    finally:
        for process in running:
            process.kill()
            process.wait()
            process.stdout.close()
        ip("netns", "del", name, check=False)
        with contextlib.suppress(OSError):
            ip("link", "del", name, check=False)


def assignment(port, exposure, health=None):
    return {
        "id": f"demo/web.p{port}",
        "stack": "demo",
        "service": "web",
        "endpoint": f"web.p{port}",
        "published": port,
        "target": 80,
        "host_ip": "",
        "protocol": "tcp",
        "exposure": exposure,
        "health": health,
    }


def test_reachable_refused_and_filtered(module, host):
    host(8100)
    blackhole = "iptables -A INPUT -p tcp --dport 8200 -j DROP"
    subprocess.run(["ip", "netns", "exec", host.name, *blackhole.split()], check=True)
    found = module("port_probe", address=host.address, ports=[8100, 8200, 8300], timeout=0.5)
    assert {r["port"]: r["state"] for r in found["results"]} == {8100: "reachable", 8200: "filtered", 8300: "refused"}


def test_as_planned(module, host):
    host(8100, 22)
    host(5432, address="127.0.0.1")
    wanted = [assignment(8100, "public", "/"), assignment(5432, "loopback")]
    found = module("port_probe", address=host.address, assignments=wanted, reachable=[22])
    assert found["problems"] == []
    assert [r["http"] for r in found["results"] if r["port"] == 8100] == ["200"]


def test_not_as_planned(module, host):
    host(5432, 7777, 8200)
    wanted = [assignment(8100, "public"), assignment(5432, "loopback"), assignment(8200, "public", "/missing")]
    failed = module("port_probe", address=host.address, assignments=wanted, unreachable=[7777])
    assert failed["failed"]
    assert failed["problems"] == [
        f"{host.address}:5432 (demo/web.p5432) is reachable, and should not be",
        f"{host.address}:7777 (undeclared) is reachable, and should not be",
        f"{host.address}:8100 (demo/web.p8100) is refused, and should be reachable",
        f"{host.address}:8200 (demo/web.p8200): /missing answers 404",
    ]


def test_a_thousand_ports_take_no_longer_than_one_timeout_each_round(module, host):
    host(9000)
    begin = time.monotonic()
    found = module("port_probe", address=host.address, ports=list(range(8500, 9500)))
    assert [r["port"] for r in found["results"] if r["state"] == "reachable"] == [9000]
    assert len(found["results"]) == 1000
    assert time.monotonic() - begin < 60


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"ports": [0]}, "ports: 0"),
        ({"reachable": [70000]}, "reachable: 70000"),
        ({"address": " "}, "address: the host to probe is missing"),
        ({"timeout": 0}, "timeout has to be above 0"),
    ],
)
def test_bad_input_is_named(module, change, problem):
    assert module("port_probe", **{"address": "127.0.0.1", **change})["msg"].startswith(problem)


def test_a_name_that_does_not_resolve_is_no_crash(module):
    found = module("port_probe", address="no-such-host.invalid", ports=[80])
    assert found["results"][0]["state"] == "failed"


FEW_FILES = """
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (100, 200))
from ansible_collections.optiinfra.platform.plugins.module_utils import _reach
found = _reach.probe([{"address": "127.0.0.9", "port": port} for port in range(20000, 20600)])
print(sorted({one["state"] for one in found}), resource.getrlimit(resource.RLIMIT_NOFILE)[0])
"""


def test_no_more_connections_than_the_machine_allows_files(root):
    environment = {**os.environ, "PYTHONPATH": str(root / ".collections")}
    done = subprocess.run(
        [sys.executable, "-c", FEW_FILES], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout == "['refused'] 200\n"
