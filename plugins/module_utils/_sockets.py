# Copyright: (c) 2026, The optiinfra.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The listeners of this host and who owns them, from the kernel.

A netlink sock_diag dump of sockets in state LISTEN does not grow with established connections; /proc/net is the
fallback where it is refused. Sources: sock_diag(7), linux/inet_diag.h, proc(5).
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import os
import re
import socket
import struct
from typing import NamedTuple

from ._binding import Binding, normal_address
from ._netlink import attributes, channel, dump

NETLINK_SOCK_DIAG = 4
SOCK_DIAG_BY_FAMILY = 20
INET_DIAG_SKV6ONLY = 11
TCP_LISTEN, TCP_CLOSE = 10, 7
# A UDP socket without peer is in state CLOSE: that is one which receives from anybody.
STATES = {"tcp": 1 << TCP_LISTEN, "udp": 1 << TCP_CLOSE}
_REQUEST = struct.Struct("=BBBBI 48x")
# How many descriptors of each process are read before all of those of any.
FIRST = 128
_CONTAINER = re.compile(r"(?:docker[-/]|libpod-|cri-containerd-)([0-9a-f]{64})")
_UNIT = re.compile(r"/([^/]+\.(?:service|socket|scope))(?:/|$)")


class Listener(NamedTuple):
    """A socket that accepts connections (TCP) or datagrams from anybody (UDP)."""

    binding: Binding
    inode: int
    uid: int


class Process(NamedTuple):
    """The process that holds a socket, with the id of the container it runs in and its systemd unit, else ""."""

    pid: int
    name: str
    command: str
    user: str
    container: str
    unit: str


def _v6only(body):
    """Read the attribute IPV6_V6ONLY behind the 72 bytes of inet_diag_msg."""
    return any(kind == INET_DIAG_SKV6ONLY and value[:1] not in (b"", b"\0") for kind, value in attributes(body, 72))


def by_sock_diag(protocols=("tcp", "udp")):
    """Return [Listener] from the kernel's own dump.

    :raises OSError: where netlink is not to be had
    """
    found = []
    with contextlib.closing(channel(NETLINK_SOCK_DIAG)) as connected:
        for protocol in protocols:
            number = socket.IPPROTO_TCP if protocol == "tcp" else socket.IPPROTO_UDP
            for family in (socket.AF_INET, socket.AF_INET6):
                request = _REQUEST.pack(family, number, 0, 0, STATES[protocol])
                for body in dump(connected, SOCK_DIAG_BY_FAMILY, request):
                    listener = _diag(body, family, protocol)
                    if listener:
                        found.append(listener)
    return found


def _diag(body, family, protocol):
    if len(body) < 72:
        return None
    (port,) = struct.unpack_from("!H", body, 4)
    raw = body[8 : 12 if family == socket.AF_INET else 24]
    uid, inode = struct.unpack_from("=II", body, 64)
    only = family == socket.AF_INET6 and _v6only(body)
    return Listener(Binding(normal_address(socket.inet_ntop(family, raw)), port, protocol, only), inode, uid)


def by_proc(protocols=("tcp", "udp"), root="/proc"):
    """Return [Listener] from /proc/net; whether an IPv6 socket leaves IPv4 alone cannot be seen there."""
    found = []
    for protocol in protocols:
        state = "{0:02X}".format(TCP_LISTEN if protocol == "tcp" else TCP_CLOSE)
        for suffix, family, width in (("", socket.AF_INET, 4), ("6", socket.AF_INET6, 16)):
            try:
                with open("{0}/net/{1}{2}".format(root, protocol, suffix), encoding="ascii", errors="replace") as table:
                    lines = table.readlines()[1:]
            except OSError:
                continue
            for line in lines:
                listener = _proc_line(line, protocol, state, family, width)
                if listener:
                    found.append(listener)
    return found


def _proc_line(line, protocol, state, family, width):
    columns = line.split()
    try:
        if columns[3] != state:
            return None
        digits, port = columns[1].split(":")
        if len(digits) != width * 2:
            return None
        # Each 32-bit word is written in the host's byte order.
        words = [int(digits[i : i + 8], 16) for i in range(0, width * 2, 8)]
        raw = struct.pack("={0}I".format(len(words)), *words)
        address = normal_address(socket.inet_ntop(family, raw))
        return Listener(Binding(address, int(port, 16), protocol), int(columns[9]), int(columns[7]))
    except (IndexError, ValueError, OSError, struct.error):
        return None


def listeners(protocols=("tcp", "udp")):
    """Return [Listener] of this network namespace, IPv4 and IPv6."""
    try:
        return by_sock_diag(protocols)
    except OSError:
        return by_proc(protocols)


def _read(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as handle:
            return handle.read()
    except OSError:
        return ""


def _links(folder):
    """Yield the entries of a folder, none where it is gone or may not be read."""
    try:
        with os.scandir(folder) as found:
            yield from found
    except OSError:
        return


def _link(path):
    try:
        return os.readlink(path)
    except OSError:
        return ""


@functools.lru_cache(maxsize=None)
def _around():
    """Return the containers that this host itself runs in: only what is below them is one of its own."""
    return frozenset(_CONTAINER.findall(_read("/proc/self/cgroup")))


def containers_of(pid):
    """Return the containers that a process is in, the outermost first."""
    around = _around()
    return [found for found in _CONTAINER.findall(_read("/proc/{0}/cgroup".format(pid))) if found not in around]


def process(pid):
    """Return what is known of a process."""
    folder = "/proc/{0}/".format(pid)
    command = _read(folder + "cmdline").replace("\0", " ").strip()
    below = containers_of(pid)
    unit = _UNIT.search(_read(folder + "cgroup"))
    try:
        uid = os.stat(folder).st_uid
    except OSError:
        uid = -1
    return Process(
        pid=pid,
        name=_read(folder + "comm").strip() or command.split(" ")[0],
        command=command,
        user=user_name(uid),
        container=below[-1] if below else "",
        unit=unit.group(1) if unit else "",
    )


@functools.lru_cache(maxsize=None)
def user_name(uid):
    """Return the name of a user, its number when it has none."""
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except (KeyError, OverflowError, ValueError):
        return str(uid)


def pids():
    """Return the numbers of all processes that can be seen, in order."""
    return sorted(int(entry.name) for entry in _links("/proc") if entry.name.isdigit())


def owners(inodes, thorough=True):
    """Return {inode: Process} for sockets, as far as this user may see; the lowest pid, where a socket is shared.

    :arg thorough: go on to the later descriptors of processes with very many, when a socket is not among the first

    Who listens opens that socket before those of its connections, so the first descriptors of every process are read
    before all of those of any: a server with many connections is not gone through for a neighbour's socket.
    """
    wanted = {"socket:[{0}]".format(inode) for inode in inodes if inode}
    found, long = {}, []
    for pid in pids() if wanted else ():
        links = itertools.islice(_links("/proc/{0}/fd".format(pid)), FIRST + 1)
        for count, entry in enumerate(links):
            if count == FIRST:
                long.append(pid)
            else:
                _owned(entry, pid, wanted, found)
        if not wanted:
            break
    for pid in long if wanted and thorough else ():
        for entry in itertools.islice(_links("/proc/{0}/fd".format(pid)), FIRST, None):
            _owned(entry, pid, wanted, found)
        if not wanted:
            break
    known = {pid: process(pid) for pid in set(found.values())}
    return {inode: known[pid] for inode, pid in found.items()}


def _owned(entry, pid, wanted, found):
    link = _link(entry.path)
    if link in wanted:
        wanted.discard(link)
        found[int(link[len("socket:[") : -1])] = pid


def host_ports():
    """Return ((low, high) of the ephemeral range, frozenset of ports reserved by ip_local_reserved_ports)."""
    try:
        low, high = (int(word) for word in _read("/proc/sys/net/ipv4/ip_local_port_range").split())
    except ValueError:
        low, high = 32768, 60999
    reserved = set()
    for part in _read("/proc/sys/net/ipv4/ip_local_reserved_ports").strip().split(","):
        first, _dash, last = part.partition("-")
        if first.isdigit():
            reserved.update(range(int(first), int(last or first) + 1))
    return (low, high), frozenset(reserved)
