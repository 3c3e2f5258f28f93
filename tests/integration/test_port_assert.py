"""port_assert against real strangers and real containers."""

from __future__ import annotations

import os
import socket
import time

import pytest

from .conftest import docker


@pytest.fixture
def assignment(project):
    return lambda port, **options: {**assigned(project, port), **options}


def assigned(project, port):
    return {
        "id": f"{project}/web.http",
        "stack": project,
        "service": "web",
        "endpoint": "web.http",
        "published": port,
        "target": 80,
        "host_ip": "127.0.0.1",
        "protocol": "tcp",
        "app_protocol": "http",
        "health": None,
        "title": "Web",
    }


def test_a_free_port(module, assignment, port):
    found = module("port_assert", assignments=[assignment(port)])
    assert not found.get("failed")
    assert not found["changed"]
    assert found["endpoints"][0]["state"] == "free"


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0", "::"])
def test_a_stranger_is_named(module, assignment, listen, port, address):
    listen(address, port)
    failed = module("port_assert", assignments=[assignment(port)])
    assert failed["failed"]
    assert f"port 127.0.0.1:{port}/tcp (wanted by {assignment(port)['id']}) is held by" in failed["msg"]
    assert f"pid {os.getpid()}, user root" in failed["msg"]
    assert f"ss -Hltnp 'sport = :{port}'" in failed["msg"]


def test_a_stranger_elsewhere_is_nobodys_business(module, assignment, listen, port):
    listen("127.0.0.2", port)
    listen("::1", port)
    listen("127.0.0.1", port, socket.SOCK_DGRAM)
    assert module("port_assert", assignments=[assignment(port)])["endpoints"][0]["state"] == "free"


def test_udp(module, assignment, listen, port):
    listen("127.0.0.1", port, socket.SOCK_DGRAM)
    failed = module("port_assert", assignments=[assignment(port, protocol="udp")])
    assert f"ss -Hlunp 'sport = :{port}'" in failed["msg"]


def test_every_problem_is_told_at_once(module, assignment, listen, port):
    listen("127.0.0.1", port)
    listen("127.0.0.1", port + 1)
    failed = module("port_assert", assignments=[assignment(port), assignment(port + 1, id="x/web.two")])
    assert failed["msg"].startswith("2 of 2 planned ports cannot be had:")
    assert len(failed["problems"]) == 2


def test_an_address_of_another_host(module, assignment, port):
    failed = module("port_assert", assignments=[assignment(port, host_ip="203.0.113.9")])
    assert "203.0.113.9 is no address of this host" in failed["msg"]


def test_without_an_engine_it_still_works(module, assignment, listen, port):
    options = {"docker_host": "unix:///nowhere/docker.sock"}
    assert not module("port_assert", assignments=[assignment(port)], **options).get("failed")
    failed = module("port_assert", assignments=[assignment(port)], state="serving", **options)
    assert "no engine runs at unix:///nowhere/docker.sock" in failed["msg"]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"published": 0}, "assignments[0].published: 0: a port is a whole number"),
        ({"host_ip": "x"}, "assignments[0].host_ip: 'x'"),
        ({"protocol": "x"}, "assignments[0].protocol: 'x'"),
        ({"id": None}, "assignments[0].id: missing"),
    ],
)
def test_bad_assignments_are_named(module, assignment, port, change, problem):
    assert module("port_assert", assignments=[assignment(port, **change)])["msg"].startswith(problem)


def test_own_container_is_own_and_anothers_is_named(module, assignment, container, port):
    name = container("--publish", f"127.0.0.1:{port}:80")
    found = module("port_assert", assignments=[assignment(port)])
    assert found["endpoints"][0] | {"state": "own", "owner": name} == found["endpoints"][0]
    failed = module("port_assert", assignments=[assignment(port)], project="another")
    assert f"is held by container {name} (service web of project {assignment(port)['stack']})" in failed["msg"]
    assert f"docker ps --filter publish={port}/tcp" in failed["msg"]


def test_served_as_declared(module, assignment, container, port):
    container("--publish", f"127.0.0.1:{port}:80")
    found = module("port_assert", assignments=[assignment(port)], state="serving", timeout=5)
    assert found["endpoints"][0]["state"] == "serving"
    assert found["endpoints"][0]["url"] == f"http://127.0.0.1:{port}"


def test_wider_than_declared_is_found(module, assignment, container, port):
    container("--publish", f"0.0.0.0:{port}:80")
    failed = module("port_assert", assignments=[assignment(port)], state="serving")
    assert f"is published on 0.0.0.0:{port}/tcp, wider than declared" in failed["msg"]
    assert failed["endpoints"][0]["state"] == "exposed"


def test_an_undeclared_port_of_the_project_is_found(module, assignment, container, port):
    container("--publish", f"127.0.0.1:{port}:80")
    container("--publish", f"127.0.0.1:{port + 1}:80", service="side")
    failed = module("port_assert", assignments=[assignment(port)], state="serving", timeout=1)
    assert f"publishes 127.0.0.1:{port + 1}/tcp, which its stack does not declare" in failed["msg"]


def test_a_health_path_that_answers_404_is_told(module, assignment, container, port):
    container("--publish", f"127.0.0.1:{port}:80")
    failed = module("port_assert", assignments=[assignment(port, health="/health")], state="serving")
    assert "/health answers 404" in failed["msg"]


def test_a_stopped_container_is_told_with_its_exit_status(module, assignment, container, port):
    name = container("--publish", f"127.0.0.1:{port}:80", command=("sh", "-c", "exit 3"))
    docker("wait", name)
    failed = module("port_assert", assignments=[assignment(port)], state="serving")
    assert f"container {name} is exited (exit status 3)" in failed["msg"]


def health(command):
    return ("--health-cmd", command, "--health-interval", "1s", "--health-retries", "1")


def test_the_last_health_check_is_quoted(module, assignment, container, port):
    name = container("--publish", f"127.0.0.1:{port}:80", *health("echo wrong password; exit 1"))
    deadline = time.monotonic() + 30
    while docker("inspect", "--format", "{{.State.Health.Status}}", name) != "unhealthy":
        assert time.monotonic() < deadline
        time.sleep(0.2)
    failed = module("port_assert", assignments=[assignment(port)], state="serving")
    assert f"container {name} is unhealthy: wrong password" in failed["msg"]


def test_it_waits_for_what_is_still_starting(module, assignment, container, port):
    container("--publish", f"127.0.0.1:{port}:80", *health("exit 0"))
    failed = module("port_assert", assignments=[assignment(port)], state="serving", timeout=0)
    assert "not healthy yet" in failed["msg"]
    assert not module("port_assert", assignments=[assignment(port)], state="serving", timeout=20).get("failed")


def test_on_the_hosts_network_the_process_is_the_containers(module, assignment, container, port):
    name = container("--network", "host", command=("httpd", "-f", "-p", f"127.0.0.1:{port}"))
    wanted = [assignment(port, target=port)]
    found = module("port_assert", assignments=wanted, state="serving", timeout=5)
    assert not found.get("failed"), found
    assert found["endpoints"][0]["owner"] == name
    assert module("port_assert", assignments=wanted)["endpoints"][0]["state"] == "own"


def test_a_container_that_is_just_restarting_is_own(module, assignment, container, port):
    name = container("--publish", f"127.0.0.1:{port}:80", "--restart", "always")
    for _round in range(4):
        os.kill(_pid(name), 9)
        for _look in range(3):
            found = module("port_assert", assignments=[assignment(port)])
            assert not found.get("failed"), found["msg"]


def _pid(name):
    """The process of a container, once it has one (0 while it restarts)."""
    deadline = time.monotonic() + 20
    while not (pid := int(docker("inspect", "--format", "{{.State.Pid}}", name))):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return pid


def test_a_container_without_docker_proxy_is_seen(module, assignment, container, port):
    """Published by packet filter rules alone, as with userland-proxy false: there is no listener then."""
    name = container("--publish", f"127.0.0.1:{port}:80")
    proxies = [p for p in os.listdir("/proc") if p.isdigit() and f"-host-port\0{port}\0" in _command(p)]
    assert proxies
    for pid in proxies:
        os.kill(int(pid), 9)
    failed = module("port_assert", assignments=[assignment(port)], project="another")
    assert f"held by container {name}" in failed["msg"]


def _command(pid):
    try:
        with open(f"/proc/{pid}/cmdline") as handle:
            return handle.read()
    except OSError:
        return ""


def test_several_stacks_are_each_served_by_their_own_project(module, container, project, port):
    other = project + "-other"
    second = next(p for p in range(port + 1, port + 100) if p != port)
    container("-p", f"127.0.0.1:{port}:80")
    container("-p", f"127.0.0.1:{second}:80", "--label", f"com.docker.compose.project={other}")
    both = [assigned(project, port), assigned(other, second)]
    result = module("port_assert", assignments=both, state="serving", timeout=10)
    assert not result.get("failed"), result["msg"]
    assert [row["service"] for row in result["services"]] == ["web", "web"]
    swapped = [assigned(project, second), assigned(other, port)]
    result = module("port_assert", assignments=swapped, state="serving")
    assert result["failed"]
    assert len([text for text in result["problems"] if "is answered by container" in text]) == 2
