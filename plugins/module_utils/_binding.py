# Copyright: (c) 2026, The optiinfra.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""When two host bindings exclude each other, and how addresses and ports are written.

Pure and standard library only. Addresses are compared in the form ``inet_ntop`` gives them; ``ipaddress`` is avoided
because importing it costs more than the whole check.
"""

from __future__ import annotations

import re
import socket
from typing import NamedTuple

ANY4 = "0.0.0.0"  # noqa: S104
ANY6 = "::"
PROTOCOLS = ("tcp", "udp", "sctp")
_MAPPED = re.compile(r"^::ffff:(\d+\.\d+\.\d+\.\d+)$", re.IGNORECASE)
_PORT = re.compile(r"^[0-9]{1,9}$", re.ASCII)


class Binding(NamedTuple):
    """A host address, port and protocol, as declared, listened on or published.

    ``address`` is normalised; an empty one means every IPv4 and IPv6 address (Compose without ``host_ip``).
    ``v6only`` tells that ``::`` leaves IPv4 alone.
    """

    address: str
    port: int
    protocol: str = "tcp"
    v6only: bool = False

    def __str__(self):
        return "{0}/{1}".format(host_port(self.address, self.port), self.protocol)


def normal_address(text):
    """Return an IP address in its canonical form: no brackets, no zone, IPv4 for IPv4-mapped addresses.

    :raises ValueError: when ``text`` is not an IP address
    """
    address = str(text).strip()
    if address.startswith("[") and address.endswith("]"):
        address = address[1:-1]
    address = address.partition("%")[0]
    if not address:
        return ""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        address = socket.inet_ntop(family, socket.inet_pton(family, address))
    except (OSError, UnicodeError, ValueError):
        raise ValueError("{0!r} is not an IP address".format(text)) from None
    mapped = _MAPPED.match(address)
    return mapped.group(1) if mapped else address


def port_number(value):
    """Return ``value`` as a port from 1 to 65535.

    :raises ValueError: for anything else, booleans and fractions included
    """
    if isinstance(value, bool) or not isinstance(value, (int, str)) or not _PORT.match(str(value).strip()):
        raise ValueError("a port is a whole number from 1 to 65535")
    number = int(value)
    if not 1 <= number <= 65535:
        raise ValueError("a port is a whole number from 1 to 65535")
    return number


def is_loopback(address):
    """Tell whether a normalised address is reachable from this host only."""
    return address == "::1" or address.startswith("127.")


def is_wildcard(address):
    """Tell whether a normalised address stands for every address of a family."""
    return address in ("", ANY4, ANY6)


def host_port(address, port):
    """Return ``address:port`` as it is written in URLs and messages (``*`` for every address)."""
    if not address:
        return "*:{0}".format(port)
    return ("[{0}]:{1}" if ":" in address else "{0}:{1}").format(address, port)


def _covers(wide, narrow):
    """Tell whether the wildcard binding ``wide`` takes in the address of ``narrow``."""
    if wide.address == "":
        return True
    if wide.address == ANY4:
        return narrow.address == "" or ":" not in narrow.address
    if wide.address == ANY6:
        # A dual-stack :: socket excludes IPv4 binds of the port as well.
        return not wide.v6only or narrow.address == "" or ":" in narrow.address
    return False


def overlap(one, two):
    """Tell whether two bindings cannot exist together: same protocol, same port, addresses in common."""
    if one.protocol != two.protocol or one.port != two.port:
        return False
    return one.address == two.address or _covers(one, two) or _covers(two, one)


def wider(actual, declared):
    """Tell whether the address ``actual`` reaches further than ``declared`` (both normalised).

    Another address of the same reach, such as 127.0.0.2 for 127.0.0.1, is different but not wider.
    """
    if actual == declared or is_loopback(actual):
        return False
    if is_wildcard(declared):
        # Every IPv4 address was declared; IPv6 on top is wider, unless nothing was said about the family.
        return bool(declared) and (not actual or (":" in actual) != (":" in declared))
    return True
