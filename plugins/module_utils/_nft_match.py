# Copyright: (c) 2026, The optiinfra.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the matches of nft's rules compare, as matches of ours. Pure.

nft leaves out what an expression takes for granted: ``tcp dport 22`` in its JSON says nothing of the protocol. So a
comparison is read as (what it takes for granted, what it compares), and only the latter is negated by ``!=``.
"""

from __future__ import annotations

from ._ranges import network, union, without
from ._rules import NUMBERS, RulesError

LOOK = {"dport": "dport", "sport": "sport", "daddr": "dst", "saddr": "src"}
L4 = {"tcp": 6, "udp": 17, "sctp": 132, "udplite": 136, "dccp": 33, "icmp": 1, "icmpv6": 58, "esp": 50, "ah": 51}
RANGED = ("src", "dst", "dport", "sport", "asked_dst", "asked_dport")
NAMED = ("iif", "oif", "protocol", "state", "status", "dst_type", "src_type")
UNKNOWN = ("unknown", False, None)
NEVER = ("never", False, None)
ALWAYS = ("always", False, None)


class Comparisons:
    """Reads the comparisons of one table, of a family (0 for both)."""

    def __init__(self, family, sets, marked):
        self._family, self._sets, self._marked = family, sets, marked

    def elements(self, data):
        """Return the elements of a set or map, named or written out; None when it is not to be had."""
        if isinstance(data, str) and data.startswith("@"):
            return self._sets.get(data[1:])
        if isinstance(data, dict) and "set" in data:
            data = data["set"]
            return [plain(item) for item in (data if isinstance(data, list) else [data])]
        return None

    def match(self, value):
        """Return the matches of a match statement."""
        operator, left, right = value.get("op"), value.get("left"), value.get("right")
        if operator in ("==", "in", "!="):
            values = self._alternatives(right)
            if not values:
                return [NEVER if values == [] and operator != "!=" else UNKNOWN]
            return _joined([self._compared(left, item) for item in values], operator == "!=")
        if operator in ("<", ">", "<=", ">=") and isinstance(right, int):
            low, high = {"<": (0, right - 1), "<=": (0, right), ">": (right + 1, 65535), ">=": (right, 65535)}[operator]
            return self.equal(left, {"range": [low, high]})
        return [UNKNOWN]

    def equal(self, left, right):
        """Return the matches of "left is right"."""
        taken, compared = self._compared(left, right)
        return [*taken, *compared]

    def _alternatives(self, right):
        """Return the values of which the left side has to be one, None when they are not to be had."""
        if (isinstance(right, str) and right.startswith("@")) or (isinstance(right, dict) and "set" in right):
            return self.elements(right)
        return right if isinstance(right, list) else [right]

    def _compared(self, left, right):
        """Return ([what is taken for granted], [what is compared]) of "left is right"."""
        if isinstance(left, dict) and "concat" in left:
            parts = right.get("concat") if isinstance(right, dict) else None
            if not isinstance(parts, list) or len(parts) != len(left["concat"]):
                return [], [UNKNOWN]
            pairs = [self._compared(one, two) for one, two in zip(left["concat"], parts)]
            return [m for taken, _found in pairs for m in taken], [m for _taken, found in pairs for m in found]
        if not isinstance(left, dict) or len(left) != 1:
            return [], [UNKNOWN]
        kind, value = next(iter(left.items()))
        if kind == "&":
            return _masked(value, right)
        reader = getattr(self, "_left_{0}".format(kind), None)
        if reader is None or not isinstance(value, dict):
            return [], [UNKNOWN]
        if isinstance(right, list) or (isinstance(right, dict) and "set" in right):
            return [], self.match({"op": "==", "left": left, "right": right})
        return reader(value, right)

    def _left_payload(self, value, right):
        protocol, field = value.get("protocol"), value.get("field")
        if protocol in ("ip", "ip6"):
            family = 4 if protocol == "ip" else 6
            taken = [("family", False, family)]
            if self._family and self._family != family:
                return [], [NEVER]
            if field in ("saddr", "daddr"):
                return taken, [(LOOK[field], False, (_address_range(family, right),))]
            if field in ("protocol", "nexthdr"):
                return taken, [("protocol", False, (_protocol(right),))]
            return taken, [UNKNOWN]
        if protocol in L4 or protocol == "th":
            taken = [("protocol", False, (L4[protocol],))] if protocol in L4 else []
            if field in ("dport", "sport"):
                return taken, [(LOOK[field], False, (_number_range(right),))]
            # The first packet of TCP has SYN and no other flag.
            if field == "flags" and isinstance(right, str):
                return taken, [ALWAYS if right == "syn" else NEVER]
            return taken, [UNKNOWN]
        return [], [NEVER if protocol in ("arp", "vlan") else UNKNOWN]

    def _left_meta(self, value, right):
        key = value.get("key")
        if key in ("iifname", "iif", "oifname", "oif") and isinstance(right, str):
            return [], [(key[:3], False, (right,))]
        if key == "l4proto":
            return [], [("protocol", False, (_protocol(right),))]
        if key in ("nfproto", "protocol"):
            family = {"ipv4": 4, "ip": 4, "ipv6": 6, "ip6": 6, 2: 4, 10: 6, 0x800: 4, 0x86DD: 6}.get(right)
            return [], [("family", False, family) if family else NEVER]
        if key == "mark":
            return [], [self._mark(right)]
        if key == "pkttype":
            return [], [ALWAYS if right in ("unicast", "host") else NEVER]
        return [], [UNKNOWN]

    def _mark(self, right):
        """Nobody has marked the packet, unless a rule does."""
        if self._marked or isinstance(right, bool) or not isinstance(right, int):
            return UNKNOWN
        return ALWAYS if right == 0 else NEVER

    def _left_ct(self, value, right):
        key, way = value.get("key"), value.get("dir")
        if key in ("state", "status") and isinstance(right, str):
            return [], [(key, False, (right.upper(),))]
        if key == "direction":
            return [], [ALWAYS if right in ("original", 0) else NEVER]
        if key == "mark":
            return [], [self._mark(right)]
        if way == "original" and key == "proto-dst":
            return [], [("asked_dport", False, (_number_range(right),))]
        if way == "original" and key in ("daddr", "ip daddr", "ip6 daddr", "saddr", "ip saddr", "ip6 saddr"):
            words = key.split(" ")
            family = {"ip": 4, "ip6": 6}.get(value.get("family") or words[0], self._family)
            if family:
                kind = "asked_dst" if words[-1] == "daddr" else "src"
                return [("family", False, family)], [(kind, False, (_address_range(family, right),))]
        return [], [UNKNOWN]

    def _left_fib(self, value, right):
        flags = value.get("flags")
        flags = [flags] if isinstance(flags, str) else flags
        if value.get("result") == "type" and isinstance(right, str) and flags in (["daddr"], ["saddr"]):
            return [], [("dst_type" if flags == ["daddr"] else "src_type", False, (right.upper(),))]
        # The way back leads where the packet came from: its sender is what it says.
        if value.get("result") == "oif" and flags and "saddr" in flags and right in (0, False, "missing"):
            return [], [NEVER]
        return [], [UNKNOWN]


def _joined(groups, negated):
    """Return the matches of "one of these", or of "none of them"."""
    taken = groups[0][0]
    if any(other != taken for other, _compared in groups):
        return [UNKNOWN]
    found = [compared for _taken, compared in groups]
    heads = {match[0] for compared in found for match in compared}
    # The common case, a set of ports or of addresses, is one match.
    if len(heads) == 1 and all(len(compared) == 1 and not compared[0][1] for compared in found):
        kind = next(iter(heads))
        if kind in RANGED:
            return [*taken, _one(kind, negated, union(r for compared in found for r in compared[0][2]))]
        if kind in NAMED:
            return [*taken, (kind, negated, tuple(v for compared in found for v in compared[0][2]))]
    if len(found) == 1 and not negated:
        return [*taken, *found[0]]
    if len(found) == 1 and len(found[0]) == 1:
        kind, already, value = found[0][0]
        return [*taken, _one(kind, not already, value)]
    return [*taken, ("any", negated, tuple(tuple(compared) for compared in found))]


def _one(kind, negated, value):
    if kind == "sport" and negated:
        return kind, False, without(((0, 65535),), union(value))
    return kind, negated, value


def _masked(value, right):
    """Return what ``tcp flags & mask == flags`` takes for granted and compares."""
    left, mask = value
    if left != {"payload": {"protocol": "tcp", "field": "flags"}}:
        return [], [UNKNOWN]
    mask = mask["|"] if isinstance(mask, dict) and "|" in mask else mask
    mask = set(mask if isinstance(mask, list) else [mask])
    wanted = set(right if isinstance(right, list) else [right] if right else [])
    return [("protocol", False, (L4["tcp"],))], [ALWAYS if {"syn"} & mask == wanted else NEVER]


def plain(element):
    """Return an element of a set without its timeout, counter and comment; of a map the pair."""
    if isinstance(element, dict) and "elem" in element:
        return plain(element["elem"].get("val")) if isinstance(element["elem"], dict) else element
    if isinstance(element, list) and len(element) == 2:
        return [plain(element[0]), element[1]]
    return element


def _address_range(family, value):
    if isinstance(value, str):
        return network(family, value)
    if isinstance(value, dict) and "prefix" in value:
        return network(family, "{0}/{1}".format(value["prefix"]["addr"], value["prefix"]["len"]))
    if isinstance(value, dict) and "range" in value:
        low, high = value["range"]
        return network(family, low)[0], network(family, high)[1]
    raise RulesError("{0!r} is no address".format(value))


def _number_range(value):
    if isinstance(value, bool):
        raise RulesError("{0!r} is no port".format(value))
    if isinstance(value, int):
        return value, value
    if isinstance(value, dict) and "range" in value:
        low, high = value["range"]
        if isinstance(low, int) and isinstance(high, int):
            return low, high
    raise RulesError("{0!r} is no port".format(value))


def _protocol(value):
    if isinstance(value, int):
        return value
    return {**NUMBERS, **L4}.get(value, -2)
