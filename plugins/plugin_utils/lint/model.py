# Copyright: (c) 2026, The optiinfra.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the parsers find and the rules say, with the place of each."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from .codes import CODES, SEVERITIES


class Unreadable(ValueError):
    """A file that cannot be parsed, with the line where it went wrong."""

    def __init__(self, line, problem):
        super().__init__(problem)
        self.line = line
        self.problem = problem


class Place(NamedTuple):
    """A line of a file; the file's path is relative to the root and written with slashes."""

    file: str
    line: int

    def __str__(self):
        return f"{self.file}:{self.line}"


@dataclass(frozen=True)
class Finding:
    """One thing that does not fit. ``severity`` is the code's own unless a rule knows too little to be sure."""

    code: str
    place: Place
    subject: str
    evidence: str
    related: tuple = ()
    severity: str = ""

    def __post_init__(self):
        severity = self.severity or CODES[self.code].severity
        object.__setattr__(self, "severity", severity)

    @property
    def rank(self):
        """Return what findings are sorted by: the most severe first, then the surest rule."""
        return (
            -SEVERITIES.index(self.severity),
            list(CODES).index(self.code),
            self.place,
            self.subject,
            self.evidence,
        )

    def as_dict(self):
        """Return it as the module returns it."""
        return {
            "code": self.code,
            "severity": self.severity,
            "file": self.place.file,
            "line": self.place.line,
            "subject": self.subject,
            "evidence": self.evidence,
            "remedy": CODES[self.code].remedy,
            "related": [{"file": place.file, "line": place.line} for place in self.related],
        }


class Value(NamedTuple):
    """A text with its place."""

    text: str
    place: Place


class Reference(NamedTuple):
    """Something that names a host and a port: in a variable, a health check, a scrape target, an upstream."""

    host: str
    port: int
    place: Place
    text: str
    scheme: str = ""


class Published(NamedTuple):
    """One port of a service. ``host`` are the host ports that would do, none when the engine chooses.

    ``variable`` tells that a variable gives it, so that other values are meant to be possible.
    """

    target: int
    host: tuple
    address: str
    protocol: str
    place: Place
    variable: bool = False

    @property
    def fixed(self):
        """Return the host port when there is no choice, else None."""
        return self.host[0] if len(self.host) == 1 else None


@dataclass
class Service:
    """A service as one Compose file, or several merged, declare it."""

    name: str
    place: Place
    image: str = ""
    build: tuple | None = None  # (context, dockerfile or "", target or "")
    ports: list = field(default_factory=list)
    expose: list = field(default_factory=list)  # [(port, place)]
    environment: dict = field(default_factory=dict)  # {name: Value}
    env_files: list = field(default_factory=list)
    command: list = field(default_factory=list)  # [Value] of command and entrypoint
    labels: list = field(default_factory=list)  # [text]
    health: list = field(default_factory=list)  # [Value]
    volumes: list = field(default_factory=list)  # [(source, target)]
    configs: list = field(default_factory=list)  # names of top-level configs and secrets
    names: set = field(default_factory=set)
    profiles: set = field(default_factory=set)
    network_mode: str = ""
    container: str = ""
    title: str = ""
    layer: str = ""
    extends: tuple | None = None  # (file or "", service)
    vague: bool = False  # some port could not be known, such as ${PORT} without a value
    replaced: frozenset = frozenset()  # keys that replace what earlier files say (!override, !reset)

    @property
    def complete(self):
        """Tell whether it can run without another file."""
        return bool(self.image or self.build or self.extends)


@dataclass
class ComposeFile:
    """What one Compose file declares."""

    path: str
    services: dict
    name: str = ""
    title: str = ""
    catalogued: bool = False
    layers: dict = field(default_factory=dict)
    networks: dict = field(default_factory=dict)  # {key: (name, external, place)}
    configs: dict = field(default_factory=dict)  # {key: path}
    includes: list = field(default_factory=list)
    findings: list = field(default_factory=list)
