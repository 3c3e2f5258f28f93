"""The guard against real traffic: outside, host and container are network namespaces, the DNAT is Docker's."""

from __future__ import annotations

import pytest
from ansible_collections.optiinfra.platform.plugins.module_utils import _firewall as fw

from .nets import Net

CONNECT = """
import socket, sys
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), 0.7).close()
    print("reachable")
except OSError as exc:
    print("filtered" if isinstance(exc, TimeoutError) else "refused")
"""


class Docker(Net):
    """With the rules that Docker makes for published ports."""

    def build(self):
        super().build()
        for tool, address in (("iptables", "10.99.2.2"), ("ip6tables", "[fd00:99:2::2]")):
            for port in (8100, 7777):
                match = f"-t nat -A PREROUTING -p tcp --dport {port} -m addrtype --dst-type LOCAL"
                self.run(self.host, tool, *match.split(), "-j", "DNAT", "--to-destination", f"{address}:80")
            for rule in ("-N DOCKER-USER", "-A DOCKER-USER -s 192.0.2.66 -j DROP", "-A DOCKER-USER -j RETURN"):
                self.run(self.host, tool, *rule.replace("192.0.2.66", "::66" if "6" in tool else "192.0.2.66").split())
            self.run(self.host, tool, *["-A", "FORWARD", "-j", "DOCKER-USER"])
        self.listen(self.container, "10.99.2.2=80", "fd00:99:2::2=80", "10.99.2.2=8100", "fd00:99:2::2=8100")
        self.listen(self.outside, "10.99.1.1=80", "fd00:99:1::1=80")

    def guard(self, tmp_path, **cidrs):
        """Load the chain as ufw does, then have it called as ufw's after.init does."""
        rules = fw.allowed([ASSIGNMENT], {"web.http": list(cidrs.values())} if cidrs else {}, [22])
        for tool, family in (("iptables-restore", 4), ("ip6tables-restore", 6)):
            text = fw.with_block("", fw.guard(rules, family))
            self.run(self.host, tool, "-n", "--test", input=text)
            self.run(self.host, tool, "-n", input=text)
        script = tmp_path / "after.init"
        script.write_text(fw.with_hook("#!/bin/sh\nset -e\n", True))
        self.run(self.host, "sh", str(script), "start")

    def look(self, where, address, port):
        return self.run(where, "python3", "-c", CONNECT, address, str(port)).strip()


ASSIGNMENT = {
    "id": "demo/web.http",
    "stack": "demo",
    "service": "web",
    "endpoint": "web.http",
    "published": 8100,
    "target": 80,
    "host_ip": "0.0.0.0",
    "protocol": "tcp",
    "exposure": "public",
}
FAMILIES = [("10.99.1.2", "10.99.2.2", "10.99.1.1"), ("fd00:99:1::2", "fd00:99:2::2", "fd00:99:1::1")]


@pytest.fixture
def net(port):
    found = Docker(f"fw{port}")
    try:
        found.build()
        yield found
    finally:
        found.end()


def test_only_what_is_planned_passes(net, tmp_path):
    for host, container, _outside in FAMILIES:
        # The danger first.
        assert [net.look(net.outside, host, port) for port in (8100, 7777)] == ["reachable"] * 2
        assert net.look(net.outside, container, 80) == "reachable"
    net.guard(tmp_path)
    for host, container, outside in FAMILIES:
        assert [net.look(net.outside, host, port) for port in (8100, 7777)] == ["reachable", "filtered"]
        # Straight to the container, even by a port of the same number as a public one.
        assert [net.look(net.outside, container, port) for port in (80, 8100)] == ["filtered"] * 2
        assert net.look(net.container, outside, 80) == "reachable"


def test_networks(net, tmp_path):
    net.guard(tmp_path, v4="192.0.2.0/24", v6="2001:db8::/32")
    assert [net.look(net.outside, host, 8100) for host, *_rest in FAMILIES] == ["filtered"] * 2
    net.guard(tmp_path, v4="10.99.1.0/24")
    assert [net.look(net.outside, host, 8100) for host, *_rest in FAMILIES] == ["reachable", "filtered"]
    net.guard(tmp_path, v6="fd00:99:1::/64")
    assert [net.look(net.outside, host, 8100) for host, *_rest in FAMILIES] == ["filtered", "reachable"]


@pytest.mark.parametrize("family", [4, 6])
def test_the_kernel_has_what_was_rendered_once(net, tmp_path, family):
    tool = "ip6tables" if family == 6 else "iptables"
    net.guard(tmp_path)
    net.guard(tmp_path)
    said = net.run(net.host, tool, "-S", fw.CHAIN).splitlines()[1:]
    rules = fw.allowed([ASSIGNMENT], {}, [22])
    assert said == [line for line in fw.guard(rules, family) if line.startswith("-A")]
    user = net.run(net.host, tool, "-S", "DOCKER-USER").splitlines()[1:]
    assert user[0] == f"-A DOCKER-USER -j {fw.CHAIN}"
    assert len(user) == 3
    assert "-j DROP" in user[1]
    assert user[2] == "-A DOCKER-USER -j RETURN"
