# Copyright: (c) 2026, The optiinfra.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reads Dockerfiles: what each stage exposes, its variables, health check and command."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from .model import Place, Value
from .texts import UNKNOWN, expand, number

_INSTRUCTION = re.compile(r"^\s*([A-Za-z]+)\s+(.*)$", re.DOTALL)
_HEREDOC = re.compile(r"<<-?\s*([\"']?)([A-Za-z_][A-Za-z0-9_]*)\1")
_ESCAPE = re.compile(r"^#\s*escape\s*=\s*(\S)", re.IGNORECASE)
_PAIR = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=(\"[^\"]*\"|'[^']*'|\S*)")
_FROM = re.compile(r"^(?:--\S+\s+)*(\S+)(?:\s+[Aa][Ss]\s+(\S+))?")


@dataclass
class Stage:
    """One ``FROM`` to the next. ``base`` is an image, or the name of an earlier stage."""

    base: str
    name: str
    place: Place
    exposed: list = field(default_factory=list)  # [(port, protocol, Place)]
    environment: dict = field(default_factory=dict)
    health: Value | None = None
    command: list = field(default_factory=list)  # [Value]
    vague: bool = False


def _instructions(text):
    """Yield (keyword, rest, line) with continued lines joined, comments and here-documents left out."""
    lines = text.split("\n")
    escape = "\\"
    for line in lines:
        match = _ESCAPE.match(line)
        if match:
            escape = match.group(1)
        elif not line.startswith("#"):
            break
    index = 0
    while index < len(lines):
        start, parts = index, []
        while index < len(lines):
            line = lines[index].rstrip()
            index += 1
            if line.lstrip().startswith("#") or (parts and not line):
                continue
            if not line.endswith(escape):
                parts.append(line)
                break
            parts.append(line[:-1])
        match = _INSTRUCTION.match(" ".join(parts))
        if not match:
            continue
        keyword, rest = match.group(1).upper(), match.group(2).strip()
        if keyword in ("RUN", "COPY", "ADD"):
            for _quote, word in _HEREDOC.findall(rest):
                # Without its end it is no here-document but a shell's shift or a quoted text.
                end = next((i for i in range(index, len(lines)) if lines[i].strip() == word), None)
                index = index if end is None else end + 1
        yield keyword, rest, start + 1


def _stage(stages, name, place, base):
    """Return a new stage that begins with what the one it is built on has."""
    known = next((stage for stage in reversed(stages) if stage.name and stage.name == base.lower()), None)
    if not known:
        return Stage(base, name, place)
    return Stage(
        known.base,
        name,
        place,
        list(known.exposed),
        dict(known.environment),
        known.health,
        list(known.command),
        known.vague,
    )


def parse(text, name):
    """Return [Stage] of a Dockerfile, in order."""
    stages, arguments = [], {}
    for keyword, rest, line in _instructions(text):
        place = Place(name, line)
        if keyword == "FROM":
            match = _FROM.match(rest)
            if match:
                base = expand(match.group(1), arguments)
                stages.append(_stage(stages, (match.group(2) or "").lower(), place, base))
        elif keyword == "ARG":
            key, equals, value = rest.partition("=")
            if equals:
                arguments[key.strip()] = value.strip().strip("\"'")
                if stages:
                    stages[-1].environment.setdefault(key.strip(), expand(value.strip().strip("\"'"), arguments))
            elif stages and key.strip() in arguments:
                stages[-1].environment.setdefault(key.strip(), arguments[key.strip()])
        elif stages:
            _read(stages[-1], keyword, rest, place)
    return stages


def _read(stage, keyword, rest, place):
    if keyword == "ENV":
        pairs = _PAIR.findall(rest) if "=" in rest.split(" ", 1)[0] else [tuple((*rest.split(None, 1), "")[:2])]
        for key, value in pairs:
            stage.environment[key] = expand(value.strip("\"'"), stage.environment)
    elif keyword == "EXPOSE":
        for word in expand(rest, stage.environment).split("#")[0].split():
            ports, _slash, protocol = word.strip("\"'").partition("/")
            first, _dash, last = ports.partition("-")
            low, high = number(first), number(last or first)
            if low is None or high is None or UNKNOWN in word or high - low > 1000:
                stage.vague = True
            else:
                stage.exposed.extend((port, protocol.lower() or "tcp", place) for port in range(low, high + 1))
    elif keyword == "HEALTHCHECK":
        stage.health = None if rest.upper().startswith("NONE") else Value(rest, place)
    elif keyword in ("CMD", "ENTRYPOINT"):
        stage.command.append(Value(rest, place))


def final(stages, target=""):
    """Return the stage that a build ends with, None when there is none."""
    if target:
        return next((stage for stage in stages if stage.name == target.lower()), None)
    return stages[-1] if stages else None
