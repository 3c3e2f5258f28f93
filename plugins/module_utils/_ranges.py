# Copyright: (c) 2026, The optiinfra.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Sets of addresses as disjoint, ordered ranges of numbers. Pure and standard library only."""

from __future__ import annotations

import socket
from bisect import bisect_left, bisect_right

TOP = {4: (1 << 32) - 1, 6: (1 << 128) - 1}


class AddressError(ValueError):
    """A text that is no address or network."""


def number(address):
    """Return (family, number) of an address in text form.

    :raises AddressError: when it is none
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        raw = socket.inet_pton(family, address)
    except (OSError, ValueError, UnicodeError):
        raise AddressError("{0!r} is no address".format(address)) from None
    return (6 if family == socket.AF_INET6 else 4), int.from_bytes(raw, "big")


def text_of(family, value):
    """Return an address as text."""
    kind, size = (socket.AF_INET6, 16) if family == 6 else (socket.AF_INET, 4)
    return socket.inet_ntop(kind, value.to_bytes(size, "big"))


def union(ranges):
    """Return any ranges as disjoint, ordered ones."""
    out = []
    for low, high in sorted(ranges):
        if out and low <= out[-1][1] + 1:
            if high > out[-1][1]:
                out[-1] = (out[-1][0], high)
        elif low <= high:
            out.append((low, high))
    return tuple(out)


def common(one, two):
    """Return what two sets of ranges share."""
    if len(one) > len(two):
        one, two = two, one
    out = []
    for low, high in one:
        index = max(bisect_right(two, (low,)) - 1, 0)
        while index < len(two) and two[index][0] <= high:
            first, last = max(low, two[index][0]), min(high, two[index][1])
            if first <= last:
                out.append((first, last))
            index += 1
    return tuple(out)


def without(one, two):
    """Return the first set of ranges less the second."""
    out = list(one)
    for low, high in two:
        index = max(bisect_left(out, (low,)) - 1, 0)
        while index < len(out) and out[index][0] <= high:
            first, last = out[index]
            if last < low:
                index += 1
                continue
            left = [(first, low - 1)] if first < low else []
            right = [(high + 1, last)] if last > high else []
            out[index : index + 1] = left + right
            index += len(left) + len(right)
            if right:
                break
    return tuple(out)


def size(parts):
    """Return how many addresses there are in ranges."""
    return sum(high - low + 1 for low, high in parts)


def outsiders(family):
    """Return the addresses that a sender outside may have."""
    if family == 4:
        return ((1 << 24, (127 << 24) - 1), (128 << 24, (224 << 24) - 1))
    return ((2, (0xFF << 120) - 1),)


def networks(family, parts, limit=8):
    """Return ranges as texts such as 192.0.2.0/24, the first ones and how many more there are."""
    width, out = (32 if family == 4 else 128), []
    for low, high in parts:
        while low <= high:
            free = (low & -low).bit_length() - 1 if low else width
            bits = min(free, (high - low + 1).bit_length() - 1)
            out.append("{0}/{1}".format(text_of(family, low), width - bits))
            low += 1 << bits
            if len(out) > limit + 256:
                return [*out[:limit], "..."]
    return out if len(out) <= limit else [*out[:limit], "and {0} more".format(len(out) - limit)]


def network(family, text):
    """Return (first, last) of an address or a network, by prefix length or by mask.

    :raises AddressError: when it is none of this family
    """
    address, _slash, length = text.partition("/")
    found, value = number(address)
    width = 32 if family == 4 else 128
    if found != family:
        raise AddressError("{0!r} is no address of IPv{1}".format(text, family))
    if not length:
        return value, value
    if length.isdigit() and len(length) < 4:
        bits = int(length)
    else:
        mask = number(length)[1]
        bits = bin(mask).count("1")
        if mask != TOP[family] ^ ((1 << (width - bits)) - 1):
            raise AddressError("{0!r}: a mask with gaps".format(text))
    if bits > width:
        raise AddressError("{0!r} is no network".format(text))
    low = value >> (width - bits) << (width - bits)
    return low, low | ((1 << (width - bits)) - 1)
