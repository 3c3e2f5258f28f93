# Copyright: (c) 2026, The optiinfra.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The rules that ``nft -j list ruleset`` prints. Pure: what the JSON holds in, tables out.

Source: libnftables-json(5).
"""

from __future__ import annotations

import json

from . import _iptables
from ._nft_match import L4, NEVER, UNKNOWN, Comparisons, plain
from ._ranges import AddressError, number
from ._rules import HERE, Chain, Rule, RulesError, Table

FAMILIES = {"ip": 4, "ip6": 6, "inet": 0, "netdev": 0}
HOOKS = ("ingress", "prerouting", "input", "forward")
PRIORITY = {"raw": -300, "mangle": -150, "dstnat": -100, "filter": 0, "security": 50, "srcnat": 100}
VERDICTS = ("accept", "drop", "return", "continue", "jump", "goto", "reject", "queue")
# Statements after which the packet goes on as it was, as far as we care, if a limit in them is not reached.
_GO_ON = "counter,log,meter,set,map,limit,ct count,quota,ct helper,ct timeout,ct expectation,last,mangle,flow,secmark"
GO_ON = frozenset(_GO_ON.split(","))


class _Reader:
    """Reads the rules of one table."""

    def __init__(self, family, sets, marked):
        self._comparisons = Comparisons(family, sets, marked)

    def rules(self, data):
        """Return [Rule] of one rule: several when it looks its verdict up."""
        matches, text = [], show(data)
        for statement in data.get("expr") or []:
            kind, value = _pair(statement)
            if kind == "match":
                matches.extend(self._comparisons.match(value))
            elif kind in VERDICTS or kind in ("dnat", "redirect"):
                return [Rule((*matches, *_implied(kind, value)), self._target(kind, value), text)]
            elif kind == "vmap":
                # What is not in the map leaves the rule.
                return [Rule((*matches, *found), target, text) for found, target in self._verdicts(value)]
            elif kind in GO_ON:
                matches.extend(_limits(kind, value))
            elif kind == "xt" and isinstance(value, dict) and value.get("type") == "match":
                matches.append(UNKNOWN)
            elif kind == "xt" and isinstance(value, dict) and value.get("name") in _iptables.GO_ON:
                continue
            else:
                return [Rule(tuple(matches), ("?", None), text)]
        return []

    def _target(self, kind, value):
        if kind in ("accept", "return"):
            return (kind, None)
        if kind == "continue":
            return ("continue", None)
        if kind in ("drop", "reject"):
            return ("drop", None)
        if kind in ("jump", "goto") and isinstance(value, dict) and isinstance(value.get("target"), str):
            return (kind, value["target"])
        if kind in ("dnat", "redirect"):
            return self._translation(kind, value or {})
        return ("?", None)

    def _translation(self, kind, value):
        address, port = value.get("addr"), value.get("port")
        if not isinstance(address, (str, type(None))) or not isinstance(port, (int, type(None))):
            return ("?", None)
        where = HERE if kind == "redirect" else number(address)[1] if address else None
        return ("dnat", (where, port))

    def _verdicts(self, value):
        """Yield (matches, target) of the elements of a verdict map."""
        data = value.get("data")
        elements = self._comparisons.elements(data)
        if elements is None:
            yield [], ("?", None)
            return
        for element in elements:
            key, verdict = element
            kind, argument = _pair(verdict)
            yield self._comparisons.equal(value.get("key"), key), self._target(kind, argument)


def _pair(statement):
    """Return the name of a statement and what it holds."""
    if isinstance(statement, dict) and statement:
        return next(iter(statement.items()))
    return "", None


def _implied(kind, value):
    """Return what a verdict takes for granted and nft therefore leaves out: a family, a protocol."""
    if kind == "dnat" and isinstance(value, dict) and isinstance(value.get("addr"), str):
        return (("family", False, number(value["addr"])[0]),)
    if kind == "reject" and isinstance(value, dict):
        way = value.get("type")
        if way == "tcp reset":
            return (("protocol", False, (L4["tcp"],)),)
        if way in ("icmp", "icmpv6"):
            return (("family", False, 4 if way == "icmp" else 6),)
    return ()


def _limits(kind, value):
    """Return the matches that a limit is: nobody has sent anything yet, so it is under the limit and never over it."""
    if kind == "quota":
        return [UNKNOWN]
    if kind in ("limit", "ct count"):
        return [NEVER] if isinstance(value, dict) and value.get("inv") else []
    if kind in ("meter", "set") and isinstance(value, dict):
        inner = value.get("stmt") or []
        inner = inner if isinstance(inner, list) else [inner]
        return [m for s in inner if isinstance(s, dict) for k, v in s.items() if k in GO_ON for m in _limits(k, v)]
    return []


def show(data):
    """Return a rule as a short text for people: its table, chain and what it says."""
    words = []
    for statement in data["expr"] if isinstance(data.get("expr"), list) else []:
        kind, value = _pair(statement)
        if kind == "match" and isinstance(value, dict):
            sign = "" if value.get("op") in ("==", "in") else " {0}".format(value.get("op"))
            words.append("{0}{1} {2}".format(_brief(value.get("left")), sign, _brief(value.get("right"))))
        elif kind not in ("counter", "log"):
            words.append(kind if value is None else "{0} {1}".format(kind, _brief(value)))
    place = "{0} {1} {2}".format(data.get("family"), data.get("table"), data.get("chain"))
    return "{0}: {1}".format(place, " ".join(words))[:300]


def _brief(value):
    if isinstance(value, dict):
        if "payload" in value and isinstance(value["payload"], dict):
            return "{0} {1}".format(value["payload"].get("protocol"), value["payload"].get("field"))
        if "prefix" in value and isinstance(value["prefix"], dict):
            return "{0}/{1}".format(value["prefix"].get("addr"), value["prefix"].get("len"))
        if "range" in value and isinstance(value["range"], list):
            return "-".join(str(item) for item in value["range"])
        if "set" in value:
            return _brief(value["set"])
        if "concat" in value and isinstance(value["concat"], list):
            return " . ".join(_brief(item) for item in value["concat"])
        return " ".join(_brief(item) or str(key) for key, item in value.items())
    if isinstance(value, list):
        return "{{{0}}}".format(", ".join(_brief(item) for item in value[:8])) + (" ..." if len(value) > 8 else "")
    return "" if value is None else str(value)


def _priority(value):
    if isinstance(value, int):
        return value
    return PRIORITY.get(value, 0) if isinstance(value, str) else 0


def parse(text, skip=()):
    """Return [Table] of what nft printed.

    :arg skip: {(family, table)} of those that another tool has shown
    :raises RulesError: when it is not what nft prints
    """
    try:
        items = json.loads(text)["nftables"]
        return _tables([item for item in items if isinstance(item, dict)], set(skip))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as exc:
        raise RulesError("nft printed what cannot be read: {0}".format(exc)) from None


def _tables(items, skip):
    tables, readers, sets = {}, {}, {}
    marked = any('"mangle"' in json.dumps(item["rule"]) for item in items if isinstance(item.get("rule"), dict))
    for item in items:
        for kind in ("table", "chain", "set", "map", "rule"):
            data = item.get(kind)
            if not isinstance(data, dict) or data.get("family") not in FAMILIES:
                continue
            name = data["name"] if kind == "table" else data.get("table")
            key = (data["family"], name)
            if key in skip or (kind == "table" and "dormant" in str(data.get("flags"))):
                skip.add(key)
                continue
            if key not in tables:
                tables[key] = Table(FAMILIES[key[0]], name, {})
                sets[key] = {}
                readers[key] = _Reader(FAMILIES[key[0]], sets[key], marked)
            if kind in ("set", "map"):
                sets[key][data["name"]] = [plain(element) for element in data.get("elem") or []]
            elif kind == "chain":
                tables[key].chains[data["name"]] = _chain(data, readers[key])
            elif kind == "rule" and data.get("chain") in tables[key].chains:
                tables[key].chains[data["chain"]].lines.append(data)
    return list(tables.values())


def _chain(data, reader):
    def read(rule):
        try:
            return reader.rules(rule)
        except (RulesError, AddressError, TypeError, ValueError, KeyError, AttributeError, RecursionError):
            return [Rule((UNKNOWN,), ("?", None), show(rule))]

    hook = data.get("hook")
    devices = data.get("dev") or ()
    return Chain(
        data["name"],
        hook=hook if hook in HOOKS else "",
        priority=_priority(data.get("prio")),
        policy="drop" if data.get("policy") == "drop" else "accept",
        nat=data.get("type") == "nat",
        devices=tuple([devices] if isinstance(devices, str) else devices),
        parse=read,
    )
