"""Verdicts over views of a host that are hard to make for real; the others are in tests/integration."""

from __future__ import annotations

import pytest
from ansible_collections.optiinfra.platform.plugins.module_utils import _judge, _report
from ansible_collections.optiinfra.platform.plugins.module_utils._binding import Binding
from ansible_collections.optiinfra.platform.plugins.module_utils._engine import (
    Container,
    Engine,
    EngineError,
    Published,
    read_answer,
    read_container,
)
from ansible_collections.optiinfra.platform.plugins.module_utils._sockets import Listener, Process

POSTGRES = {
    "id": "demo/db.sql",
    "stack": "demo",
    "service": "db",
    "endpoint": "db.sql",
    "title": "Database",
    "published": 5432,
    "target": 5432,
    "host_ip": "127.0.0.1",
    "protocol": "tcp",
    "app_protocol": "postgresql",
    "health": None,
}
PROXY = Process(7, "docker-proxy", "docker-proxy", "root", "", "docker.service")
STRANGER = Process(42, "nc", "nc -l 5432", "daemon", "", "")


def container(service="db", project="demo", address="127.0.0.1", port=5432, **options):
    published = (Published(Binding(address, port), 5432),) if port else ()
    values = {"state": "running", "health": "healthy", "stand_in": "", "network": "demo", **options}
    return Container(service * 4, "demo-" + service, project, service, published=published, **values)


def view(*containers, listeners=(), owners=None):
    return _judge.View(tuple(listeners), containers, lambda inodes: owners or {})


def listening(address="127.0.0.1", inode=1):
    return Listener(Binding(address, 5432), inode, 0)


def available(seen, **options):
    return _judge.available([{**POSTGRES, **options}], None, seen)[0]


def serving(seen, **options):
    return _judge.serving([POSTGRES], "demo", seen, **options)


def test_nobody_there_is_free():
    assert available(view())["state"] == "free"


def test_own_container_with_its_proxy_is_own():
    assert available(view(container(), listeners=[listening()], owners={1: PROXY}))["state"] == "own"


def test_own_container_whose_port_the_engine_keeps_itself_is_own():
    dockerd = PROXY._replace(name="dockerd")
    assert available(view(container(), listeners=[listening()], owners={1: dockerd}))["state"] == "own"
    assert available(view(listeners=[listening()], owners={1: dockerd}))["state"] == "held"


def test_own_container_without_rights_to_see_the_proxy_is_own():
    assert available(view(container(), listeners=[listening()]))["state"] == "own"


def test_a_stranger_is_named_with_pid_and_command():
    row = available(view(listeners=[listening("0.0.0.0")], owners={1: STRANGER}))
    assert row["state"] == "held"
    assert row["problem"] == (
        "port 127.0.0.1:5432/tcp (wanted by demo/db.sql) is held by nc (pid 42, user daemon) on 0.0.0.0:5432/tcp. "
        "Look: ss -Hltnp 'sport = :5432'"
    )


def test_a_stranger_where_our_container_publishes_without_proxy_is_held():
    assert available(view(container(), listeners=[listening()], owners={1: STRANGER}))["state"] == "held"


def test_another_projects_container_is_named():
    row = available(view(container(project="other")))
    assert "held by container demo-db (service db of project other)" in row["problem"]
    assert "docker ps --filter publish=5432/tcp" in row["problem"]


def test_an_unseen_process_says_use_become():
    assert "may not see (use become)" in available(view(listeners=[listening()]))["problem"]


def test_a_missing_address_is_said():
    rows = _judge.available([{**POSTGRES, "host_ip": "10.9.9.9"}], None, view(), lambda address: True)
    assert "10.9.9.9 is no address of this host" in rows[0]["problem"]


def test_served_as_declared():
    verdict = serving(view(container(), listeners=[listening()], owners={1: PROXY}))
    assert verdict["problems"] == []
    assert verdict["endpoints"][0]["state"] == "serving"
    assert verdict["services"][0]["health"] == "healthy"


@pytest.mark.parametrize(
    ("seen", "state", "problem"),
    [
        (view(), "down", "no container of this project"),
        (view(container(state="exited", port=0)), "down", "is exited (exit status 137)"),
        (view(container(health="unhealthy")), "down", "is unhealthy: exit status 137"),
        (view(container(health="starting")), "down", "not healthy yet"),
        (view(container(port=0)), "down", "is not published by container demo-db"),
        (view(container(address="0.0.0.0")), "exposed", "is published on 0.0.0.0:5432/tcp, wider than declared"),
        (view(container(address="10.0.0.9")), "exposed", "is published on 10.0.0.9:5432/tcp"),
        (view(container(address="127.0.0.2")), "down", "is not published by container demo-db"),
        (view(container(), container("x", "other")), "foreign", "answered by container demo-x"),
        (view(container(), listeners=[listening()], owners={1: STRANGER}), "foreign", "answered by nc (pid 42"),
    ],
)
def test_not_served_as_declared(seen, state, problem):
    verdict = serving(seen, last_words=lambda found: "exit status 137")
    assert verdict["endpoints"][0]["state"] == state
    assert problem in verdict["problems"][0]


def test_an_endpoint_that_does_not_answer_is_down():
    verdict = serving(view(container()), probes=lambda items: {"demo/db.sql": "no connection: refused"})
    assert verdict["endpoints"][0]["state"] == "down"
    assert "no connection: refused" in verdict["problems"][0]


def test_services_without_ports_have_to_run():
    beat = container("beat", health="", port=0)
    assert serving(view(container(), beat), services=["beat"])["problems"] == []
    assert "beat: no container" in serving(view(container()), services=["beat"])["problems"][0]


def test_a_port_nobody_declared_is_found():
    seen = view(container(), container("other", port=9999))
    assert "publishes 127.0.0.1:9999/tcp, which its stack does not declare" in serving(seen)["problems"][0]


def test_stand_ins_are_listed():
    verdict = serving(view(container(stand_in="Not the real one")))
    assert verdict["stand_ins"] == {"db": "Not the real one"}
    text = _report.service_table(verdict)
    assert "db" in text.splitlines()[1]
    assert "postgresql://127.0.0.1:5432" in text
    assert "- db: Not the real one" in text


@pytest.mark.parametrize(
    "answer",
    [{"message": "no"}, None, [3], [{}], [{"Id": []}], [{"Id": "a", "Ports": [{"PublicPort": 0.5, "PrivatePort": 1}]}]],
)
def test_an_answer_that_is_no_list_of_containers_is_one_failure(answer):
    engine = Engine("unix:///nonexistent")
    engine._get = lambda _path: answer
    with pytest.raises(EngineError, match="cannot be asked: it answers what is no list of containers"):
        engine.containers()


@pytest.mark.parametrize("text", [b"", b"HTTP/1.0", b"ftp 200 x\r\n\r\n{}", b"HTTP/1.0 x OK\r\n\r\n"])
def test_an_answer_that_is_no_http_is_refused(text):
    with pytest.raises(ValueError, match="does not speak HTTP"):
        read_answer(text)


def test_the_engines_answer_is_read():
    found = read_container(
        {
            "Id": "abc",
            "Names": ["/demo-db"],
            "State": "running",
            "Status": "Up 3 minutes (health: starting)",
            "Labels": {"com.docker.compose.project": "demo", "com.docker.compose.service": "db"},
            "HostConfig": {"NetworkMode": "demo"},
            "Ports": [
                {"IP": "0.0.0.0", "PrivatePort": 5432, "PublicPort": 5432, "Type": "tcp"},
                {"IP": "::", "PrivatePort": 5432, "PublicPort": 5432, "Type": "tcp"},
                {"PrivatePort": 9000, "Type": "tcp"},
            ],
        }
    )
    assert (found.name, found.service, found.health) == ("demo-db", "db", "starting")
    assert [str(p.binding) for p in found.published] == ["0.0.0.0:5432/tcp", "[::]:5432/tcp"]
