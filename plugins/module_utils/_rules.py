# Copyright: (c) 2026, The optiinfra.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filter rules as they are told by iptables-save and nft, and whether a packet meets one. Pure."""

from __future__ import annotations

from typing import NamedTuple, Optional, Tuple

from ._ranges import TOP, common, union, without

NUMBERS = {"icmp": 1, "tcp": 6, "udp": 17, "ipv6-icmp": 58, "icmpv6": 58, "sctp": 132}
EPHEMERAL = (32768, 60999)
# As the address of a translation: one of this host's.
HERE = "here"


class RulesError(ValueError):
    """Rules that cannot be read."""


class Choice(NamedTuple):
    """A match that is up to the sender."""

    text: str


class Region(NamedTuple):
    """A match of source addresses: disjoint, ordered (first, last)."""

    parts: Tuple[Tuple[int, int], ...]


class Rule(NamedTuple):
    """Matches ((kind, negated, value), ...), all of which have to be met, and a target (kind, argument)."""

    matches: tuple
    target: tuple
    text: str


class Chain:
    """A chain of a table. One with a hook is a base chain."""

    def __init__(self, name, hook="", priority=0, policy="accept", nat=False, devices=(), parse=None):
        self.name, self.hook, self.priority, self.policy = name, hook, priority, policy
        self.nat, self.devices = nat, devices
        self.lines = []
        # Read a line when it is needed first: most chains of a host are never asked.
        self._parse = parse
        self._rules = None

    @property
    def rules(self):
        """Return [Rule]."""
        if self._rules is None:
            self._rules = [rule for line in self.lines for rule in self._parse(line)]
        return self._rules


class Table(NamedTuple):
    """Chains by name, of one family (4, 6 or 0 for both)."""

    family: int
    name: str
    chains: dict


class Packet(NamedTuple):
    """The first packet of a connection, as it comes in and after its destination was translated.

    ``dst`` is None when it is one of the host's addresses, and not known which. ``changed`` tells whether the
    translation has changed anything, None when that is not known: only then the kernel calls it translated.
    """

    family: int
    protocol: str
    iif: str
    dst: int
    dport: int
    asked_dst: int
    asked_dport: int
    oif: Optional[str] = None
    translated: bool = False
    changed: Optional[bool] = False


class Window:
    """Tests a packet, and keeps for which other ports and addresses of the host every test would say the same."""

    def __init__(self, family, local):
        self._family, self._local = family, local
        self.ports, self.addresses = (0, 65535), (0, TOP[family])

    def narrow(self, which, value, ranges):
        """Note that ``value`` was compared with ranges."""
        low, high = getattr(self, which)
        for first, last in ranges:
            if first <= value <= last:
                low, high = max(low, first), min(high, last)
            elif last < value:
                low = max(low, last + 1)
            else:
                high = min(high, first - 1)
        setattr(self, which, (low, high))

    def meets(self, matches, packet):
        """Return (True, False, Choice or None for not known; the sources or None for all)."""
        truth, region = True, None
        for match in matches:
            met = self._test(match, packet)
            if met is False:
                return False, None
            if isinstance(met, Region):
                region = met.parts if region is None else common(region, met.parts)
                if not region:
                    return False, None
            elif met is None or truth is None:
                truth = None
            elif met is not True:
                truth = met
        return truth, region

    def _test(self, match, packet):
        kind, negated, value = match
        met = _TESTS[kind](self, packet, value)
        if not negated or met is None or isinstance(met, Choice):
            return met
        if isinstance(met, Region):
            return Region(without(((0, TOP[self._family]),), met.parts))
        return not met

    def _dport(self, packet, ranges):
        if not packet.translated:
            self.narrow("ports", packet.dport, ranges)
        elif packet.dport == packet.asked_dport:
            self.narrow("ports", packet.dport, [(packet.dport, packet.dport)])
        return any(low <= packet.dport <= high for low, high in ranges)

    def _asked_dport(self, packet, ranges):
        self.narrow("ports", packet.asked_dport, ranges)
        return any(low <= packet.asked_dport <= high for low, high in ranges)

    def _dst(self, packet, ranges):
        if packet.dst is None:
            return None
        if not packet.translated:
            self.narrow("addresses", packet.dst, ranges)
        return any(low <= packet.dst <= high for low, high in ranges)

    def _asked_dst(self, packet, ranges):
        self.narrow("addresses", packet.asked_dst, ranges)
        return any(low <= packet.asked_dst <= high for low, high in ranges)

    def _dst_type(self, packet, types):
        local = packet.dst is None or packet.dst in self._local or not packet.translated
        return ("LOCAL" if local else "UNICAST") in types

    def _any(self, packet, groups):
        """Several groups of matches, of which one has to be met."""
        ranges, unsure = [], False
        for group in groups:
            truth, region = self.meets(group, packet)
            if truth is False:
                continue
            if truth is not True:
                unsure = True
            elif region is None:
                return True
            else:
                ranges.extend(region)
        if unsure:
            return None
        return Region(union(ranges)) if ranges else False


def _interface(name, patterns):
    """Tell whether an interface is one of those named; a pattern ends with + or *."""
    if name == "":
        return None
    for pattern in patterns:
        if pattern[-1:] in ("+", "*"):
            if (name or "").startswith(pattern[:-1]):
                return True
        elif name == pattern:
            return True
    return False


def _sport(_window, _packet, ranges):
    covered = common(union(ranges), (EPHEMERAL,))
    if covered == (EPHEMERAL,):
        return True
    words = ",".join("{0}-{1}".format(*r) if r[0] != r[1] else str(r[0]) for r in ranges)
    return Choice("from source port {0}".format(words))


_TESTS = {
    "never": lambda window, packet, value: False,
    "always": lambda window, packet, value: True,
    "unknown": lambda window, packet, value: None,
    "choice": lambda window, packet, value: Choice(value),
    "family": lambda window, packet, value: packet.family == value,
    "protocol": lambda window, packet, value: NUMBERS.get(packet.protocol, -1) in value,
    "iif": lambda window, packet, value: _interface(packet.iif, value),
    # Before routing and on the way to the host itself there is no such interface.
    "oif": lambda window, packet, value: False if packet.oif is None else _interface(packet.oif, value),
    "src": lambda window, packet, value: Region(value),
    "dst": Window._dst,
    "asked_dst": Window._asked_dst,
    "sport": _sport,
    "dport": Window._dport,
    "asked_dport": Window._asked_dport,
    "state": lambda window, packet, value: "NEW" in value or ("DNAT" in value and packet.changed),
    "status": lambda window, packet, value: "DNAT" in value and packet.changed,
    "dst_type": Window._dst_type,
    "src_type": lambda window, packet, value: "UNICAST" in value,
    "any": Window._any,
}
KINDS = frozenset(_TESTS)
