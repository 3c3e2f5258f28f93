"""port_audit on a host that is a network namespace: its own rules and addresses, and a sender outside that knocks."""

from __future__ import annotations

import json
import os
import sys

import pytest

from .nets import Net

RUN = """
import importlib, json, sys
sys.path.insert(0, sys.argv[1])
from ansible.module_utils.testing import patch_module_args
code = importlib.import_module("ansible_collections.optiinfra.platform.plugins.modules.port_audit")
with patch_module_args(json.loads(sys.argv[2])):
    code.main()
"""
DOORS = ["10.99.1.2=1000", "fd00:99:1::2=1000", "0.0.0.0=1001", "::=1001", "0.0.0.0=1002/udp", "::=1002/udp"]
DOORS += ["127.0.0.1=1003", "10.99.2.1=1004", "0.0.0.0=1005", "::=1005", "0.0.0.0=1006/udp"]
IPTABLES = """
*filter
:INPUT DROP
-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A INPUT -p tcp -m multiport --dports 1000,1001,1004 -j ACCEPT
-A INPUT -p udp -m udp --dport 1002 -j ACCEPT
-A INPUT -p udp -m udp --dport 1006 -m length --length 0:20 -j DROP
-A INPUT -p udp -m udp --dport 1006 -j ACCEPT
COMMIT
"""
IP6TABLES = """
*filter
:INPUT ACCEPT
-A INPUT -p tcp -m tcp --dport 1000 -j REJECT
COMMIT
"""
# A table of the newer kind beside them, which has its say as well.
NFT = "table inet own { chain in { type filter hook input priority 10; policy accept; tcp dport 1001 drop; }; }"
EXPECTED = {
    ("10.99.1.2", 1000): ("allowed", "none"),
    ("fd00:99:1::2", 1000): ("none", "denied"),
    ("0.0.0.0", 1001): ("denied", "none"),
    ("::", 1001): ("none", "denied"),
    ("0.0.0.0", 1002): ("allowed", "none"),
    ("::", 1002): ("none", "allowed"),
    ("127.0.0.1", 1003): ("none", "none"),
    ("10.99.2.1", 1004): ("allowed", "none"),
    ("0.0.0.0", 1005): ("denied", "none"),
    ("::", 1005): ("none", "allowed"),
    ("0.0.0.0", 1006): ("unknown", "none"),
}


@pytest.fixture
def net():
    found = Net("pa" + os.urandom(3).hex())
    try:
        found.build()
        yield found
    finally:
        found.end()


@pytest.fixture
def audit(net, root, tmp_path):
    def run(**args):
        args = {"assignments": [], "docker_host": f"unix://{tmp_path}/none", **args}
        words = [sys.executable, "-c", RUN, str(root / ".collections"), json.dumps(args)]
        return json.loads(net.run(net.host, *words))

    return run


def rules(net):
    saved = [net.run(net.host, tool) for tool in ("iptables-save", "ip6tables-save")]
    return [line for text in saved for line in text.splitlines() if line[:1] == "-"], net.run(
        net.host, "nft", "-s", "list", "ruleset"
    )


def test_a_host_without_rules_is_left_without(net, audit):
    net.listen(net.host, *DOORS)
    before = rules(net)
    found = audit()
    assert rules(net) == before
    assert found["firewall"]["backend"] == "none"
    assert found["unseen"] == []
    verdicts = {(row["address"], row["port"]): row["firewall"] for row in found["open_ports"]}
    assert set(verdicts) == set(EXPECTED)
    assert {row["ipv4"] for row in verdicts.values()} == {"allowed", "none"}
    assert verdicts["127.0.0.1", 1003] == {"ipv4": "none", "ipv6": "none", "rule": "", "sources": []}


def test_each_port_in_each_family(net, audit):
    net.listen(net.host, *DOORS)
    net.run(net.host, "iptables-restore", input=IPTABLES)
    net.run(net.host, "ip6tables-restore", input=IP6TABLES)
    net.run(net.host, "nft", "-f", "-", input=NFT)
    before = rules(net)
    found = audit()
    assert rules(net) == before
    assert found["firewall"]["backend"] == "iptables (nf_tables), nftables"
    assert found["firewall"]["outside"] == ["eth0"]
    verdicts = {(row["address"], row["port"]): row["firewall"] for row in found["open_ports"]}
    assert {key: (row["ipv4"], row["ipv6"]) for key, row in verdicts.items()} == EXPECTED
    assert verdicts["0.0.0.0", 1001]["rule"] == "inet own in: tcp dport 1001 drop"
    knock, asked = net.knocker(net.outside), []
    for row in found["open_ports"]:
        for family, source, address in (("ipv4", "10.99.1.1", "10.99.1.2"), ("ipv6", "fd00:99:1::1", "fd00:99:1::2")):
            if row["firewall"][family] in ("allowed", "denied"):
                there = address if row["address"] in ("0.0.0.0", "::") else row["address"]
                asked.append([row["protocol"], source, there, row["port"], row["firewall"][family] == "allowed"])
    assert len(asked) == 9
    assert knock(asked) == [expected for *_question, expected in asked]
    codes = {(f["code"], f["subject"]): f["severity"] for f in found["findings"]}
    assert codes["undeclared-listener", "[::]:1001/tcp"] == "info"
    assert codes["undeclared-listener", "[::]:1005/tcp"] == "warning"
    assert codes["undeclared-listener", "0.0.0.0:1006/udp"] == "warning"


def test_the_outside_may_be_named(net, audit):
    net.listen(net.host, "0.0.0.0=1001")
    net.run(net.host, "iptables-restore", input="*filter\n:INPUT DROP\n-A INPUT -i docker0 -j ACCEPT\nCOMMIT\n")
    assert audit()["open_ports"][0]["firewall"]["ipv4"] == "denied"
    found = audit(external_interfaces=["eth0", "docker0"])["open_ports"][0]["firewall"]
    assert (found["ipv4"], found["sources"]) == ("partly", ["by docker0"])
    with pytest.raises(AssertionError) as raised:
        audit(external_interfaces=["eth7"])
    assert "eth7" in str(raised.value)
