# Copyright: (c) 2026, The optiinfra.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the host's firewall does with each open port: reads the rules, changes nothing, and says what it cannot know."""

from __future__ import annotations

import errno
import re
import struct
from typing import NamedTuple

from . import _netlink
from ._binding import ANY6, is_loopback, is_wildcard
from ._netfilter import UNKNOWN, Judge
from ._ranges import common, network, networks, number, outsiders, size, union, without
from ._rules import NUMBERS, RulesError
from ._ufw import user_rule

ALLOWED, DENIED, PARTLY, NONE = "allowed", "denied", "partly", "none"
NETFILTER, GETTABLE, TABLE_NAME = 12, (10 << 8) | 1, 1
NETFILTER_FAMILIES = {1: "inet", 2: "ip", 5: "netdev", 10: "ip6"}
TOOLS = {4: "iptables", 6: "ip6tables"}
IPTABLES = frozenset(("raw", "mangle", "nat", "filter", "security"))
LEGACY = {4: "/proc/net/ip_tables_names", 6: "/proc/net/ip6_tables_names"}
_SET = re.compile(r"^(create|add) (\S+) (\S+)(?: family (\S+))?")


class Filters(NamedTuple):
    """The rules as judges by family (none: they are not known, and why), and the host's topology."""

    judges: dict
    topology: object
    problems: tuple = ()
    backend: str = ""
    ufw: dict = {}


def kernel_tables(answers):
    """Return {(family, name)} of nftables' tables, those of iptables' newer half among them."""
    found = set()
    for body in answers:
        name = dict(_netlink.attributes(body, 4)).get(TABLE_NAME, b"").rstrip(b"\0").decode("utf-8", "replace")
        if body and body[0] in NETFILTER_FAMILIES and name:
            found.add((NETFILTER_FAMILIES[body[0]], name))
    return found


def ipsets(text):
    """Return {family: {name: ranges}} of what ``ipset save`` prints, of the sets that hold nothing but addresses."""
    found, family_of = {4: {}, 6: {}}, {}
    for line in text.splitlines():
        match = _SET.match(line)
        if not match:
            continue
        word, name, value, family = match.groups()
        if word == "create" and value in ("hash:ip", "hash:net"):
            family_of[name] = 6 if family == "inet6" else 4
            found[family_of[name]][name] = []
        elif word == "add" and name in family_of:
            try:
                found[family_of[name]][name].append(network(family_of[name], value))
            except ValueError:
                found[family_of.pop(name)].pop(name)
        elif word == "add" and " nomatch" in line:
            family_of.pop(name, None)
    return {family: {name: union(ranges) for name, ranges in sets.items()} for family, sets in found.items()}


def read(topology, run, text_of):
    """Return the Filters of this host.

    :arg run: function of a tool and its arguments that returns what it printed, None when there is no such tool
    :arg text_of: function of a path that returns the file's text, "" when there is none
    """
    ufw = ufw_files(text_of)
    try:
        tables = kernel_tables(_netlink.ask(NETFILTER, GETTABLE, struct.pack("=BBH", 0, 0, 0)))
    except OSError as exc:
        if exc.errno in (errno.EPERM, errno.EACCES):
            return Filters({}, topology, ("firewall rules: only root may read them (use become)",), "", ufw)
        tables = set()
    seen, found, problems, shown = [], [], [], set()
    for family, tool in TOOLS.items():
        legacy = text_of(LEGACY[family]).split()
        mine = {name for kind, name in tables if kind == ("ip" if family == 4 else "ip6")}
        for kind, names in (("nft", mine & IPTABLES), ("legacy", set(legacy))):
            if not names:
                continue
            # A host without rules need not read how they are written.
            from . import _iptables

            text = run("{0}-{1}-save".format(tool, kind)) or run("{0}-save".format(tool)) or ""
            sets = ipsets(run("ipset", "save") or "")[family] if "--match-set" in text else {}
            read_tables, hidden = _iptables.parse(text, family, sets)
            names_read = {table.name for table in read_tables} - set(hidden)
            if kind == "nft":
                shown.update(("ip" if family == 4 else "ip6", name) for name in names_read)
            elif set(names) - names_read:
                problems.append(
                    "firewall rules: {0} of iptables-legacy cannot be read".format(", ".join(sorted(names)))
                )
            found.extend(table for table in read_tables if table.name in names_read & names)
            seen.append("iptables ({0})".format("nf_tables" if kind == "nft" else "legacy"))
    rest = tables - shown
    if rest:
        found.extend(_native(run, shown, rest, problems))
        seen.append("nftables")
    judges = {} if problems else {family: Judge(family, found, topology) for family in TOOLS}
    return Filters(judges, topology, tuple(problems), ", ".join(dict.fromkeys(seen)) or NONE, ufw)


def _native(run, shown, rest, problems):
    from . import _nftables

    text = run("nft", "-j", "list", "ruleset")
    try:
        if text:
            return _nftables.parse(text, shown)
        problem = "there is no nft on this host" if text is None else "nft printed nothing"
    except RulesError as exc:
        problem = str(exc)
    names = ", ".join(sorted(" ".join(item) for item in rest))
    problems.append("firewall rules: the tables {0} cannot be read: {1}".format(names, problem))
    return []


def ufw_files(text_of):
    """Return what ufw's files say: {enabled, incoming, rules: [{action, protocol, port, source, comment}]}."""
    enabled = re.search(r"^ENABLED=.?yes", text_of("/etc/ufw/ufw.conf"), re.M | re.I) is not None
    policy = re.findall(r"^DEFAULT_INPUT_POLICY=[\"']?(\w+)", text_of("/etc/default/ufw"), re.M)
    rules = []
    for path in ("/etc/ufw/user.rules", "/etc/ufw/user6.rules"):
        for line in text_of(path).splitlines():
            rule = user_rule(line)
            if rule and rule not in rules:
                rules.append(rule)
    incoming = {"ACCEPT": "allow", "DROP": "deny", "REJECT": "reject"}.get(policy[-1].upper() if policy else "", "")
    return {"enabled": enabled, "incoming": incoming, "rules": rules}


def families(binding, published=False):
    """Return the families in which a binding is open."""
    if ":" in binding.address:
        # The engine binds each family by itself.
        return (4, 6) if binding.address == ANY6 and not binding.v6only and not published else (6,)
    return (4,) if binding.address else (4, 6)


def firewall(filters, binding, published=False):
    """Return {ipv4, ipv6, rule, sources}: whether a first packet from outside gets to a binding, and by which rule."""
    row = {"ipv4": NONE, "ipv6": NONE, "rule": "", "sources": []}
    rules = {}
    for family in families(binding, published):
        if is_loopback(binding.address):
            continue
        if family not in filters.judges:
            row["ipv{0}".format(family)] = UNKNOWN
            continue
        status, rule, sources = verdict(filters, family, binding)
        row["ipv{0}".format(family)] = status
        rules.setdefault(rule, family)
        row["sources"].extend(source for source in sources if source not in row["sources"])
    row["rule"] = "; ".join(rule for rule in rules if rule)
    return row


def _address(binding):
    return None if is_wildcard(binding.address) else number(binding.address)[1]


def verdict(filters, family, binding):
    """Return (status, deciding rule, sources that get through when not all do) for one family."""
    found = []
    for interface, address in filters.topology.entrances(family, _address(binding)):
        pieces = filters.judges[family].pieces(binding.protocol, interface, address, binding.port)
        found.append((interface, _summary(family, pieces)))
    if not found:
        return NONE, "", []
    states = {summary[0] for _interface, summary in found}
    if len(states) == 1:
        return found[0][1]
    status = PARTLY if states & {ALLOWED, PARTLY} else UNKNOWN
    open_by = [item for item in found if item[1][0] in ((ALLOWED, PARTLY) if status == PARTLY else (UNKNOWN,))]
    sources = ["by {0}{1}".format(name, " from " + ", ".join(s[2]) if s[2] else "") for name, s in open_by]
    return status, open_by[0][1][1], list(dict.fromkeys(sources)) if status == PARTLY else []


def _summary(family, pieces):
    total = size(outsiders(family))
    parts = {status: union(r for p in pieces if p.status == status for r in p.parts) for status in _STATES}
    shares = {status: size(ranges) / total for status, ranges in parts.items()}

    def rule(status):
        return max((p for p in pieces if p.status == status), key=lambda p: size(p.parts)).text

    if shares["unknown"] > 0.5:
        return UNKNOWN, rule("unknown"), []
    if shares["yes"] > 0.5:
        others = without(outsiders(family), parts["yes"])
        return ALLOWED, rule("yes"), ["all but " + text for text in networks(family, others)]
    if parts["yes"]:
        return PARTLY, rule("yes"), networks(family, parts["yes"])
    if parts["choice"]:
        return PARTLY, rule("choice"), sorted({p.on.text for p in pieces if p.status == "choice"})
    return (UNKNOWN, rule("unknown"), []) if parts["unknown"] else (DENIED, rule("no"), [])


_STATES = ("yes", "no", "choice", "unknown")


def bypass(filters, family, binding):
    """Return (rule that lets a port through on the way to its container, rule that denies it to the host), or None.

    That is what operators come for: the firewall says deny, and the translation of addresses leads past it.
    """
    if family not in filters.judges or is_loopback(binding.address):
        return None
    for interface, address in filters.topology.entrances(family, _address(binding)):
        ask = (binding.protocol, interface, address, binding.port)
        passed = [p for p in filters.judges[family].pieces(*ask) if p.status == "yes" and p.translated]
        refused = [p for p in filters.judges[family].pieces(*ask, translate=False) if p.status == "no"]
        for one in passed:
            for two in refused:
                # An address that is banned in one place only is not what this is about.
                if size(common(one.parts, two.parts)) * 2 > size(one.parts):
                    return one.text, two.text
    return None


def openings(filters):
    """Return {(first, last): {protocols: names, rule: text}} of the rules that let ports in, each once."""
    found = {}
    for family, judge in filters.judges.items():
        own = tuple((a, a) for a in filters.topology.local(family))
        for table, rule in judge.rules_from("input"):
            if rule.target[0] == "accept" or judge.accepts(table, rule):
                _opening(found, rule, "dport", own, filters.topology.outside)
        for _table, rule in judge.rules_from("forward"):
            if rule.target[0] in ("accept", "return"):
                _opening(found, rule, "asked_dport", own, filters.topology.outside)
    return found


def _opening(found, rule, kind, own, outside):
    values = {name: value for name, negated, value in rule.matches if not negated}
    if kind not in values or "sport" in values or "never" in values:
        return
    # To a group of hosts, or from this one.
    if "dst" in values and not common(union(values["dst"]), union(own)):
        return
    if "iif" in values and not any(name in outside for name in values["iif"]) and values["iif"][0][-1:] not in "+*":
        return
    names = [name for name in ("tcp", "udp", "sctp") if NUMBERS[name] in values.get("protocol", (NUMBERS[name],))]
    for ports in values[kind]:
        known = found.setdefault(tuple(ports), {"protocols": set(), "rule": rule.text})
        known["protocols"].update(names)
