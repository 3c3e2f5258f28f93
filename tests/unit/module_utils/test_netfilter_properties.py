"""An answer holds whatever a match that is not understood turns out to be: it is never a guess."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

from ansible_collections.optiinfra.platform.plugins.module_utils import _iptables, _netfilter, _ranges, _topology
from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from fuzz import cases

ADDRESS = _ranges.number("192.0.2.1")[1]
TOPOLOGY = _topology.Topology(
    {"eth0": [(4, ADDRESS, 24)], "docker0": [(4, _ranges.number("172.17.0.1")[1], 16)]}, ("eth0",)
)
SENDERS = ["1.1.1.1", "10.0.0.1", "10.1.0.1", "203.0.113.9"]
MYSTERY = "-m mystery --mystery"
MATCHES = [
    "",
    MYSTERY,
    MYSTERY,
    "-s 10.0.0.0/8",
    "! -s 10.0.0.0/16",
    "-s 203.0.113.9",
    "-p tcp -m tcp --dport 80",
    "-p udp",
]
MATCHES += ["-i docker0", "-o docker0", "-m conntrack --ctstate DNAT", "-p tcp -m tcp --sport 53"]
ENDS = ["ACCEPT", "DROP", "RETURN"]
CHAINS = {
    ("filter", "INPUT"): [*(f"-j {end}" for end in ENDS), "-j A", "-g A", "-j B"],
    ("filter", "FORWARD"): [*(f"-j {end}" for end in ENDS), "-j A", "-g B"],
    ("filter", "A"): [*(f"-j {end}" for end in ENDS), "-j B", "-g B"],
    ("filter", "B"): [f"-j {end}" for end in ENDS],
    ("nat", "PREROUTING"): ["-j N", "-j RETURN", "-p tcp -j DNAT --to-destination 172.17.0.2:80", "-j ACCEPT"],
    ("nat", "N"): ["-p tcp -j DNAT --to-destination 172.17.0.3", "-j RETURN", "-p tcp -j REDIRECT --to-ports 81"],
}


@st.composite
def rules(draw):
    out = {}
    for (table, chain), targets in CHAINS.items():
        lines = []
        for _n in range(draw(st.integers(0, 4))):
            matches = draw(st.lists(st.sampled_from(MATCHES), max_size=2, unique=True))
            lines.append(" ".join(["-A", chain, *matches, draw(st.sampled_from(targets))]))
        out.setdefault(table, []).extend(lines)
    text = ["*nat", ":PREROUTING ACCEPT", ":N -", *out["nat"], "COMMIT", "*filter"]
    text += [f":{chain} {draw(st.sampled_from(['ACCEPT', 'DROP']))}" for chain in ("INPUT", "FORWARD")]
    return "\n".join([*text, ":A -", ":B -", *out["filter"], "COMMIT"])


def said(text):
    judge = _netfilter.Judge(4, _iptables.parse(text, 4)[0], TOPOLOGY)
    found = {}
    for protocol, port in (("tcp", 80), ("tcp", 81), ("udp", 80)):
        pieces = judge.pieces(protocol, "eth0", ADDRESS, port)
        for sender in SENDERS:
            value = _ranges.number(sender)[1]
            (piece,) = [p for p in pieces if any(low <= value <= high for low, high in p.parts)]
            found[protocol, port, sender] = piece.status
    return found


@cases(200)
@given(rules(), st.lists(st.booleans(), min_size=60, max_size=60))
def test_an_answer_holds_whatever_the_unknown_is(text, truths):
    abstract = said(text)
    parts = text.split(MYSTERY)
    # Each of them is met, or never is: nothing comes in by the loopback.
    concrete = parts[0] + "".join(
        ("" if truth else "-i lo") + part for truth, part in zip(truths, parts[1:], strict=False)
    )
    known = said(concrete)
    assert "unknown" not in known.values()
    for key, status in abstract.items():
        assert status == "unknown" or known[key] == status, (key, status, known[key], text, concrete)


RANGES = st.lists(st.tuples(st.integers(0, 99), st.integers(0, 99)), max_size=8)


@cases(50)
@given(RANGES, RANGES)
def test_sets_of_addresses(one, two):
    first, second = _ranges.union(one), _ranges.union(two)
    sets = [{n for low, high in found for n in range(low, high + 1)} for found in (one, two)]

    def numbers(parts):
        assert list(parts) == sorted(parts)
        assert all(a[1] + 1 < b[0] for a, b in itertools.pairwise(parts)) or not parts
        return {n for low, high in parts for n in range(low, high + 1)}

    assert numbers(first) == sets[0]
    assert {n for low, high in _ranges.common(first, second) for n in range(low, high + 1)} == sets[0] & sets[1]
    assert {n for low, high in _ranges.without(first, second) for n in range(low, high + 1)} == sets[0] - sets[1]
    assert _ranges.size(first) == len(sets[0])
