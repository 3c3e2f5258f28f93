"""Verdicts over what tools really printed, and over rules that are hard to load. The kernel is asked in integration."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest
from ansible_collections.optiinfra.platform.plugins.module_utils import (
    _filters,
    _iptables,
    _netfilter,
    _nftables,
    _ranges,
    _rules,
    _topology,
)
from ansible_collections.optiinfra.platform.plugins.module_utils._binding import Binding

FILES = Path(__file__).resolve().parents[1] / "files"


def number(text):
    return _ranges.number(text)[1]


TOPOLOGY = _topology.Topology(
    {
        "eth0": [(4, number("172.17.0.2"), 16), (6, number("fd00:77::13"), 64)],
        "eth1": [(4, number("10.0.0.5"), 24)],
        "docker0": [(4, number("172.18.0.1"), 16)],
        "br-1": [(4, number("172.19.0.1"), 16)],
    },
    ("eth0",),
)


def filters(texts, topology=TOPOLOGY, **options):
    judges = {
        family: _netfilter.Judge(family, _iptables.parse(text, family)[0], topology) for family, text in texts.items()
    }
    return _filters.Filters(judges, topology, **options)


@pytest.fixture(scope="module")
def real():
    """ufw that denies, with a few rules, and Docker 26 with published ports."""
    names = {4: "iptables-save-docker-ufw.txt", 6: "ip6tables-save-docker-ufw.txt"}
    return filters({family: (FILES / name).read_text() for family, name in names.items()})


GEO = "-m geoip --source-country DE"


def rules(*lines, policy="DROP", **options):
    return filters({4: "\n".join(["*filter", f":INPUT {policy} [0:0]", ":X - [0:0]", *lines, "COMMIT"])}, **options)


def said(found, port, protocol="tcp", address="0.0.0.0"):
    row = _filters.firewall(found, Binding(address, port, protocol))
    return row["ipv4"], row["sources"]


@pytest.mark.parametrize(
    ("port", "protocol", "ipv4", "ipv6", "sources"),
    [
        (22, "tcp", "allowed", "allowed", []),
        (2222, "tcp", "allowed", "allowed", []),
        (99, "tcp", "partly", "denied", ["192.0.2.0/24"]),
        (5005, "udp", "allowed", "allowed", []),
        (5005, "tcp", "denied", "denied", []),
        (7000, "tcp", "denied", "denied", []),
        (68, "udp", "partly", "denied", ["from source port 67"]),
        (8080, "tcp", "allowed", "denied", []),
        (8083, "tcp", "allowed", "denied", []),
        (8081, "tcp", "denied", "denied", []),
    ],
)
def test_ufw_and_docker(real, port, protocol, ipv4, ipv6, sources):
    row = _filters.firewall(real, Binding("", port, protocol))
    assert (row["ipv4"], row["ipv6"], row["sources"]) == (ipv4, ipv6, sources)


def test_the_rule_that_decides(real):
    row = _filters.firewall(real, Binding("", 8080))
    allow = "-A DOCKER -d 172.18.0.2/32 ! -i docker0 -o docker0 -p tcp -m tcp --dport 80 -j ACCEPT"
    assert row["rule"] == allow + "; policy drop of INPUT"
    assert _filters.bypass(real, 4, Binding("", 8080)) == (allow, "policy drop of INPUT")
    assert _filters.bypass(real, 4, Binding("", 22)) is None
    assert _filters.bypass(real, 6, Binding("", 8080)) is None
    assert _filters.bypass(real, 4, Binding("127.0.0.1", 8081)) is None


def test_what_ufw_opens_without_what_it_opens_for_itself(real):
    assert sorted(_filters.openings(real)) == [(22, 22), (99, 99), (2222, 2222), (5000, 5010)]


def test_loopback_is_nobodys():
    row = _filters.firewall(rules(policy="ACCEPT"), Binding("127.0.0.1", 80))
    assert row == {"ipv4": "none", "ipv6": "none", "rule": "", "sources": []}


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([], ("denied", [])),
        (["-A INPUT -p tcp -m tcp --dport 80 -j ACCEPT"], ("allowed", [])),
        (["-A INPUT -s 9.0.0.0/8 -j ACCEPT", "-A INPUT -s 1.1.1.1 -j ACCEPT"], ("partly", ["1.1.1.1/32", "9.0.0.0/8"])),
        (["-A INPUT -s 192.0.2.1/32 -j REJECT", "-A INPUT -j ACCEPT"], ("allowed", ["all but 192.0.2.1/32"])),
        # A banned range of an allowed network.
        (["-A INPUT -s 192.0.2.128/25 -j DROP", "-A INPUT -s 192.0.2.0/24 -j ACCEPT"], ("partly", ["192.0.2.0/25"])),
        # Not understood, and it matters.
        ([f"-A INPUT {GEO} -j ACCEPT"], ("unknown", [])),
        ([f"-A INPUT {GEO} -j DROP", "-A INPUT -j ACCEPT"], ("unknown", [])),
        (["-A INPUT -j NFQUEUE --queue-num 1"], ("unknown", [])),
        (["-A INPUT -j NOSUCHTARGET"], ("unknown", [])),
        (["-A INPUT -p tcp --dport ssh -j ACCEPT"], ("unknown", [])),
        # Not understood, and it does not matter.
        ([f"-A INPUT {GEO} -j DROP"], ("denied", [])),
        ([f"-A INPUT -p tcp {GEO} -m tcp --dport 81 -j ACCEPT"], ("denied", [])),
        ([f"-A INPUT {GEO} -j X", "-A INPUT -j ACCEPT"], ("allowed", [])),
        (["-A INPUT -j ACCEPT", f"-A INPUT {GEO} -j DROP"], ("allowed", [])),
        # A return that may have happened decides nothing.
        (["-A INPUT -j X", "-A INPUT -j ACCEPT", f"-A X {GEO} -j RETURN", "-A X -j DROP"], ("unknown", [])),
        (["-A INPUT -j X", f"-A X {GEO} -j RETURN", "-A X -j DROP"], ("denied", [])),
        # The sender's choice.
        (["-A INPUT -p tcp -m tcp --sport 53 -j ACCEPT"], ("partly", ["from source port 53"])),
        (["-A INPUT -p tcp -m tcp --sport 53 -j DROP", "-A INPUT -j ACCEPT"], ("allowed", [])),
        (["-A INPUT -p tcp -m tcp ! --sport 53 -j ACCEPT"], ("allowed", [])),
        (["-A INPUT -m mac --mac-source 0:1:2:3:4:5 -j ACCEPT"], ("partly", ["from MAC address 0:1:2:3:4:5"])),
        # A first packet of a sender that was never here.
        (["-A INPUT -m recent --rcheck --seconds 60 --name knock --rsource -j ACCEPT"], ("denied", [])),
        (["-A INPUT -m connlimit --connlimit-above 3 -j DROP", "-A INPUT -j ACCEPT"], ("allowed", [])),
        (["-A INPUT -m hashlimit --hashlimit-upto 5/sec --hashlimit-name a -j ACCEPT"], ("allowed", [])),
        (["-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"], ("denied", [])),
        (["-A INPUT -i lo -j ACCEPT"], ("denied", [])),
        (["-A INPUT -g X", "-A INPUT -j ACCEPT", "-A X -i lo -j ACCEPT"], ("denied", [])),
        (["-A INPUT -m comment --comment \"a \\\"quoted\\\" -j DROP\" -j ACCEPT"], ("allowed", [])),
        (["-A INPUT -j X", "-A X -j X"], ("unknown", [])),
        # The kernel would not have loaded it.
        (["-A INPUT -p tcp -j DNAT --to-destination 192.0.2.1"], ("unknown", [])),
    ],
)  # fmt: skip
def test_iptables(lines, expected):
    assert said(rules(*lines), 80) == expected


def test_a_return_that_may_have_happened_before_a_translation():
    nat = ["*nat", ":PREROUTING ACCEPT", ":N -", f"-A PREROUTING {GEO} -j RETURN", "-A PREROUTING -j N"]
    nat += ["-A N -p tcp -j DNAT --to-destination 172.18.0.2", "COMMIT", "*filter", ":FORWARD ACCEPT"]
    for policy, expected in (("DROP", "unknown"), ("ACCEPT", "allowed")):
        assert said(filters({4: "\n".join([*nat, f":INPUT {policy}", "COMMIT"])}), 80) == (expected, [])


def test_a_mark_is_known_until_somebody_sets_one():
    assert said(rules("-A INPUT -m mark --mark 0x1 -j ACCEPT"), 80) == ("denied", [])
    marked = rules("-A INPUT -j MARK --set-xmark 0x1/0x1", "-A INPUT -m mark --mark 0x1 -j ACCEPT")
    assert said(marked, 80) == ("unknown", [])


def test_a_host_of_two_networks():
    two = TOPOLOGY._replace(outside=("eth0", "eth1"))
    found = rules("-A INPUT -i eth1 -j ACCEPT", topology=two)
    assert said(found, 80) == ("partly", ["by eth1"])
    assert said(found, 80, address="10.0.0.5") == ("allowed", [])
    assert said(found, 80, address="172.17.0.2") == ("denied", [])


def test_nothing_leads_outside():
    assert said(rules(topology=TOPOLOGY._replace(outside=())), 80) == ("none", [])


def test_without_rules_that_can_be_read_nothing_is_said():
    unknown = _filters.Filters({}, TOPOLOGY, ("only root may",))
    assert said(unknown, 80) == ("unknown", [])


def test_an_answer_is_kept_for_the_ports_that_it_holds_for():
    judge = rules("-A INPUT -p tcp -m tcp --dport 100:200 -j ACCEPT").judges[4]
    first = judge.pieces("tcp", "eth0", number("172.17.0.2"), 150)
    assert judge.pieces("tcp", "eth0", number("172.17.0.2"), 100) is first
    assert judge.pieces("tcp", "eth0", number("172.17.0.2"), 200) is first
    for port, status in ((99, "no"), (201, "no"), (101, "yes")):
        assert [p.status for p in judge.pieces("tcp", "eth0", number("172.17.0.2"), port)] == [status]
    assert [p.status for p in judge.pieces("udp", "eth0", number("172.17.0.2"), 150)] == ["no"]


def test_many_rules_end_in_time():
    """Chains that call each other twice, 40 deep: 2^40 ways for who follows each."""
    lines = [f":C{i} - [0:0]" for i in range(40)] + ["-A INPUT -j C0"]
    lines += [f"-A C{i} -j C{i + 1}" for i in range(39) for _twice in range(2)]
    assert said(rules(*lines), 80) == ("unknown", [])


def nft(*items):
    tables = _nftables.parse(json.dumps({"nftables": list(items)}))
    return _filters.Filters({4: _netfilter.Judge(4, tables, TOPOLOGY)}, TOPOLOGY)


TABLE = {"table": {"family": "inet", "name": "t", "handle": 1}}
CHAIN = {
    "family": "inet",
    "table": "t",
    "name": "input",
    "type": "filter",
    "hook": "input",
    "prio": 0,
    "policy": "drop",
}


def rule(*statements):
    return {"rule": {"family": "inet", "table": "t", "chain": "input", "handle": 2, "expr": list(statements)}}


def payload(protocol, field):
    return {"payload": {"protocol": protocol, "field": field}}


ACCEPT = {"accept": None}


@pytest.mark.parametrize(
    ("statements", "expected"),
    [
        ([ACCEPT], "allowed"),
        ([{"quota": {"val": 1}}, ACCEPT], "unknown"),
        ([{"limit": {"rate": 1, "per": "second"}}, ACCEPT], "allowed"),
        ([{"limit": {"rate": 1, "per": "second", "inv": True}}, ACCEPT], "denied"),
        ([{"set": {"op": "add", "set": "@s", "stmt": [{"limit": {"rate": 1, "inv": True}}]}}, ACCEPT], "denied"),
        ([{"ct count": {"val": 9, "inv": True}}, ACCEPT], "denied"),
        ([{"xt": {"type": "match", "name": "string"}}, ACCEPT], "unknown"),
        ([{"xt": {"type": "target", "name": "LOG"}}, ACCEPT], "allowed"),
        ([{"xt": {"type": "target", "name": "NFQUEUE"}}], "unknown"),
        ([{"queue": {"num": 1}}], "unknown"),
        ([{"match": {"op": "==", "left": {"numgen": {"mode": "random", "mod": 2}}, "right": 0}}, ACCEPT], "unknown"),
        ([{"match": {"op": "==", "left": payload("tcp", "dport"), "right": "@none"}}, ACCEPT], "unknown"),
        ([{"match": {"op": "==", "left": payload("ip6", "saddr"), "right": "::1"}}, ACCEPT], "denied"),
        ([{"jump": {"target": "nowhere"}}, ACCEPT], "unknown"),
        ([{"jump": {"target": ["input"]}}, ACCEPT], "unknown"),
        (["garbage"], "unknown"),
        ([{}], "unknown"),
        ([{"match": None}, ACCEPT], "unknown"),
    ],
)  # fmt: skip
def test_nft(statements, expected):
    assert said(nft(TABLE, {"chain": CHAIN}, rule(*statements)), 80)[0] == expected


def test_a_dormant_table_is_asleep():
    asleep = {"table": {**TABLE["table"], "flags": "dormant"}}
    assert said(nft(asleep, {"chain": CHAIN}), 80)[0] == "allowed"
    assert said(nft(TABLE, {"chain": CHAIN}), 80)[0] == "denied"


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"nftables": 1}', '{"nftables": [{"chain": {"family": "ip"}}]}', "[" * 99999]
)
def test_what_nft_never_prints_is_refused(text):
    with pytest.raises(_rules.RulesError):
        _nftables.parse(text)


def read(files, tools, tables, monkeypatch):
    """Read the rules of a kernel that has these tables, [(family, name)], with these tools and files."""

    def table(family, name):
        return bytes([family, 0, 0, 0]) + struct.pack("=HH", 5 + len(name), 1) + name + b"\0"

    monkeypatch.setattr(_filters._netlink, "ask", lambda *_args: [table(*item) for item in tables])
    return _filters.read(TOPOLOGY, lambda tool, *_args: tools.get(tool), lambda path: files.get(path, ""))


def test_only_the_tools_that_are_needed_are_asked(monkeypatch):
    save = "*filter\n:INPUT DROP [0:0]\nCOMMIT\n"
    none = read({}, {}, [], monkeypatch)
    assert (none.backend, none.problems, said(none, 80)) == ("none", (), ("allowed", []))
    one = read({}, {"iptables-nft-save": save}, [(2, b"filter")], monkeypatch)
    assert (one.backend, one.problems, said(one, 80)) == ("iptables (nf_tables)", (), ("denied", []))
    old = read({"/proc/net/ip_tables_names": "filter\n"}, {"iptables-legacy-save": save}, [], monkeypatch)
    assert (old.backend, old.problems, said(old, 80)) == ("iptables (legacy)", (), ("denied", []))
    text = json.dumps({"nftables": [TABLE, {"chain": CHAIN}]})
    both = read({}, {"iptables-save": save, "nft": text}, [(2, b"filter"), (1, b"t")], monkeypatch)
    assert (both.backend, said(both, 80)) == ("iptables (nf_tables), nftables", ("denied", []))


@pytest.mark.parametrize(
    ("tools", "tables", "problem"),
    [
        ({}, [(1, b"t")], "the tables inet t cannot be read: there is no nft on this host"),
        ({"nft": "oops"}, [(1, b"t")], "nft printed what cannot be read"),
        ({"nft": ""}, [(2, b"filter")], "the tables ip filter cannot be read: nft printed nothing"),
        (
            {"iptables-save": "# Table `filter' is incompatible, use 'nft' tool.\n"},
            [(2, b"filter")],
            "ip filter cannot",
        ),
    ],
)
def test_rules_that_cannot_be_read_are_named(tools, tables, problem, monkeypatch):
    found = read({}, tools, tables, monkeypatch)
    assert problem in found.problems[0]
    assert said(found, 80) == ("unknown", [])


def test_without_privileges(monkeypatch):
    def refused(*_args):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(_filters._netlink, "ask", refused)
    found = _filters.read(TOPOLOGY, None, lambda path: "")
    assert "only root may read them (use become)" in found.problems[0]
    assert said(found, 80) == ("unknown", [])


def test_ufws_files():
    files = {
        "/etc/ufw/ufw.conf": "# x\nENABLED=yes\nLOGLEVEL=low\n",
        "/etc/default/ufw": 'IPV6=yes\nDEFAULT_INPUT_POLICY="DROP"\n',
        "/etc/ufw/user.rules": "### tuple ### limit tcp 2222 0.0.0.0/0 any 192.0.2.0/24 in comment=78\n"
        "### tuple ### allow any 53 0.0.0.0/0 any 0.0.0.0/0 out\n"
        "### tuple ### allow tcp 80,443 0.0.0.0/0 any 0.0.0.0/0 Web - in_eth0\n"
        "rubbish ### tuple ###\n### tuple ### x\n",
    }
    assert _filters.ufw_files(lambda path: files.get(path, "")) == {
        "enabled": True,
        "incoming": "deny",
        "rules": [
            {"action": "limit", "protocol": "tcp", "port": "2222", "source": "192.0.2.0/24", "comment": "x"},
            {"action": "allow", "protocol": "tcp", "port": "80,443", "source": "0.0.0.0/0", "comment": ""},
        ],
    }


def test_ipsets_of_addresses_are_looked_up():
    text = (
        "create bad hash:net family inet hashsize 1024\nadd bad 192.0.2.0/24\nadd bad 198.51.100.7 timeout 5\n"
        "create pairs hash:ip,port family inet\nadd pairs 192.0.2.1,tcp:80\n"
    )
    sets = _filters.ipsets(text)[4]
    lines = "*filter\n:INPUT ACCEPT\n-A INPUT -m set --match-set {0} src -j DROP\nCOMMIT\n"
    for name, expected in (
        ("bad", ("allowed", ["all but 192.0.2.0/24", "all but 198.51.100.7/32"])),
        ("pairs", ("unknown", [])),
    ):
        tables, _hidden = _iptables.parse(lines.format(name), 4, sets)
        assert said(_filters.Filters({4: _netfilter.Judge(4, tables, TOPOLOGY)}, TOPOLOGY), 80) == expected
