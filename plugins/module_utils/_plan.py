# Copyright: (c) 2026, The optiinfra.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From the endpoints of a host's stacks to assignments without conflict: sticky, deterministic, explained.

Pure and standard library only. Order of strength: fixed, earlier assignment, preferred port by priority and
stack order, moved.
"""

from __future__ import annotations

from typing import NamedTuple, Optional

from ._binding import Binding, overlap
from ._error import StackError

# https://fetch.spec.whatwg.org/#port-blocking, those above 1023: no browser opens them.
BAD_PORTS = frozenset(
    (1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, *range(6665, 6670), 6679, 6697, 10080)
)
DEFAULT_EPHEMERAL = (32768, 60999)


class Host(NamedTuple):
    """What is given on the host: ``ephemeral`` (low, high), ``reserved`` ports, ``listeners`` as Bindings."""

    ephemeral: tuple = DEFAULT_EPHEMERAL
    reserved: frozenset = frozenset()
    listeners: tuple = ()


class Claim(NamedTuple):
    """Who has a binding: an endpoint of this plan or an earlier assignment of a stack that is not planned now."""

    binding: Binding
    id: str
    strength: str


class _Ledger:
    """Claims by protocol and port, so that a conflict is looked for among few."""

    def __init__(self):
        self._claims = {}

    def claim(self, binding, identity, strength):
        self._claims.setdefault((binding.protocol, binding.port), []).append(Claim(binding, identity, strength))

    def release(self, binding, identity):
        claims = self._claims[(binding.protocol, binding.port)]
        claims[:] = [claim for claim in claims if claim.id != identity]

    def conflicts(self, binding):
        claims = self._claims.get((binding.protocol, binding.port), ())
        return [claim for claim in claims if overlap(claim.binding, binding)]

    def conflict(self, binding) -> Optional[Claim]:
        return next(iter(self.conflicts(binding)), None)


class _Planner:
    def __init__(self, host):
        self.host = host
        self.ledger = _Ledger()
        self.result = {}
        self.lost = {}
        self._live = {}
        for listener in host.listeners:
            self._live.setdefault((listener.protocol, listener.port), []).append(listener)

    def assign(self, endpoint, port, reason, explain, because_of=None):
        self.ledger.claim(endpoint.at(port), endpoint.id, reason)
        self.result[endpoint.id] = {"published": port, "reason": reason, "explain": explain, "because_of": because_of}

    def take_back(self, endpoint):
        """Undo an assignment; return the port."""
        port = self.result.pop(endpoint.id)["published"]
        self.ledger.release(endpoint.at(port), endpoint.id)
        return port

    def live(self, endpoint, port):
        """Tell whether somebody listens where an endpoint would."""
        binding = endpoint.at(port)
        return any(overlap(found, binding) for found in self._live.get((binding.protocol, port), ()))

    def usable(self, endpoint, port):
        """Tell whether an endpoint may be moved to ``port``."""
        low, high = self.host.ephemeral
        if not 1024 <= port <= 65535 or low <= port <= high or port in self.host.reserved or port in BAD_PORTS:
            return False
        return not self.ledger.conflict(endpoint.at(port)) and not self.live(endpoint, port)

    def shift(self, members):
        """Return the smallest distance up (then down) at which all endpoints find a usable port."""
        bases = [m.preferred if m.preferred >= 1024 else m.preferred + 8000 for m in members]
        for distance in range(0 if bases != [m.preferred for m in members] else 1, 65536 - max(bases)):
            if all(self.usable(m, base + distance) for m, base in zip(members, bases)):
                return [base + distance for base in bases]
        for distance in range(1, min(bases) - 1023):
            if all(self.usable(m, base - distance) for m, base in zip(members, bases)):
                return [base - distance for base in bases]
        raise StackError("{0}: no free port is left on this host".format(members[0].id))


def _fixed(planner, endpoints, overrides):
    for endpoint in endpoints:
        if not endpoint.fixed:
            continue
        other = planner.ledger.conflict(endpoint.at(endpoint.preferred))
        if other:
            raise StackError(
                "{0} is fixed to {1}, which {2} has ({3}). Neither may move: change one of them".format(
                    endpoint.id,
                    endpoint.at(endpoint.preferred),
                    other.id,
                    "assigned earlier" if other.strength == "kept" else "fixed",
                )
            )
        word = "set by an override" if {endpoint.id, endpoint.endpoint} & set(overrides) else "fixed by its stack"
        planner.assign(endpoint, endpoint.preferred, "fixed", word)


def _sticky(planner, endpoints, lock):
    """Keep what was assigned; note who loses it to something stronger."""
    for endpoint in endpoints:
        entry = lock.get(endpoint.id)
        if endpoint.id in planner.result or not entry or entry["preferred"] != endpoint.preferred:
            continue
        port = entry["published"]
        stronger = planner.ledger.conflict(endpoint.at(port))
        if stronger:
            planner.lost[endpoint.id] = stronger
            continue
        moved = "" if port in endpoint.choices else ", away from {0}".format(endpoint.preferred)
        planner.assign(endpoint, port, "sticky", "as assigned earlier{0}".format(moved))


def _units(endpoints):
    """Return the endpoints as lists that move together, in order: the groups of a stack, each other alone."""
    units = {}
    for endpoint in endpoints:
        units.setdefault((endpoint.stack, endpoint.group) if endpoint.group else (endpoint.id, None), []).append(
            endpoint
        )
    return list(units.values())


def _by_priority(units):
    """Return the units in order of priority, a group's being that of its highest member; else as they were."""
    return sorted(units, key=lambda unit: -max(m.priority for m in unit))


def _preferred(planner, units):
    """Give what is preferred and free; return the units that remain."""
    rest, seated = [], {}
    for members in units:
        if any(m.id in planner.result for m in members):
            # Part of the group is where it was; the others join as they can.
            pending = [[m] for m in members if m.id not in planner.result]
        else:
            pending = [members]
        for unit in pending:
            if len(unit) == 1:
                if not _seat(planner, unit[0], seated, set()):
                    rest.append(unit)
                continue
            free = [[p for p in m.choices if planner.ledger.conflict(m.at(p)) is None] for m in unit]
            found = {m.id: ports[0] for m, ports in zip(unit, free) if ports}
            if len(found) < len(unit) or _clash_inside(unit, found):
                rest.append(unit)
                continue
            for m in unit:
                planner.assign(m, found[m.id], "preferred", _word(m, found[m.id]))
    return rest


def _word(endpoint, port):
    if len(endpoint.choices) == 1:
        return "the port its stack asks for"
    return "one of {0}-{1}, which its stack asks for".format(endpoint.choices[0], endpoint.choices[-1])


def _seat(planner, endpoint, seated, tried):
    """Give an endpoint one of its choices, others going elsewhere in their ranges if need be; tell whether it could.

    :arg seated: {id: endpoint} of those that could go elsewhere, extended here
    :arg tried: bindings that cannot be freed, extended here
    """

    def take(port):
        planner.assign(endpoint, port, "preferred", _word(endpoint, port))
        if len(endpoint.choices) > 1:
            seated[endpoint.id] = endpoint
        return True

    # Of a range, each port is as good as the first: better one on which no stranger listens.
    free = [p for p in endpoint.choices if planner.ledger.conflict(endpoint.at(p)) is None]
    if free:
        return take(next((p for p in free if not planner.live(endpoint, p)), free[0]))
    for port in endpoint.choices:
        blockers = planner.ledger.conflicts(endpoint.at(port))
        if endpoint.at(port) in tried or len(blockers) > 1 or blockers[0].id not in seated:
            continue
        tried.add(endpoint.at(port))
        other = seated[blockers[0].id]
        planner.take_back(other)
        take(port)
        if _seat(planner, other, seated, tried):
            return True
        planner.take_back(endpoint)
        planner.assign(other, port, "preferred", _word(other, port))
    return False


def _clash_inside(unit, found):
    bindings = [m.at(found[m.id]) for m in unit if m.id in found]
    return any(overlap(one, two) for i, one in enumerate(bindings) for two in bindings[i + 1 :])


def _moved(planner, rest, priorities):
    for unit in rest:
        # A group that asks twice for the same port cannot stay together.
        parts = [[m] for m in unit] if _clash_inside(unit, {m.id: m.preferred for m in unit}) else [unit]
        for part in parts:
            blockers = [planner.ledger.conflict(m.at(m.preferred)) for m in part]
            if len(part) == 1 and blockers[0] is None:
                planner.assign(part[0], part[0].preferred, "preferred", _word(part[0], part[0].preferred))
                continue
            cause = next(claim for claim in blockers if claim)
            ports = planner.shift(part)
            for m, port, blocker in zip(part, ports, blockers):
                if blocker:
                    higher = blocker.strength == "preferred" and priorities[blocker.id] > m.priority
                    reason = "of a higher priority" if higher else _STRENGTH[blocker.strength]
                    why = "{0} belongs to {1} ({2})".format(m.preferred, blocker.id, reason)
                else:
                    why = "moves with its group {0}, because {1} belongs to {2}".format(
                        m.group, cause.binding.port, cause.id
                    )
                planner.assign(m, port, "moved", why, (blocker or cause).id)


_STRENGTH = {
    "fixed": "fixed",
    "sticky": "assigned earlier",
    "kept": "assigned earlier",
    "preferred": "earlier in the order",
    "moved": "moved there",
}


def _override(endpoints, overrides):
    """Return the endpoints with overrides ({id or service.name: port}) as fixed ports."""
    known = {}
    for endpoint in endpoints:
        known.setdefault(endpoint.endpoint, []).append(endpoint.id)
        known.setdefault(endpoint.id, []).append(endpoint.id)
    wanted = {}
    for name, port in overrides.items():
        if name not in known:
            raise StackError(
                "overrides: {0!r} is no endpoint; there are {1}".format(name, ", ".join(e.endpoint for e in endpoints))
            )
        if len(known[name]) > 1:
            raise StackError(
                "overrides: {0!r} is an endpoint of several stacks: {1}".format(name, ", ".join(known[name]))
            )
        wanted[known[name][0]] = port
    return [
        e._replace(preferred=wanted[e.id], choices=(wanted[e.id],), fixed=True) if e.id in wanted else e
        for e in endpoints
    ]


def plan(endpoints, lock=None, overrides=None, host=None, stacks=(), elsewhere=(), earlier=None):
    """Return (assignments, moves) for the endpoints of all stacks that are planned together on one host.

    :arg endpoints: [Endpoint] in stack order
    :arg lock: {id: {published, target, host_ip, protocol, preferred}}; stacks that are not planned now keep theirs
    :arg overrides: {id or service.name: port}, validated
    :arg stacks: names of stacks that are planned now, though they may have no endpoint
    :arg elsewhere: [(Binding, text)] of what stacks have on hosts that are planned with this one (see ``_peers``)
    :arg earlier: what this host has, when ``lock`` is of several hosts; moves are told of it
    :returns: assignments in the order of ``endpoints``; moves: [{endpoint, from, to, why, because_of}]
    :raises StackError: for a clash of two fixed ports, an unknown override, or when no port is left
    """
    lock = lock or {}
    overrides = overrides or {}
    host = host or Host()
    endpoints = _override(list(endpoints), overrides)
    seen = set()
    for endpoint in endpoints:
        if endpoint.id in seen:
            raise StackError("{0} is declared twice".format(endpoint.id))
        seen.add(endpoint.id)
    planner = _Planner(host)
    planned = {e.stack for e in endpoints} | set(stacks)
    for identity in sorted(lock):
        entry = lock[identity]
        if identity.split("/", 1)[0] not in planned:
            planner.ledger.claim(Binding(entry["host_ip"], entry["published"], entry["protocol"]), identity, "kept")
    for binding, text in elsewhere:
        planner.ledger.claim(binding, text, "kept")
    earlier = lock if earlier is None else earlier
    _fixed(planner, endpoints, overrides)
    _sticky(planner, endpoints, lock)
    rest = _preferred(planner, _by_priority(_units(endpoints)))
    _moved(planner, rest, {e.id: e.priority for e in endpoints})
    assignments = [_assignment(e, planner.result[e.id], host) for e in endpoints]
    return assignments, [_move(a, earlier, planner) for a in assignments if _is_move(a, earlier)]


def _assignment(endpoint, outcome, host):
    explain = outcome["explain"]
    low, high = host.ephemeral
    if low <= outcome["published"] <= high:
        explain += "; inside the ephemeral range {0}-{1}: an outgoing connection may hold it".format(low, high)
    return {
        "stack": endpoint.stack,
        "service": endpoint.service,
        "endpoint": endpoint.endpoint,
        "id": endpoint.id,
        "container": endpoint.container,
        "published": outcome["published"],
        "target": endpoint.target,
        "host_ip": endpoint.host_ip,
        "protocol": endpoint.protocol,
        "app_protocol": endpoint.app_protocol,
        "health": endpoint.health,
        "exposure": endpoint.exposure,
        "preferred": endpoint.preferred,
        "reason": outcome["reason"],
        "explain": explain,
        "title": endpoint.title,
        "layer": endpoint.layer,
        "purpose": endpoint.purpose,
    }


def _is_move(assignment, lock):
    earlier = lock.get(assignment["id"])
    return assignment["reason"] == "moved" or bool(earlier and earlier["published"] != assignment["published"])


def _move(assignment, lock, planner):
    identity = assignment["id"]
    earlier = lock.get(identity)
    why, because_of = assignment["explain"], planner.result[identity]["because_of"]
    if identity in planner.lost:
        stronger = planner.lost[identity]
        word = "is fixed for {0} now" if stronger.strength == "fixed" else "belongs to {0}"
        why, because_of = "{0} {1}".format(stronger.binding.port, word.format(stronger.id)), stronger.id
    elif earlier and assignment["reason"] == "sticky":
        why = "{0} on the hosts that are planned with this one".format(assignment["published"])
    elif earlier and assignment["reason"] != "moved":
        why = "its stack or an override asks for {0} now".format(assignment["preferred"])
    return {
        "endpoint": identity,
        "from": earlier["published"] if earlier else assignment["preferred"],
        "to": assignment["published"],
        "why": why,
        "because_of": because_of,
    }


def locked(assignments):
    """Return what the lock keeps of assignments, {id: {key: value}}."""
    keys = ("service", "published", "target", "host_ip", "protocol", "preferred", "app_protocol", "exposure")
    return {a["id"]: {key: a[key] for key in keys} for a in assignments}
