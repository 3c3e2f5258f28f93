# Copyright: (c) 2026, The optiinfra.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The rules that iptables-save and ip6tables-save print. Pure: text in, tables out."""

from __future__ import annotations

import re
import shlex

from ._ranges import AddressError, network, number, union, without
from ._rules import HERE, NUMBERS, Chain, Rule, RulesError, Table

PRIORITY = {"raw": -300, "mangle": -150, "nat": -100, "filter": 0, "security": 50}
BASE = {"PREROUTING": "prerouting", "INPUT": "input", "FORWARD": "forward"}
# After these the packet goes on as it was, as far as we care.
_GO_ON = """
    LOG NFLOG ULOG AUDIT TRACE CHECKSUM CLASSIFY DSCP TOS TTL HL TCPMSS TCPOPTSTRIP ECN SET CONNSECMARK SECMARK TEE LED
    RATEEST IDLETIMER CONNMARK MARK"""
GO_ON = frozenset(_GO_ON.split())
MARKS = frozenset(("MARK", "CONNMARK"))
PORTS = re.compile(r"^(\d{1,5})?(:)?(\d{1,5})?$")
_HEAD = re.compile(r"^-A (\S+) ?(.*)$")
_INCOMPATIBLE = re.compile(r"^# Table [`'\"](\S+?)[`'\"] is incompatible")
_FLAGS = {"SYN"}


class _Reader:
    """Reads the words of one rule."""

    def __init__(self, family, words, marked, sets):
        self._family, self._words, self._marked, self._sets = family, words, marked, sets
        self.matches, self.target = [], ("continue", None)

    def read(self):
        words, index = self._words, 0
        while index < len(words):
            negated = words[index] == "!"
            index += negated
            if index >= len(words):
                break
            option = words[index]
            # What follows up to the next option are its values.
            end = index + 1
            while end < len(words) and not (words[end] == "!" or _is_option(words[end])):
                end += 1
            if option in ("-j", "--jump", "-g", "--goto"):
                self._target(option in ("-g", "--goto"), words[index + 1 :])
                break
            self._match(option, negated, words[index + 1 : end])
            index = end
        return tuple(self.matches), self.target

    def _match(self, option, negated, values):
        reader = _OPTIONS.get(option)
        try:
            found = reader(self, values) if reader else ("unknown", None)
        except (ValueError, IndexError):
            found = ("unknown", None)
        if found is None:
            return
        kind, value = found
        if kind == "sport" and negated:
            value, negated = without(((0, 65535),), union(value)), False
        self.matches.append((kind, negated, value))

    def _address(self, values, kind):
        return kind, union(network(self._family, word) for word in values[0].split(","))

    def _address_range(self, values, kind):
        first, _dash, last = values[0].partition("-")
        return kind, union([(number(first)[1], number(last)[1])])

    def _protocol(self, values):
        name = values[0]
        if name == "all" or name == "0":
            return None
        return "protocol", (int(name) if name.isdigit() else NUMBERS.get(name, -2),)

    def _states(self, values):
        return "state", tuple(values[0].split(","))

    def _type(self, kind, values):
        types = tuple(values[0].split(","))
        if self._family == 4:
            return kind, types
        # Of IPv6, an address of this host is UNICAST as well, and several types have to be met together.
        if {"MULTICAST", "UNSPEC"} & set(types):
            return "never", None
        looked_up = tuple({"LOCAL", "ANYCAST", "UNREACHABLE"} & set(types))
        return (kind, looked_up) if looked_up else ("always", None)

    def _flags(self, values):
        # The first packet of TCP has SYN and none of the others.
        mask, wanted = ({flag for flag in word.split(",") if flag != "NONE"} for word in values)
        every = {"FIN", "SYN", "RST", "PSH", "ACK", "URG"}
        mask = every if "ALL" in mask else mask
        wanted = every if "ALL" in wanted else wanted
        return ("always" if _FLAGS & mask == wanted else "never"), None

    def _mark(self, values):
        # Nobody has marked the packet, unless a rule does.
        if self._marked:
            return "unknown", None
        value, _slash, mask = values[0].partition("/")
        return ("always" if int(value, 0) == 0 and int(mask or "1", 0) >= 0 else "never"), None

    def _set(self, values):
        name, directions = values[0], values[1]
        if directions == "src" and name in self._sets:
            return "src", self._sets[name]
        return "unknown", None

    def _target(self, goto, words):
        name = words[0] if words else ""
        if goto:
            self.target = ("goto", name)
        elif name in ("ACCEPT", "RETURN"):
            self.target = (name.lower(), None)
        elif name in ("DROP", "REJECT"):
            self.target = ("drop", None)
        elif name in ("DNAT", "REDIRECT"):
            self.target = _translation(self._family, name, words)
        elif name in GO_ON or (name == "CT" and "--notrack" not in words):
            self.target = ("continue", None)
        else:
            self.target = ("jump", name)


def _is_option(word):
    return len(word) > 1 and word[0] == "-" and not word[1].isdigit()


def _translation(family, name, words):
    """Return the target of DNAT and REDIRECT; one of several destinations is not known."""
    if name == "REDIRECT":
        port = words[words.index("--to-ports") + 1] if "--to-ports" in words[:-1] else ""
        return ("dnat", (HERE, int(port) if port else None)) if not port or port.isdigit() else ("?", None)
    try:
        where = words[words.index("--to-destination") + 1]
        match = re.match(r"^(?:\[([0-9a-fA-F:.]+)\]|([0-9.]+)|([0-9a-fA-F:]+::?[0-9a-fA-F:.]*))?(?::(\d+))?$", where)
        address = match.group(1) or match.group(2) or match.group(3)
        found = number(address) if address else (family, None)
    except (ValueError, IndexError, AttributeError):
        return ("?", None)
    if found[0] != family:
        return ("?", None)
    return ("dnat", (found[1], int(match.group(4)) if match.group(4) else None))


def _ranges_of(text):
    """Return the ports of 22, 1000:2000, :1023 and lists of them."""
    out = []
    for word in text.split(","):
        match = PORTS.match(word)
        if not match or not word or word == ":":
            raise ValueError(word)
        low = int(match.group(1) or 0)
        high = int(match.group(3) or 65535) if match.group(2) else low
        out.append((low, high))
    return union(out)


def _ports(kind):
    return lambda reader, values: (kind, _ranges_of(values[0]))


def _constant(kind):
    return lambda reader, values: (kind, None)


_NOTHING = _constant("always")
_OPTIONS = {
    "-s": lambda reader, values: reader._address(values, "src"),
    "-d": lambda reader, values: reader._address(values, "dst"),
    "--src-range": lambda reader, values: reader._address_range(values, "src"),
    "--dst-range": lambda reader, values: reader._address_range(values, "dst"),
    "--ctorigdst": lambda reader, values: reader._address(values, "asked_dst"),
    "--ctorigsrc": lambda reader, values: reader._address(values, "src"),
    "-i": lambda reader, values: ("iif", tuple(values[:1])),
    "-o": lambda reader, values: ("oif", tuple(values[:1])),
    "-p": lambda reader, values: reader._protocol(values),
    "--ctproto": lambda reader, values: reader._protocol(values),
    "-m": lambda reader, values: None,
    "--sport": _ports("sport"),
    "--dport": _ports("dport"),
    "--sports": _ports("sport"),
    "--dports": _ports("dport"),
    "--ctorigdstport": _ports("asked_dport"),
    "--ctorigsrcport": _ports("sport"),
    "--ctstate": lambda reader, values: reader._states(values),
    "--state": lambda reader, values: reader._states(values),
    "--ctstatus": lambda reader, values: ("status", tuple(values[0].split(","))),
    "--ctdir": lambda reader, values: ("always" if values[0] == "ORIGINAL" else "never", None),
    "--dst-type": lambda reader, values: reader._type("dst_type", values),
    "--src-type": lambda reader, values: reader._type("src_type", values),
    "--tcp-flags": lambda reader, values: reader._flags(values),
    "--syn": _constant("always"),
    "--pkt-type": lambda reader, values: ("always" if values[0] == "unicast" else "never", None),
    "--mark": lambda reader, values: reader._mark(values),
    "--match-set": lambda reader, values: reader._set(values),
    "--mac-source": lambda reader, values: ("choice", "from MAC address {0}".format(values[0])),
    "--pol": lambda reader, values: ("always", None) if values[0] == "none" else ("choice", "through IPsec"),
    "--comment": lambda reader, values: None,
    # A routing header, a fragment: no first packet of a connection has them.
    "--rt-type": _constant("never"),
    "-f": _constant("never"),
    # A sender that was never here before, and no rate is reached.
    "--set": _NOTHING,
    "--rcheck": _constant("never"),
    "--update": _constant("never"),
    "--remove": _constant("never"),
    "--limit": _NOTHING,
    "--hashlimit": _NOTHING,
    "--hashlimit-upto": _NOTHING,
    "--hashlimit-above": _constant("never"),
    "--connlimit-upto": _NOTHING,
    "--connlimit-above": _constant("never"),
}
# Belong to an option above, and say nothing alone.
_PARTS = """
    limit-burst name mask rsource rdest seconds hitcount rttl reap connlimit-mask connlimit-saddr connlimit-daddr dir
    strict icmp-type icmpv6-type hashlimit-burst hashlimit-mode hashlimit-srcmask hashlimit-dstmask hashlimit-name
    hashlimit-htable-size hashlimit-htable-max hashlimit-htable-expire hashlimit-htable-gcinterval hashlimit-rate-match
    hashlimit-rate-interval"""
_OPTIONS.update({"--" + word: lambda reader, values: None for word in _PARTS.split()})


def _words(text):
    """Return the words of a rule as iptables-save quotes them."""
    if '"' not in text and "'" not in text and "\\" not in text:
        return text.split()
    try:
        return shlex.split(text)
    except ValueError:
        raise RulesError("a rule that cannot be read: {0}".format(text[:200])) from None


def rule(line, family, marked=False, sets=None):
    """Return [Rule] of the text behind -A CHAIN."""
    try:
        matches, target = _Reader(family, _words(line), marked, sets or {}).read()
    except (RulesError, AddressError):
        matches, target = (("unknown", False, None),), ("?", None)
    return matches, target


def parse(text, family, sets=None):
    """Return ([Table], names of tables that iptables-save cannot show).

    :arg sets: {name: ranges of addresses} of ipsets
    """
    tables, hidden, chains = [], [], None
    marked = any(" -j {0} ".format(name) in text for name in MARKS)
    for line in text.splitlines():
        if line.startswith("*"):
            chains = {}
            tables.append(Table(family, line[1:].strip(), chains))
        elif line.startswith(":") and chains is not None:
            _chain(line, tables[-1], family, marked, sets)
        elif line.startswith("-A ") and chains is not None:
            match = _HEAD.match(line)
            if match and match.group(1) in chains:
                chains[match.group(1)].lines.append(line)
        elif line.startswith("# Table"):
            match = _INCOMPATIBLE.match(line)
            if match:
                hidden.append(match.group(1))
    return tables, hidden


def _chain(line, table, family, marked, sets):
    name, _space, rest = line[1:].partition(" ")
    policy = rest.split(" ")[0]
    base = BASE.get(name) if policy in ("ACCEPT", "DROP") and table.name in PRIORITY else None

    def read(text):
        words = _HEAD.match(text).group(2)
        matches, target = rule(words, family, marked, sets)
        if target[0] == "jump" and target[1] not in table.chains:
            target = ("?", None)
        return [Rule(matches, target, text)]

    table.chains[name] = Chain(
        name,
        hook=base or "",
        priority=PRIORITY.get(table.name, 0),
        policy="drop" if policy == "DROP" else "accept",
        nat=table.name == "nat",
        parse=read,
    )
