# Copyright: (c) 2026, The optiinfra.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reads nginx configuration: what it listens on, and to which hosts and ports it passes requests."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from .model import Place, Reference, Unreadable
from .texts import number

_TOKEN = re.compile(
    r"(?P<space>[ \t\n]+)|(?P<comment>#[^\n]*)|(?P<mark>[{};])"
    r"|(?P<word>(?:\$\{[^}\n]{0,100}\}|\\.|\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|[^\s{};\"'])(?:\$\{[^}\n]{0,100}\}|\\.|[^\s{};])*)"
    r"|(?P<other>.)",
    re.DOTALL,
)
_PASS = ("proxy_pass", "grpc_pass", "fastcgi_pass", "uwsgi_pass", "scgi_pass", "memcached_pass")
_PASS_PORTS = {"http": 80, "https": 443, "grpc": 80, "grpcs": 443}
_TARGET = re.compile(
    r"^(?:(?P<scheme>[a-z]+)://)?(?P<host>\[[0-9A-Fa-f:]+\]|[A-Za-z0-9_.-]+)(?::(?P<port>[0-9]{1,5}))?(?:/.*)?$"
)
_MAX_DEPTH = 100


@dataclass
class Nginx:
    """What one file says. ``vague`` tells that some listen could not be known."""

    name: str
    listens: dict = field(default_factory=dict)  # {port: Place}
    passes: list = field(default_factory=list)  # [Reference]
    vague: bool = False


def _directives(text):
    """Yield (words, line, depth path of block names) of every directive; a block is given by its opening words."""
    words, line, blocks, count = [], 1, [], 1
    position, end = 0, len(text)
    while position < end:
        match = _TOKEN.match(text, position)
        kind, found = match.lastgroup, match.group()
        position = match.end()
        if kind == "word":
            if not words:
                line = count
            words.append(found.strip("\"'") if found[0] in "\"'" else found)
        elif kind == "mark" and found == "{":
            if words and words[0].endswith("_by_lua_block"):
                position = _past_block(text, position)
                words = []
            else:
                if words:
                    yield words, line, tuple(blocks)
                blocks.append(words or [""])
                words = []
                if len(blocks) > _MAX_DEPTH:
                    raise Unreadable(count, f"nested deeper than {_MAX_DEPTH} blocks")
        elif kind == "mark" and found == ";":
            if words:
                yield words, line, tuple(blocks)
            words = []
        elif kind == "mark":
            if not blocks:
                raise Unreadable(count, "a } without its {")
            blocks.pop()
            words = []
        count += text.count("\n", match.start(), position)
    if blocks:
        raise Unreadable(count, f"the block {' '.join(blocks[-1])[:60]!r} is not closed")


def _past_block(text, position):
    """Return where a block of Lua ends, by counting its braces."""
    depth = 1
    for match in re.compile("[{}]").finditer(text, position):
        depth += 1 if match.group() == "{" else -1
        if not depth:
            return match.end()
    return len(text)


def _listen(word):
    """Return the port of a ``listen`` argument, None for a socket file, 0 when it cannot be known."""
    if word.startswith("unix:"):
        return None
    if "$" in word:
        return 0
    if number(word):
        return number(word)
    _host, colon, port = word.rpartition(":")
    if colon and not word.endswith("]"):
        return number(port) or 0
    return 80


def parse(text, name):
    """Return the Nginx of a configuration file or a part of one.

    :raises Unreadable: for braces that do not match
    """
    found = Nginx(name)
    upstreams, variables, passes = {}, {}, []
    for words, line, blocks in _directives(text):
        inner = blocks[-1] if blocks else [""]
        if words[0] == "upstream" and len(words) > 1:
            upstreams.setdefault(words[1], [])
        elif words[0] == "server" and inner[0] == "upstream" and len(words) > 1:
            passes.append((words[1], line, True))
        elif words[0] == "listen" and inner[0] == "server" and len(words) > 1:
            port = _listen(words[1])
            if port:
                # UDP of HTTP/3 and streams listens on the same number.
                found.listens.setdefault(port, Place(name, line))
            elif port == 0:
                found.vague = True
        elif words[0] == "set" and len(words) == 3:
            variables.setdefault(words[1].lstrip("$").strip("{}"), []).append(words[2])
        elif words[0] in _PASS and len(words) > 1:
            passes.append((words[1], line, False))
    for written, line, member in passes:
        for target in _values(written, variables):
            match = _TARGET.match(target)
            if not match or (not member and match.group("host") in upstreams):
                continue
            scheme = match.group("scheme") or ""
            port = number(match.group("port") or "") or (80 if member else _PASS_PORTS.get(scheme))
            if port:
                reference = Reference(match.group("host").strip("[]").lower(), port, Place(name, line), target, scheme)
                found.passes.append(reference)
    return found


def _values(text, variables):
    """Return the texts that a target may become when its variables have one value each that ``set`` gives."""
    names = re.findall(r"\$\{?([A-Za-z_][A-Za-z0-9_]*)\}?", text)
    if not names:
        return [text]
    for name in names:
        values = variables.get(name, [])
        if len(values) != 1 or "$" in values[0]:
            # What nginx adds behind host and port, such as $request_uri, is of no matter.
            text = re.sub(r"/?\$\{?" + name + r"\}?.*$", "", text, flags=re.DOTALL)
            continue
        text = re.sub(r"\$\{?" + name + r"(?![A-Za-z0-9_])\}?", lambda _match, value=values[0]: value, text)
    return [text] if text and "$" not in text else []
