# Copyright: (c) 2026, The optiinfra.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Hosts and ports in free text: URLs, addresses, commands. Every pattern takes time linear in the text."""

from __future__ import annotations

import re

from ansible_collections.optiinfra.platform.plugins.module_utils._interpolate import InterpolationError, interpolate

from .model import Reference

# Stands for a variable that has no value here.
UNKNOWN = "\ufffd"
LOCAL = frozenset(("localhost", "127.0.0.1", "0.0.0.0", "::1", "::", "ip6-localhost"))  # noqa: S104
_BARE = re.compile(r"\$\$|\$\{([A-Za-z_][A-Za-z0-9_]*)(?::?\?[^{}]{0,200})?\}|\$([A-Za-z_][A-Za-z0-9_]*)")
_SCHEMES = {"http": 80, "https": 443, "ws": 80, "wss": 443}
# A host with a port, with or without a scheme, user and password, and nothing behind that makes it another thing.
_HOST_PORT = re.compile(
    r"(?<![\w.@%-])(?:(?P<scheme>[A-Za-z][A-Za-z0-9+.-]{0,30})://)?(?:[^\s/@\"'<>()]{0,200}@)?"
    r"(?P<host>\[[0-9A-Fa-f:]{2,45}\]|[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,100}[A-Za-z0-9_])?):(?P<port>[0-9]{1,5})(?![\w@:])"
)
_NO_PORT = re.compile(
    r"(?<![\w.@-])(?P<scheme>https?|wss?)://(?:[^\s/@\"'<>()]{0,200}@)?"
    r"(?P<host>[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,100}[A-Za-z0-9_])?)(?![\w.:@-])"
)
_DEV_TCP = re.compile(r"/dev/(?:tcp|udp)/([A-Za-z0-9_.-]{1,100})/([0-9]{1,5})(?!\w)")
_NETCAT = re.compile(
    r"\b(?:nc|ncat|netcat|telnet)((?:\s+-\w+)*)(?:\s+\d+(?=\s+[A-Za-z]))?\s+([A-Za-z0-9_.-]{1,100})"
    r"\s+([0-9]{1,5})(?!\w)"
)
_NUMBER = re.compile(r"(?<![\w.])([0-9]{2,5})(?!\w|\.[0-9])")


def listed(text):
    """Return the words of a text as a set."""
    return frozenset(text.split())


class Environment(dict):
    """{NAME: text} of a .env file. ``examples`` are those of a .env.example, for names without value and default."""

    def __init__(self, values=(), examples=None):
        super().__init__(values)
        self.examples = examples or {}


def expand(text, environment):
    """Return a text with its ``${}`` references replaced; one without a value becomes UNKNOWN."""
    if "$" not in text:
        return text
    examples = getattr(environment, "examples", {})

    def known(match):
        name = match.group(1) or match.group(2)
        if name is None or environment.get(name) is not None:
            return match.group()
        return examples.get(name, UNKNOWN).replace("$", "$$") or UNKNOWN

    try:
        return interpolate(_BARE.sub(known, text), environment)
    except (InterpolationError, RecursionError):
        return UNKNOWN


def number(text):
    """Return a text as a port, None when it is none."""
    text = text.strip()
    return int(text) if re.fullmatch("[0-9]{1,5}", text) and 1 <= int(text) <= 65535 else None


def references(text, place, implied=False):
    """Return [Reference]: every host with a port in a text.

    :arg implied: whether a URL without a port means 80 or 443
    """
    found = []
    for match in _HOST_PORT.finditer(text):
        port = number(match.group("port"))
        scheme = (match.group("scheme") or "").lower()
        # host:7 without a scheme is more often an image with its tag than a port.
        if port and (scheme or port >= 100):
            found.append(_reference(match.group("host").strip("[]").lower(), port, place, scheme))
    if implied:
        for match in _NO_PORT.finditer(text):
            scheme = match.group("scheme").lower()
            host = match.group("host").lower()
            found.append(_reference(host, _SCHEMES[scheme], place, scheme))
    return found


def _reference(host, port, place, scheme):
    """Return a Reference whose text has no user and password."""
    shown = f"[{host}]" if ":" in host else host
    return Reference(host, port, place, f"{scheme}://{shown}:{port}" if scheme else f"{shown}:{port}", scheme)


def command_references(text, place, environment):
    """Return [Reference] of a command line: URLs, ``/dev/tcp/``, netcat.

    :arg environment: {NAME: text} of the container, for what its shell expands
    """
    text = expand(text.replace("$$", "$"), environment) if "$" in text else text
    found = references(text, place, implied=True)
    for match in _DEV_TCP.finditer(text):
        found.append(Reference(match.group(1).lower(), int(match.group(2)), place, match.group()))
    for match in _NETCAT.finditer(text):
        found.append(Reference(match.group(2).lower(), int(match.group(3)), place, match.group()))
    return [reference for reference in found if 1 <= reference.port <= 65535]


def numbers(text):
    """Return every number in a text that could be a port."""
    return {int(match) for match in _NUMBER.findall(text) if 1 <= int(match) <= 65535}


def is_local(host):
    """Tell whether a host means the machine or container itself."""
    return host in LOCAL or host.startswith("127.")
