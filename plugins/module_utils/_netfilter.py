# Copyright: (c) 2026, The optiinfra.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a host's filter rules do with a first packet from outside. Pure: rules and packet in, verdicts by source out.

The rules of a chain are walked with a set of source addresses. A rule that names sources splits the set; a match that
is not understood leaves both ways open, and where they end differently the answer is "unknown". So an answer is never
a guess. What a sender chooses (its port, its MAC address) leaves both ways open as well: that answer is "choice".

The packet is the first one of its sender: limits on rates are not reached, and no list of recent senders has it.
"""

from __future__ import annotations

from typing import NamedTuple, Optional

from ._ranges import common, outsiders, without
from ._rules import HERE, Choice, Packet, Window

UNKNOWN = "unknown"
HOOKS = ("ingress", "prerouting", "input", "forward")
# Far above any real set of rules; met by hostile ones only.
BUDGET = 200000
DEPTH = 64


class Outcome(NamedTuple):
    """How it may end, by which rule; ``on``: None for surely, a Choice, or UNKNOWN."""

    verdict: str
    text: str
    on: object = None
    to: Optional[tuple] = None


class Piece(NamedTuple):
    """How it ends for some sources: yes, no, choice or unknown; whether the packet was translated."""

    parts: tuple
    status: str
    text: str
    on: object = None
    translated: bool = False


class Judge:
    """Rules of one family, asked about packets. Answers hold for a window of ports and addresses, and are kept."""

    def __init__(self, family, tables, topology):
        self.family, self._topology = family, topology
        self._local = topology.local(family)
        self._base = {hook: [] for hook in HOOKS}
        self._names = {name for table in tables if table.family in (0, family) for name in table.chains}
        for table in tables:
            if table.family in (0, family):
                for chain in table.chains.values():
                    if chain.hook in self._base:
                        self._base[chain.hook].append((chain.priority, chain, table))
        for found in self._base.values():
            found.sort(key=lambda item: item[0])
        self._way = [(c, t) for hook in ("ingress", "prerouting") for _p, c, t in self._base[hook]]
        self._kept = {}
        self._window, self._steps = None, 0

    def pieces(self, protocol, interface, address, port, translate=True):
        """Return [Piece] for a first packet that comes in by an interface for an address and port of the host."""
        kept = self._kept.setdefault((protocol, interface, translate), [])
        for ports, addresses, found in kept:
            if ports[0] <= port <= ports[1] and addresses[0] <= address <= addresses[1]:
                return found
        self._window, self._steps = Window(self.family, self._local), 0
        packet = Packet(self.family, protocol, interface, address, port, address, port)
        found = self._advance(0, outsiders(self.family), packet, translate)
        kept.append((self._window.ports, self._window.addresses, found))
        return found

    def has_chain(self, prefix):
        """Tell whether a chain of this name begins so."""
        return any(name.startswith(prefix) for name in self._names)

    def rules_from(self, hook):
        """Yield (table, Rule) of every rule that a packet at a hook may come to; each chain once."""
        todo = [(table, chain) for _priority, chain, table in self._base[hook]]
        seen = set()
        while todo:
            table, chain = todo.pop()
            if id(chain) in seen:
                continue
            seen.add(id(chain))
            for rule in chain.rules:
                yield table, rule
                if rule.target[0] in ("jump", "goto") and rule.target[1] in table.chains:
                    todo.append((table, table.chains[rule.target[1]]))

    @staticmethod
    def accepts(table, rule):
        """Tell whether a rule jumps to a chain that accepts whatever comes."""
        chain = table.chains.get(rule.target[1]) if rule.target[0] in ("jump", "goto") else None
        return bool(chain and chain.rules and not chain.rules[0].matches and chain.rules[0].target[0] == "accept")

    def _advance(self, stage, parts, packet, translate):
        """Go through the chains before routing from ``stage`` on, then to the host or on to a container."""
        if stage == len(self._way):
            return self._routed(parts, packet)
        chain, table = self._way[stage]
        # A connection is translated once.
        beside = chain.nat and (packet.translated or not translate)
        if beside or (chain.devices and packet.iif not in chain.devices):
            return self._advance(stage + 1, parts, packet, translate)
        out = []
        for found, outcomes in self._base_chain(table, chain, parts, packet):
            status, text, on = _settle(outcomes)
            if chain.nat and status in ("yes", "dnat", "choice", "unknown"):
                out.extend(self._translated(stage, found, outcomes, packet))
            elif status == "no":
                out.append(Piece(found, "no", text))
            else:
                for piece in self._advance(stage + 1, found, packet, translate):
                    out.append(_both(status, text, on, piece))
        return out

    def _translated(self, stage, parts, outcomes, packet):
        """Go on with what the packet has become; where that is not sure, with all that it may be."""
        strange = [outcome for outcome in outcomes if outcome.verdict not in ("accept", "dnat")]
        if strange:
            return [Piece(parts, "unknown", strange[0].text, UNKNOWN)]
        targets = sorted({outcome.to for outcome in outcomes}, key=str)
        ways = [self._advance(stage + 1, parts, self._become(packet, to), True) for to in targets]
        if len(ways) == 1:
            return ways[0]
        doubt = max((o for o in outcomes if o.on is not None), key=lambda o: (o.on == UNKNOWN, o.text))
        return _overlay(ways, doubt.on, doubt.text)

    def _become(self, packet, to):
        if to is None:
            return packet
        address, port = to
        # What is kept, or may be what it was, is of this address and port only.
        self._window.narrow("ports", packet.asked_dport, [(packet.asked_dport,) * 2])
        self._window.narrow("addresses", packet.asked_dst, [(packet.asked_dst,) * 2])
        dst = packet.dst if address is None else self._topology.first(self.family, packet.iif)
        dst = dst if address in (None, HERE) else address
        dport = packet.dport if port is None else port
        changed = None if dst is None and dport == packet.dport else (dst, dport) != (packet.dst, packet.dport)
        return packet._replace(dst=dst, dport=dport, translated=True, changed=changed)

    def _routed(self, parts, packet):
        if not packet.translated or packet.dst is None or packet.dst in self._local:
            return self._through("input", parts, packet)
        if self.family not in self._topology.forwarding:
            return [Piece(parts, "no", "the kernel does not forward (sysctl)", None, True)]
        way = self._topology.way_to(self.family, packet.dst)
        return self._through("forward", parts, packet._replace(oif=way))

    def _through(self, hook, parts, packet):
        forwarded = hook == "forward"
        pieces = [Piece(parts, "yes", "no rule", None, forwarded)]
        for _priority, chain, table in self._base[hook]:
            if chain.nat:
                continue
            following = []
            for piece in pieces:
                if piece.status == "no":
                    following.append(piece)
                    continue
                for found, outcomes in self._base_chain(table, chain, piece.parts, packet):
                    status, text, on = _settle(outcomes)
                    following.append(_then(piece._replace(parts=found), status, text, on))
            pieces = following
        return pieces

    def _base_chain(self, table, chain, parts, packet):
        """Yield (parts, outcomes) of a base chain, its policy included."""
        for found, outcomes, falls in self._walk(table, chain, parts, packet, 0):
            if not chain.nat:
                # Nothing is translated here; a rule that says so was never loaded.
                outcomes = {o._replace(verdict="unknown", on=UNKNOWN) if o.verdict == "dnat" else o for o in outcomes}
            if falls:
                policy = "policy {0} of {1}".format(chain.policy, chain.name)
                outcomes = {*outcomes, Outcome(chain.policy, policy)}
            yield found, outcomes

    def _walk(self, table, chain, parts, packet, depth):
        """Return [(parts, outcomes, whether it may come out of the chain's end)].

        A cell is (parts, outcomes so far, on what it depends that it has returned already; None when it has not).
        """
        live, left = [(parts, frozenset(), None)], []
        for rule in chain.rules:
            if not live:
                break
            self._steps += len(live)
            if self._steps > BUDGET or depth > DEPTH:
                endless = Outcome("unknown", "more rules than can be followed", UNKNOWN)
                return left + [(found, outcomes | {endless}, True) for found, outcomes, _back in live]
            truth, region = self._window.meets(rule.matches, packet)
            if truth is False:
                continue
            following = []
            for found, outcomes, back in live:
                hit = found if region is None else common(found, region)
                if region is not None:
                    rest = without(found, region)
                    if rest:
                        following.append((rest, outcomes, back))
                if hit:
                    self._apply(table, rule, truth, (hit, outcomes, back), packet, depth, following, left)
            live = following
        return left + [(found, outcomes, True) for found, outcomes, _back in live]

    def _apply(self, table, rule, truth, cell, packet, depth, following, left):
        parts, outcomes, back = cell
        kind, argument = rule.target
        on = None if truth is True else truth or UNKNOWN
        if kind == "continue":
            following.append(cell)
        elif kind == "return":
            if on is None:
                left.append((parts, outcomes, True))
            else:
                following.append((parts, outcomes, _worse(on, back)))
        elif kind in ("jump", "goto") and argument in table.chains:
            for found, inner, falls in self._walk(table, table.chains[argument], parts, packet, depth + 1):
                # What has returned already does not end in there.
                inner = outcomes | {o._replace(on=_worse(back, _worse(on, o.on))) for o in inner}
                if on is not None or (falls and kind == "jump"):
                    beyond = _worse(on, back) if falls and kind == "goto" else back
                    following.append((found, inner, beyond))
                else:
                    left.append((found, inner, falls or back is not None))
        else:
            to = argument if kind == "dnat" else None
            if kind not in ("accept", "drop", "dnat"):
                following.append((parts, outcomes | {Outcome("unknown", rule.text, UNKNOWN)}, back))
            elif on is None:
                # What has returned already does not end here.
                left.append((parts, outcomes | {Outcome(kind, rule.text, back, to)}, back is not None))
            else:
                following.append((parts, outcomes | {Outcome(kind, rule.text, _worse(on, back), to)}, back))


def _worse(one, two):
    """Return the less certain of two conditions."""
    if UNKNOWN in (one, two):
        return UNKNOWN
    if one is not None and two is not None and one != two:
        return Choice("{0}, {1}".format(one.text, two.text))
    return one if two is None else two


def _settle(outcomes):
    """Return (yes, no, choice or unknown; the deciding rule; on what it depends) for all that may happen."""
    ordered = sorted(outcomes, key=lambda o: (o.on is not None, o.text.startswith("policy "), o.text))
    kinds = {o.verdict for o in outcomes}
    if kinds == {"accept"}:
        return "yes", ordered[0].text, None
    if kinds == {"drop"}:
        return "no", ordered[0].text, None
    if kinds == {"dnat"}:
        return "dnat", ordered[0].text, None
    doubt = [o for o in ordered if o.on == UNKNOWN or o.verdict == "unknown"]
    if doubt:
        return "unknown", doubt[0].text, UNKNOWN
    accepted = [o for o in ordered if o.verdict == "accept"]
    if accepted and accepted[0].on is None:
        # Only who chooses to be refused is refused.
        return "yes", accepted[0].text, None
    chosen = (accepted or [o for o in ordered if o.on is not None])[0]
    return "choice", chosen.text, chosen.on


def _then(piece, status, text, on):
    """Return a piece after one more chain: all of them have to let it pass."""
    if status == "no":
        return piece._replace(status="no", text=text, on=None)
    if status == "unknown" or (status == "choice" and piece.status != "unknown"):
        return piece._replace(status=status, text=text, on=on)
    if piece.status == "yes" and (not text.startswith("policy ") or piece.text == "no rule"):
        return piece._replace(text=text)
    return piece


def _both(status, text, on, piece):
    """Return a later piece, less certain by what an earlier chain said."""
    if piece.status == "no" or status == "yes" or (status == "choice" and piece.status == "unknown"):
        return piece
    return piece._replace(status=status, text=text, on=on)


def _overlay(ways, on, text):
    """Return pieces where several ways are possible: what they agree on, else what decides between them."""
    out = []
    for piece in ways[0]:
        left = piece.parts
        for other in (p for way in ways[1:] for p in way):
            shared = common(left, other.parts)
            if shared and (other.status != piece.status or piece.status == "unknown"):
                status = "unknown" if on == UNKNOWN or "unknown" in (other.status, piece.status) else "choice"
                out.append(Piece(shared, status, text, on))
                left = without(left, shared)
        if left:
            out.append(piece._replace(parts=left))
    return out
