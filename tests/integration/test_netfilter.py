"""What is said about filter rules against what the kernel does: random rules, real packets from several senders.

OPTIINFRA_FUZZ=100 has it try a hundred times as many rule sets.
"""

from __future__ import annotations

import os
import random

import pytest
from ansible_collections.optiinfra.platform.plugins.module_utils import (
    _filters,
    _iptables,
    _netfilter,
    _nftables,
    _ranges,
    _topology,
)
from ansible_collections.optiinfra.platform.plugins.module_utils._binding import Binding

from . import rulesets
from .nets import Net

ROUNDS = 6 * int(os.environ.get("OPTIINFRA_FUZZ", "1"))
TOPOLOGY = _topology.Topology(
    {
        "lo": [(4, _ranges.number("127.0.0.1")[1], 8), (6, 1, 128)],
        "eth0": [(4, _ranges.number(a)[1], 24) for a in rulesets.HOST[4]]
        + [(6, _ranges.number(a)[1], 64) for a in rulesets.HOST[6]],
        "docker0": [(4, _ranges.number("10.99.2.1")[1], 24), (6, _ranges.number("fd00:99:2::1")[1], 64)],
    },
    ("eth0",),
)


class Wide(Net):
    """With more senders, and servers on every port that the rules speak of."""

    outside_addresses = " ".join(
        ["10.99.1.1/24", "fd00:99:1::1/64"]
        + [f"{a}/32" for a in rulesets.SOURCES[4][1:]]
        + [f"{a}/128" for a in rulesets.SOURCES[6][1:]]
    )

    def build(self):
        super().build()
        for address in ("10.99.1.3/24", "fd00:99:1::3/64"):
            self.run(self.host, *["ip", "addr", "add", address, "dev", "eth0"], *["nodad"] * (":" in address))
        ports = [80, *rulesets.PORTS]
        # An answer comes from the address that was asked.
        for where, addresses in (
            (self.host, rulesets.HOST[4] + rulesets.HOST[6]),
            (self.container, rulesets.CONTAINER.values()),
        ):
            self.listen(where, *(f"{a}={p}{k}" for a in addresses for p in ports for k in ("", "/udp")))
        for name in ("udp_timeout", "tcp_timeout_time_wait", "tcp_timeout_close_wait", "tcp_timeout_last_ack"):
            self.run(self.host, "sysctl", "-qw", f"net.netfilter.nf_conntrack_{name}=5")
        self.knock = self.knocker(self.outside)


@pytest.fixture(scope="module")
def net():
    found = Wide("nf" + os.urandom(3).hex())
    try:
        found.build()
        yield found
    finally:
        found.end()


def said(judge, protocol, family, source, address, port):
    value = _ranges.number(source)[1]
    pieces = judge.pieces(protocol, "eth0", _ranges.number(address)[1], port)
    (found,) = [p for p in pieces if any(low <= value <= high for low, high in p.parts)]
    return found


def compare(net, judges, text):
    """Knock from every sender on every door, and compare. Return how many verdicts there were of each kind."""
    asked, verdicts = [], []
    for family, judge in judges.items():
        for source in rulesets.SOURCES[family]:
            for address in rulesets.HOST[family]:
                for port in rulesets.PORTS:
                    for protocol in ("tcp", "udp"):
                        found = said(judge, protocol, family, source, address, port)
                        asked.append([protocol, source, address, port, found.status == "yes"])
                        verdicts.append(found)
    answers = net.knock(asked)
    wrong = [
        (question[:4], verdict.status, verdict.text, answer)
        for question, verdict, answer in zip(asked, verdicts, answers, strict=True)
        if verdict.status in ("yes", "no") and answer != (verdict.status == "yes")
    ]
    assert not wrong, f"{wrong[:5]}\n{text}"
    return {status: sum(v.status == status for v in verdicts) for status in ("yes", "no", "choice", "unknown")}


@pytest.mark.parametrize("number", range(ROUNDS))
def test_iptables(net, number):
    rng = random.Random(f"iptables {number}")
    strange = number % 3 == 2
    judges, texts = {}, []
    for family, tool in ((4, "iptables"), (6, "ip6tables")):
        text = rulesets.Iptables(rng, family, strange).text()
        net.run(net.host, f"{tool}-restore", input=text)
        saved = net.run(net.host, f"{tool}-save")
        tables, hidden = _iptables.parse(saved, family)
        assert hidden == []
        judges[family] = _netfilter.Judge(family, tables, TOPOLOGY)
        texts.append(saved)
    counts = compare(net, judges, "\n".join(texts))
    # Where every match is understood, there is an answer. (Which address of two an IPv6 interface redirects to is not.)
    if not strange and not any(" MARK " in text or "REDIRECT" in text for text in texts):
        assert counts["unknown"] == 0


@pytest.mark.parametrize("number", range(ROUNDS))
def test_nft(net, number):
    rng = random.Random(f"nft {number}")
    strange = number % 3 == 2
    for tool in ("iptables", "ip6tables"):
        net.run(net.host, f"{tool}-restore", input="*filter\nCOMMIT\n*nat\nCOMMIT\n*raw\nCOMMIT\n")
    text = rulesets.Nft(rng, strange).text()
    net.run(net.host, "nft", "-f", "-", input="flush ruleset\n" + text)
    tables = _nftables.parse(net.run(net.host, "nft", "-j", "list", "ruleset"))
    counts = compare(net, {f: _netfilter.Judge(f, tables, TOPOLOGY) for f in (4, 6)}, text)
    net.run(net.host, "nft", "flush", "ruleset")
    if not strange and "redirect" not in text:
        assert counts["unknown"] == 0


KNOWN = """
*nat
:PREROUTING ACCEPT
:DOCKER -
-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
-A DOCKER ! -i docker0 -p tcp -m tcp --dport 1005 -j DNAT --to-destination 10.99.2.2:80
-A DOCKER ! -i docker0 -p tcp -m tcp --dport 1006 -j DNAT --to-destination 10.99.2.2:80
COMMIT
*filter
:INPUT DROP
:FORWARD DROP
:DOCKER-USER -
-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A FORWARD -j DOCKER-USER
-A FORWARD -o docker0 -p tcp -m tcp --dport 80 -j ACCEPT
-A DOCKER-USER -p tcp -m conntrack --ctorigdstport 1006 --ctdir ORIGINAL -j DROP
-A INPUT -p tcp -m tcp --dport 1000 -j ACCEPT
-A INPUT -s 192.0.2.0/24 -p tcp -m tcp --dport 1001 -j ACCEPT
-A INPUT -s 192.0.2.77 -p tcp -m tcp --dport 1002 -j DROP
-A INPUT -p tcp -m tcp --dport 1002 -j ACCEPT
-A INPUT -p tcp -m tcp --sport 53 --dport 1003 -j ACCEPT
-A INPUT -p tcp -m tcp --dport 1004 -m length --length 0:9 -j ACCEPT
-A INPUT -p tcp -m tcp --dport 1007:1009 -j ACCEPT
COMMIT
"""
VERDICTS = {
    1000: ("allowed", []),
    1001: ("partly", ["192.0.2.0/24"]),
    1002: ("allowed", ["all but 192.0.2.77/32"]),
    1003: ("partly", ["from source port 53"]),
    1004: ("unknown", []),
    1005: ("allowed", []),
    1006: ("denied", []),
}


def test_verdicts_as_people_read_them(net):
    """A network that may, a banned address, a port of the sender's choice, a match that nobody understands, Docker."""
    net.run(net.host, "iptables-restore", input=KNOWN)
    try:
        tables, _hidden = _iptables.parse(net.run(net.host, "iptables-save"), 4)
        filters = _filters.Filters({4: _netfilter.Judge(4, tables, TOPOLOGY)}, TOPOLOGY)
        said = {port: _filters.firewall(filters, Binding("0.0.0.0", port)) for port in VERDICTS}
        assert {port: (row["ipv4"], row["sources"]) for port, row in said.items()} == VERDICTS
        assert said[1001]["rule"] == "-A INPUT -s 192.0.2.0/24 -p tcp -m tcp --dport 1001 -j ACCEPT"
        assert {row["ipv6"] for row in said.values()} == {"none"}
        bypassed = [port for port in VERDICTS if _filters.bypass(filters, 4, Binding("0.0.0.0", port))]
        assert bypassed == [1005]
        assert [ports for ports in _filters.openings(filters) if ports[0] > 1006] == [(1007, 1009)]
        # The kernel agrees.
        senders = ("10.99.1.1", "192.0.2.77", "192.0.2.10")
        reach = {1000: senders, 1001: senders[1:], 1002: (senders[0], senders[2]), 1005: senders}
        asked = [["tcp", s, "10.99.1.2", p, s in reach.get(p, ())] for p in VERDICTS for s in senders]
        assert net.knock(asked) == [expected for *_question, expected in asked]
    finally:
        net.run(net.host, "iptables-restore", input="*filter\nCOMMIT\n*nat\nCOMMIT\n")


# As Docker's own nftables backend writes it: a map of jumps by interface, no chain DOCKER-USER.
NATIVE = """
table ip docker-bridges {
    map filter-forward-in-jumps { type ifname : verdict; elements = { "docker0" : jump filter-forward-in__docker0 }; }
    chain filter-forward-in__docker0 {
        ct state established,related counter accept
        iifname "docker0" counter accept comment "ICC"
        ip daddr 10.99.2.2 tcp dport 80 counter accept
        counter drop comment "UNPUBLISHED PORT DROP"
    }
    chain nat-prerouting-and-output {
        iifname != "docker0" tcp dport 1005 counter dnat to 10.99.2.2:80 comment "DNAT"
        iifname != "docker0" tcp dport 1006 counter dnat to 10.99.2.2:1006 comment "DNAT"
    }
    chain filter-FORWARD {
        type filter hook forward priority filter; policy accept
        oifname vmap @filter-forward-in-jumps
    }
    chain nat-PREROUTING {
        type nat hook prerouting priority dstnat; policy accept
        fib daddr type local counter jump nat-prerouting-and-output
    }
    chain raw-PREROUTING {
        type filter hook prerouting priority raw; policy accept
        ip daddr 10.99.2.2 iifname != "docker0" counter drop comment "DROP DIRECT ACCESS"
    }
}
table inet filter {
    set doors { type inet_service; flags interval; elements = { 1000, 1007-1009 }; }
    chain input {
        type filter hook input priority filter; policy drop
        ct state vmap { established : accept, related : accept, invalid : drop }
        meta l4proto { icmp, ipv6-icmp } accept
        tcp dport @doors accept
    }
}
"""


def test_dockers_nftables_backend(net):
    for tool in ("iptables", "ip6tables"):
        net.run(net.host, f"{tool}-restore", input="*filter\nCOMMIT\n*nat\nCOMMIT\n*raw\nCOMMIT\n")
    net.run(net.host, "nft", "-f", "-", input="flush ruleset" + NATIVE)
    try:
        tables = _nftables.parse(net.run(net.host, "nft", "-j", "list", "ruleset"))
        filters = _filters.Filters({f: _netfilter.Judge(f, tables, TOPOLOGY) for f in (4, 6)}, TOPOLOGY)
        said = {port: _filters.firewall(filters, Binding("", port)) for port in rulesets.PORTS}
        assert [port for port in said if said[port]["ipv4"] == "allowed"] == [1000, 1005, 1007, 1008, 1009]
        assert [port for port in said if said[port]["ipv6"] == "allowed"] == [1000, 1007, 1008, 1009]
        assert {row[f] for row in said.values() for f in ("ipv4", "ipv6")} == {"allowed", "denied"}
        assert said[1005]["rule"] == (
            "ip docker-bridges filter-forward-in__docker0: ip daddr 10.99.2.2 tcp dport 80 accept; policy drop of input"
        )
        assert [p for p in said if _filters.bypass(filters, 4, Binding("0.0.0.0", p))] == [1005]
        asked = [["tcp", "192.0.2.10", "10.99.1.2", p, said[p]["ipv4"] == "allowed"] for p in said]
        asked += [["tcp", "2001:db8::10", "fd00:99:1::2", p, said[p]["ipv6"] == "allowed"] for p in said]
        assert net.knock(asked) == [expected for *_question, expected in asked]
    finally:
        net.run(net.host, "nft", "flush", "ruleset")
