# Copyright: (c) 2026, The optiinfra.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Hosts that are planned as if they were one, so that an endpoint has the same port on all of them. Pure."""

from __future__ import annotations

from ._binding import PROTOCOLS, Binding, normal_address, port_number
from ._error import StackError
from ._lock import VERSION, checked
from ._plan import Host


def seen(hostname, host, lock):
    """Return what other hosts have to know of this one, as JSON can hold it."""
    return {
        "hostname": hostname,
        "ephemeral": list(host.ephemeral),
        "reserved": sorted(host.reserved),
        "listeners": sorted({(b.address, b.port, b.protocol, b.v6only) for b in host.listeners}),
        "lock": {"version": VERSION, "assignments": lock},
    }


def _peer(item, where):
    """Return (hostname, Host, lock) of what ``seen`` returned on a host.

    :raises StackError: naming item and key
    """
    key = ""
    try:
        key = "ephemeral"
        low, high = (port_number(port) for port in item[key])
        key = "reserved"
        reserved = frozenset(port_number(port) for port in item[key])
        key = "listeners"
        listeners = tuple(
            Binding(normal_address(address), port_number(port), protocol, bool(v6only))
            for address, port, protocol, v6only in item[key]
            if protocol in PROTOCOLS
        )
        key = "hostname"
        hostname = str(item[key])
        key = "lock"
        lock = checked(item[key], "{0}.lock".format(where))
    except (KeyError, TypeError, ValueError):
        problem = "{0}.{1}: give what port_plan returns as host with state=looked".format(where, key)
        raise StackError(problem) from None
    return hostname, Host((low, high), reserved, listeners), lock


def together(items, stacks):
    """Return (Host, lock, elsewhere) of hosts that are planned as one.

    :arg items: what ``seen`` returned on each of the hosts, in the same order everywhere
    :arg stacks: names of the stacks that are planned
    :returns: the Host that forbids what any of them forbids; the lock of the planned stacks, of the first host that has
        an endpoint; and [(Binding, text)] of the other stacks of all of them
    :raises StackError: naming item and key
    """
    peers = [_peer(item, "peers[{0}]".format(index)) for index, item in enumerate(items)]
    lock, elsewhere = {}, []
    for hostname, _host, theirs in peers:
        for identity, entry in sorted(theirs.items()):
            if identity.split("/", 1)[0] in stacks:
                lock.setdefault(identity, entry)
            else:
                binding = Binding(entry["host_ip"], entry["published"], entry["protocol"])
                elsewhere.append((binding, "{0} on {1}".format(identity, hostname)))
    hosts = [host for _name, host, _lock in peers]
    merged = Host(
        (min(h.ephemeral[0] for h in hosts), max(h.ephemeral[1] for h in hosts)),
        frozenset().union(*(h.reserved for h in hosts)),
        tuple(dict.fromkeys(listener for h in hosts for listener in h.listeners)),
    )
    return merged, lock, elsewhere
