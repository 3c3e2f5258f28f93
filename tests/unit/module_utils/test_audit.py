"""Findings over views of a host that are hard to make for real; the others are in tests/integration."""

from __future__ import annotations

import re

import pytest
import yaml
from ansible_collections.optiinfra.platform.plugins.module_utils import (
    _audit,
    _filters,
    _iptables,
    _judge,
    _netfilter,
    _ranges,
    _topology,
)
from ansible_collections.optiinfra.platform.plugins.module_utils._binding import Binding
from ansible_collections.optiinfra.platform.plugins.module_utils._engine import Container, Published
from ansible_collections.optiinfra.platform.plugins.module_utils._sockets import Listener, Process
from ansible_collections.optiinfra.platform.plugins.modules import port_audit

HOST = _topology.Topology(
    {"eth0": [(4, _ranges.number("192.0.2.1")[1], 24)], "docker0": [(4, _ranges.number("172.17.0.1")[1], 16)]},
    ("eth0",),
)
DOCKER = """
*nat
:PREROUTING ACCEPT
-A PREROUTING -p tcp -m tcp --dport 8100 -j DNAT --to-destination 172.17.0.2:80
COMMIT
"""


def filters(*lines, policy="DROP", nat="", ufw=None):
    text = "\n".join([nat, "*filter", f":INPUT {policy}", ":FORWARD ACCEPT", *lines, "COMMIT"])
    judge = _netfilter.Judge(4, _iptables.parse(text, 4)[0], HOST)
    return _filters.Filters({4: judge}, HOST, ufw=ufw or {})


def container(address="127.0.0.1", port=8100, project="demo", **options):
    published = (Published(Binding(address, port), 80),)
    values = {"state": "running", "health": "", "stand_in": "", "network": "demo", **options}
    return Container("c" * 64, "demo-web", project, "web", published=published, **values)


ENDPOINT = {
    "id": "demo/web.http",
    "stack": "demo",
    "service": "web",
    "published": 8100,
    "host_ip": "127.0.0.1",
    "protocol": "tcp",
}


def audit(*containers, listeners=(), owners=None, declared=(), found=None, **options):
    view = _judge.View(tuple(listeners), containers, lambda inodes: owners or {}, user_of=lambda uid: f"uid{uid}")
    result = _audit.audit(list(declared), view, (32768, 60999), filters=found, **options)
    return {f["code"]: f for f in result["findings"]}, result["open_ports"]


def listening(address="0.0.0.0", port=9999, inode=1, protocol="tcp"):
    return Listener(Binding(address, port, protocol), inode, 7)


def test_the_firewall_denies_and_docker_lets_it_through():
    found, rows = audit(container("0.0.0.0"), declared=[{**ENDPOINT, "host_ip": "0.0.0.0"}], found=filters(nat=DOCKER))
    assert list(found) == ["firewall-bypassed"]
    finding = found["firewall-bypassed"]
    assert finding["subject"] == "demo/web.http"
    assert '"policy accept of FORWARD", which is asked before "policy drop of INPUT"' in finding["evidence"]
    assert rows[0]["firewall"]["ipv4"] == "allowed"


@pytest.mark.parametrize(
    ("policy", "severity", "words"), [("DROP", "warning", "; the firewall denies it"), ("ACCEPT", "error", "")]
)
def test_what_the_firewall_denies_is_milder(policy, severity, words):
    found, _rows = audit(container("0.0.0.0"), declared=[ENDPOINT], found=filters(policy=policy))
    assert found["wider-exposure"]["severity"] == severity
    assert found["wider-exposure"]["evidence"].startswith(
        "declared on 127.0.0.1:8100/tcp, open on 0.0.0.0:8100/tcp" + words
    )


def test_a_listener_behind_the_firewall_is_a_note():
    found, _rows = audit(listeners=[listening()], found=filters())
    assert found["undeclared-listener"]["severity"] == "info"
    found, _rows = audit(listeners=[listening()], found=filters("-A INPUT -m geoip --source-country DE -j ACCEPT"))
    assert found["undeclared-listener"]["severity"] == "warning"


def test_a_public_endpoint_that_is_denied():
    endpoint = {**ENDPOINT, "host_ip": "0.0.0.0", "exposure": "public"}
    assert "public-denied" in audit(container("0.0.0.0"), declared=[endpoint], found=filters())[0]
    assert audit(container("0.0.0.0"), declared=[endpoint], found=filters(policy="ACCEPT"))[0] == {}


def test_rules_for_nobody():
    lines = [f"-A INPUT -p tcp -m tcp --dport {port} -j ACCEPT" for port in (22, 9999, 8100, 7000)]
    lines += ["-A INPUT -p udp -m udp --dport 7000 -j ACCEPT", "-A INPUT -p udp -m udp --dport 6000:6010 -j ACCEPT"]
    lines += ["-A INPUT -p udp -m udp --sport 67 --dport 68 -j ACCEPT", "-A INPUT -i lo -p tcp --dport 5 -j ACCEPT"]
    ufw = {"rules": [{"protocol": "any", "port": "7000", "comment": "old game", "action": "allow", "source": ""}]}
    view = _judge.View((listening(port=22), listening("127.0.0.1", 9999, 2)), (), lambda inodes: {})
    result = _audit.audit([{**ENDPOINT, "host_ip": "0.0.0.0"}], view, (32768, 60999), filters=filters(*lines, ufw=ufw))
    found = {f["subject"]: f["evidence"] for f in result["findings"] if f["code"] == "rule-unused"}
    assert sorted(found) == ["6000-6010/udp", "7000/any", "9999/tcp"]
    assert '"-A INPUT -p tcp -m tcp --dport 7000 -j ACCEPT" (old game) lets it in' in found["7000/any"]


def test_ufw_that_is_not_loaded():
    assert "firewall-not-loaded" in audit(found=filters(ufw={"enabled": True}))[0]
    assert audit(found=filters(":ufw-user-input - [0:0]", ufw={"enabled": True}))[0] == {}
    assert audit(found=_filters.Filters({}, HOST, ("no",), "", {"enabled": True}))[0] == {}


def test_workers_are_one_row_and_strangers_share_a_port():
    worker = Process(10, "nginx", "nginx", "www", "", "nginx.service")
    stranger = Process(99, "evil", "evil", "bob", "", "")
    sockets = [listening(inode=i) for i in (1, 2, 3)]
    owners = {1: worker, 2: worker._replace(pid=11), 3: stranger}
    found, rows = audit(listeners=sockets[:2], owners=owners)
    assert [row["pids"] for row in rows] == [[10, 11]]
    assert list(found) == ["undeclared-listener"]
    found, rows = audit(listeners=sockets, owners=owners)
    assert [row["pids"] for row in rows] == [[10, 11], [99]]
    assert found["shared-port"]["severity"] == "warning"
    assert (
        "nginx (pid 10, user www, unit nginx.service) and by evil (pid 99, user bob)"
        in found["shared-port"]["evidence"]
    )
    datagrams = [listening("0.0.0.0", 5353, i, "udp") for i in (1, 3)]
    assert audit(listeners=datagrams, owners=owners)[0]["shared-port"]["severity"] == "info"


def test_an_owner_that_may_not_be_seen_has_a_user():
    _found, rows = audit(listeners=[listening()])
    assert (rows[0]["user"], rows[0]["pid"], rows[0]["pids"]) == ("uid7", None, [])


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        ("redis-server --requirepass hunter2 --port 1", "redis-server --requirepass *** --port 1"),
        ("x --api-key=abc --token  t PASSWORD=p", "x --api-key=*** --token *** PASSWORD=***"),
        ("nginx: worker process", "nginx: worker process"),
    ],
)
def test_secrets_of_a_command_line_are_left_out(command, shown):
    process = Process(10, "x", command, "root", "", "")
    _found, rows = audit(listeners=[listening()], owners={1: process})
    assert " ".join(rows[0]["command"].split()) == shown


def test_who_cannot_see_containers_does_not_call_anybody_a_squatter():
    stranger = Process(99, "evil", "evil", "bob", "", "")
    view = _judge.View((listening("127.0.0.1", 8100),), (), lambda inodes: {}, "no permission")
    assert _audit.audit([ENDPOINT], view, (32768, 60999))["findings"] == []
    assert [f["code"] for f in _audit.audit([ENDPOINT], view._replace(engine_problem=""), (1, 2))["findings"]] == [
        "squatter",
        "stack-not-running",
    ]
    seen = view._replace(owners=lambda inodes: {1: stranger})
    assert [f["code"] for f in _audit.audit([ENDPOINT], seen, (1, 2))["findings"]] == ["squatter"]


def test_every_code_is_documented_with_its_severity_and_remedy():
    notes = [re.sub(r"\s+", " ", note) for note in yaml.safe_load(port_audit.DOCUMENTATION)["notes"]]
    documented = {m.group(1): (m.group(2), n) for n in notes if (m := re.match(r"C\(([\w-]+)\) \((\w+)", n))}
    assert set(documented) == set(_audit.CODES)
    for code, (severity, remedy) in _audit.CODES.items():
        assert documented[code][0] == severity
        assert documented[code][1].endswith(remedy + ".")
