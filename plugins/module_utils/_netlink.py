# Copyright: (c) 2026, The optiinfra.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Dumps of what the kernel knows, by netlink(7): nothing is started for it, and nothing is changed by it."""

from __future__ import annotations

import contextlib
import os
import socket
import struct

F_REQUEST, F_DUMP = 1, 0x300
ERROR, DONE = 2, 3
TIMEOUT = 5
_HEADER = struct.Struct("=IHHII")
_ATTRIBUTE = struct.Struct("=HH")


def channel(protocol):
    """Return a socket to the kernel's part ``protocol``, to be closed by the caller.

    :raises OSError: where netlink is not to be had
    """
    found = socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, protocol)
    try:
        found.settimeout(TIMEOUT)
        found.bind((0, 0))
    except OSError:
        found.close()
        raise
    return found


def messages(data):
    """Yield (type, body) of the messages in one answer of the kernel."""
    offset = 0
    while offset + _HEADER.size <= len(data):
        length, kind, _flags, _sequence, _pid = _HEADER.unpack_from(data, offset)
        if length < _HEADER.size:
            return
        yield kind, data[offset + _HEADER.size : offset + length]
        offset += (length + 3) & ~3


def dump(connected, kind, body):
    """Ask for a dump and yield the bodies of what comes.

    :raises OSError: when the kernel refuses, or does not answer
    """
    connected.send(_HEADER.pack(_HEADER.size + len(body), kind, F_REQUEST | F_DUMP, 1, 0) + body)
    while True:
        for found, content in messages(connected.recv(1 << 18)):
            if found == DONE:
                return
            if found == ERROR:
                code = -struct.unpack_from("=i", content)[0] if len(content) >= 4 else 0
                raise OSError(code, os.strerror(code))
            yield content


def attributes(data, offset):
    """Yield (type, value) of the attributes behind ``offset``."""
    while offset + _ATTRIBUTE.size <= len(data):
        length, kind = _ATTRIBUTE.unpack_from(data, offset)
        if length < _ATTRIBUTE.size:
            return
        yield kind & 0x3FFF, data[offset + _ATTRIBUTE.size : offset + length]
        offset += (length + 3) & ~3


def ask(protocol, kind, body):
    """Return [body] of a dump.

    :raises OSError: when the kernel refuses
    """
    with contextlib.closing(channel(protocol)) as connected:
        return list(dump(connected, kind, body))
