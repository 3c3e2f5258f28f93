# Copyright: (c) 2026, The optiinfra.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The host's interfaces and addresses, and those by which the outside comes in. Asked of the kernel, read only."""

from __future__ import annotations

import socket
import struct
import sys
from typing import NamedTuple

from . import _netlink

ROUTE = 0
GETLINK, GETADDR = 18, 22
LINK_NAME, LINK_MASTER, LINK_INFO, INFO_KIND = 3, 10, 18, 1
ADDRESS, LOCAL = 1, 2
LOOPBACK_TYPE, UP = 772, 1
# Nothing comes in from outside by these, unless a default route leads there.
INNER = ("bridge", "dummy", "ifb")
_LINK = struct.Struct("=BxHiII")
_ADDRESS = struct.Struct("=BBBBI")


class Topology(NamedTuple):
    """The host's addresses, {interface: [(family, address, prefix length)]}, and the interfaces that lead outside."""

    interfaces: dict
    outside: tuple
    forwarding: tuple = (4, 6)

    def local(self, family):
        """Return the host's own addresses."""
        return {address for found in self.interfaces.values() for f, address, _length in found if f == family}

    def entrances(self, family, address=None):
        """Return [(interface, address)] by which a packet for ``address``, or for any of the host's, comes in."""
        own = [(name, a) for name in self.outside for f, a, _length in self.interfaces.get(name, ()) if f == family]
        if address is not None:
            # An address of an inner interface is answered from outside as well.
            return [item for item in own if item[1] == address] or sorted({(name, address) for name, _a in own})
        # Addresses of one link count only where there are no others.
        wide = [(name, a) for name, a in own if not _of_a_link(family, a)]
        return wide or own

    def first(self, family, interface):
        """Return the address to which an interface redirects, None when that cannot be told."""
        found = [a for f, a, _length in self.interfaces.get(interface, ()) if f == family and not _of_a_link(f, a)]
        return found[0] if found and (family == 4 or len(found) == 1) else None

    def way_to(self, family, address):
        """Return the interface that leads to an address, "" when that cannot be told."""
        best, name = -1, ""
        width = 32 if family == 4 else 128
        for interface, found in self.interfaces.items():
            for f, own, length in found:
                if f == family and length > best and own >> (width - length) == address >> (width - length):
                    best, name = length, interface
        return name


def _of_a_link(family, address):
    return family == 6 and address >> 118 == 0x3FA


class Link(NamedTuple):
    """An interface; ``master`` is the index of the bridge, bond or VRF that it is part of."""

    name: str
    kind: str
    up: bool
    loopback: bool
    master: int


def links(answers):
    """Return {index: Link} of a dump of links."""
    found = {}
    for body in answers:
        if len(body) < _LINK.size:
            continue
        _family, hardware, index, flags, _change = _LINK.unpack_from(body)
        known = dict(_netlink.attributes(body, _LINK.size))
        info = dict(_netlink.attributes(known.get(LINK_INFO, b""), 0))
        name, kind = (
            value.rstrip(b"\0").decode("utf-8", "replace")
            for value in (known.get(LINK_NAME, b""), info.get(INFO_KIND, b""))
        )
        master = int.from_bytes(known.get(LINK_MASTER, b""), sys.byteorder)
        if name:
            found[index] = Link(name, kind, bool(flags & UP), hardware == LOOPBACK_TYPE, master)
    return found


def addresses(answers):
    """Yield (index, (family, address, prefix length)) of a dump of addresses."""
    for body in answers:
        if len(body) < _ADDRESS.size:
            continue
        family, length, _flags, _scope, index = _ADDRESS.unpack_from(body)
        found = dict(_netlink.attributes(body, _ADDRESS.size))
        # On a link with a peer, ADDRESS is the peer's.
        raw = found.get(LOCAL) or found.get(ADDRESS) or b""
        number = {socket.AF_INET: (4, 4), socket.AF_INET6: (6, 16)}.get(family)
        if number and len(raw) == number[1] and length <= number[1] * 8:
            yield index, (number[0], int.from_bytes(raw, "big"), length)


def default_interfaces(route4, route6):
    """Return the interfaces of the default routes, from /proc/net/route and /proc/net/ipv6_route."""
    found = set()
    for line in route4.splitlines()[1:]:
        words = line.split()
        if len(words) > 7 and words[1] == "00000000" and words[7] == "00000000":
            found.add(words[0])
    for line in route6.splitlines():
        words = line.split()
        if len(words) == 10 and words[0] == "0" * 32 and words[1] == "00" and words[9] != "lo":
            found.add(words[9])
    return sorted(found)


def _read(path):
    try:
        with open(path, encoding="ascii", errors="replace") as handle:
            return handle.read()
    except OSError:
        return ""


def topology(given=()):
    """Return this host's Topology.

    :arg given: names of the interfaces that lead outside; none: those with an address that are no bridge of containers
    :raises OSError: where netlink is not to be had
    """
    known = links(_netlink.ask(ROUTE, GETLINK, _LINK.pack(0, 0, 0, 0, 0)))
    interfaces = {link.name: [] for link in known.values()}
    for index, address in addresses(_netlink.ask(ROUTE, GETADDR, _ADDRESS.pack(0, 0, 0, 0, 0))):
        if index in known:
            interfaces[known[index].name].append(address)
    inner = {
        link.name
        for link in known.values()
        if link.kind in INNER or (link.master in known and known[link.master].kind == "bridge")
    }
    if inner:
        inner.difference_update(default_interfaces(_read("/proc/net/route"), _read("/proc/net/ipv6_route")))
    outside = [
        link.name
        for link in known.values()
        if link.up and not link.loopback and interfaces[link.name] and link.name not in inner
    ]
    switches = {4: "/proc/sys/net/ipv4/ip_forward", 6: "/proc/sys/net/ipv6/conf/all/forwarding"}
    forwarding = tuple(family for family, path in switches.items() if _read(path).strip() != "0")
    return Topology(interfaces, tuple(given) or tuple(outside), forwarding)
