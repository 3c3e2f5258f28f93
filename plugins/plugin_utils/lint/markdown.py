# Copyright: (c) 2026, The optiinfra.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reads Markdown: tables of services and ports, labelled URLs, stated totals, and the settings that a text shows."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import NamedTuple

from .model import Place
from .texts import number

_FENCE = re.compile(r"^\s{0,3}(`{3,}|~{3,})")
_HEADING = re.compile(r"^\s{0,3}(#{1,6})\s+(.*?)\s*#*\s*$")
_SEPARATOR = re.compile(r"^\s*\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?\s*$")
_LINK = re.compile(r"!?\[([^\]\n]{0,200})\]\([^)\n]{0,500}\)")
_MARKS = re.compile(r"\*\*|__|`|<[^>\n]{0,100}>|~~")
_BRACKETS = re.compile(r"\([^()]{0,200}\)")
_PORTS = re.compile(r"(?<![\w.])(\d{2,5})(?:\s?[-\u2013]\s?(\d{2,5}))?(?![\w.]*\d|\w)")
_LOCAL_URL = re.compile(
    r"(?:[a-z][a-z0-9+.-]{0,20}://)(?:[^\s/@]{0,100}@)?(?P<host>localhost|127\.0\.0\.1|0\.0\.0\.0|[A-Z][A-Z0-9_]{1,40}|<[^>\s]{1,40}>)"
    r":(?P<port>\d{2,5})(?![\d.])"
)
_LIST = re.compile(r"^\s*(?:[-*+]|\d+[.)])\s+(.*)$")
_PORT_FIRST = re.compile(r"^((?:\d{2,5})(?:\s*[,/-]\s*\d{2,5})*)\s*(?:-|\u2013|\u2014|:)\s+(.{2,60})$")
_PORT_LAST = re.compile(r"^([A-Za-z][\w .&/-]{0,50}?)\s*\((?:[Pp]orts?:?\s*)((?:\d{2,5})(?:\s*[,-]\s*\d{2,5})*)\)\s*$")
_TRAILING = re.compile(r"^(?P<before>.{1,200}?)\s+#\s+(?P<label>.{1,80})$")
_ALLOW = re.compile(r"^\s*(?:sudo\s+)?ufw\s+allow\s+(\d{2,5})(?:/(tcp|udp))?\s*$")
_VARIABLE = re.compile(r"^\s*(?:export\s+)?([A-Z][A-Z0-9_]*_PORT)=(\d{2,5})\s*$")
_PLAIN_HEADER = re.compile(r"^(?:Service|Component|Name)\s+Ports?\b", re.IGNORECASE)
_PLAIN_ROW = re.compile(r"^(?P<name>[A-Za-z][\w.&/+ -]{1,60}?)\s+(?P<port>\d{2,5})\s+(?P<rest>\S.*)$")
_TOTAL = re.compile(
    r"(?i)\b(?P<what>total (?:unique )?(?:services|containers|ports)|unique ports|layers)\s*:\s*(?P<number>\d{1,4})\b"
)
_PARENTHESIS = re.compile(r"(?i)\((?P<number>\d{1,4}) (?P<what>services?|containers?|ports)\)")
_RUNNING = re.compile(r"(?i)\b(?P<number>\d{1,4}) (?P<what>services|containers) running\b")
_SNIPPET_PORT = re.compile(r"^\s+-\s+[\"']?(?:[\d.]+:)?(\d{2,5}):(\d{2,5})(?:/\w+)?[\"']?\s*(?:#.*)?$")
_SNIPPET_KEY = re.compile(r"^(\s*)([A-Za-z0-9][\w.-]{0,60}):\s*(?:#.*)?$")
PUBLISHED, TARGET, EITHER, URL = "published", "target", "port", "url"
_LOCAL_ADDRESS = re.compile(r"^(?:localhost|127\.0\.0\.1):(?P<port>\d{2,5})$")


class DocumentedPort(NamedTuple):
    """A port that a document names. ``kind`` is PUBLISHED, TARGET or EITHER."""

    port: int
    kind: str


@dataclass
class Row:
    """What a document says of one service, or of several that it names in one row."""

    names: list
    ports: list
    place: Place
    headings: tuple = ()
    container: str = ""
    layer: str = ""
    group: str = ""  # environment, stack or project
    table: int | None = None  # line of the table's header, None for what is no table
    fragment: bool = False  # of a Compose file that is shown, which may be another one's


class Count(NamedTuple):
    """A stated number of services, containers, ports or layers."""

    what: str
    number: int
    place: Place
    headings: tuple
    text: str


@dataclass
class Document:
    """What one document says."""

    name: str
    rows: list = field(default_factory=list)
    counts: list = field(default_factory=list)
    variables: list = field(default_factory=list)  # [(name, port, Place)]
    moves: dict = field(default_factory=dict)  # {endpoint: {port}} that it says were moved there


def plain(text):
    """Return a text without Markdown's marks."""
    return " ".join(_MARKS.sub("", _LINK.sub(r"\1", text)).split())


def ports_in(text):
    """Return [(port, whether it is the container's)] of a table's cell, [] when it holds anything else with digits."""
    text = _BRACKETS.sub(" ", plain(text))
    mapping = re.fullmatch(r"\s*(?:[\d.]+:)?(\d{2,5})\s*(?::|->|\u2192)\s*(\d{2,5})(?:/\w+)?\s*", text)
    if mapping:
        pairs = [(number(mapping.group(1)), False), (number(mapping.group(2)), True)]
        return pairs if all(port for port, _inner in pairs) else []
    text = re.sub(r"\d{1,3}(?:\.\d{1,3}){3}:|localhost:|\*:|/(?:tcp|udp|sctp)\b", " ", text, flags=re.IGNORECASE)
    found = []
    for match in _PORTS.finditer(text):
        low, high = int(match.group(1)), int(match.group(2) or match.group(1))
        if not (1 <= low <= high <= 65535) or high - low > 200:
            return []
        found.extend((port, False) for port in range(low, high + 1))
    rest = _PORTS.sub("", text)
    return [] if re.search(r"\d|[A-Za-z]{12,}", rest) else found


def _cells(line):
    text = line.strip()
    text = text[1:] if text.startswith("|") else text
    text = text[:-1] if text.endswith("|") and not text.endswith("\\|") else text
    return [cell.replace("\\|", "|").strip() for cell in re.split(r"(?<!\\)\|", text)]


def _column(title):
    """Return what a column of this title holds, "" for anything else."""
    words = set(re.findall(r"[a-z]+", plain(title).lower()))
    if words & {"port", "ports"}:
        if words & {"range", "ranges", "type", "protocol", "name", "status"}:
            return ""
        if words & {"internal", "container", "target", "inside", "cluster", "pod"}:
            return TARGET
        if words & {"external", "host", "published", "public", "exposed", "outside", "local", "localhost", "mapped"}:
            return PUBLISHED
        return EITHER
    if words & {"url", "urls"}:
        return URL
    if words >= {"on", "host"}:
        return PUBLISHED
    if words == {"in", "the", "container"}:
        return TARGET
    if words & {"container"} or words == {"container", "name"}:
        return "container"
    if words & {"service", "component", "application", "app", "server"} or words == {"name"}:
        return "name"
    if words & {"layer", "tier"}:
        return "layer"
    return "group" if words & {"environment", "stack", "project", "namespace", "host", "node", "machine"} else ""


def _names(cell):
    """Return the services that a cell names: one, or several with commas between them."""
    text = _BRACKETS.sub("", plain(cell)).strip(" -\u2013:.")
    return [part.strip() for part in re.split(r",| and | & ", text) if part.strip()] if text else []


class _Reader:
    def __init__(self, text, name):
        self.lines = text.split("\n")
        self.document = Document(name)
        self.headings = []

    def place(self, index):
        return Place(self.document.name, index + 1)

    def read(self):
        index, fence = 0, ""
        while index < len(self.lines):
            line = self.lines[index]
            mark = _FENCE.match(line)
            if mark and (not fence or (line.strip() == mark.group(1) and mark.group(1).startswith(fence))):
                fence = "" if fence else mark.group(1)
            elif len(line) > 2000:
                pass
            elif not fence and "|" in line and self.is_table(index):
                index = self.table(index)
                continue
            else:
                index = self.line(index, line, bool(fence))
                continue
            index += 1
        return self.document

    def is_table(self, index):
        following = self.lines[index + 1] if index + 1 < len(self.lines) else ""
        return len(following) < 2000 and "-" in following and bool(_SEPARATOR.match(following))

    def table(self, start):
        titles = _cells(self.lines[start])
        columns = [_column(cell) for cell in titles]
        index = start + 2
        moves = [title.lower() for title in titles[:3]] == ["endpoint", "wants", "has"]
        while index < len(self.lines) and "|" in self.lines[index] and self.lines[index].strip():
            if len(self.lines[index]) <= 2000:
                cells = _cells(self.lines[index])
                if moves and len(cells) > 2 and number(cells[2]):
                    self.document.moves.setdefault(plain(cells[0]), set()).add(number(cells[2]))
                self.row(columns, cells, index, start + 1)
            index += 1
        return index

    def row(self, columns, cells, index, table):
        row = Row([], [], self.place(index), tuple(self.headings), table=table)
        for column, cell in zip(columns, cells, strict=False):
            if column == "name" and not row.names:
                row.names = _names(cell)
            elif column == "container" and not row.container:
                row.container = plain(cell)
            elif column in ("layer", "group"):
                setattr(row, column, plain(cell))
            elif column in (PUBLISHED, TARGET, EITHER, URL):
                self.cell(row, column, cell)
        if not row.names and "," not in row.container:
            row.names = _names(row.container)
        if row.names and any(column in (PUBLISHED, TARGET, EITHER, URL) for column in columns):
            self.document.rows.append(row)

    @staticmethod
    def cell(row, column, cell):
        text = plain(cell)
        url = _LOCAL_URL.search(text) or _LOCAL_URL.search(cell) or _LOCAL_ADDRESS.match(text)
        if url:
            found, column = [(number(url.group("port")), False)], PUBLISHED
        else:
            found = [] if "://" in cell or column == URL else ports_in(cell)
        for port, inner in found:
            if port:
                row.ports.append(DocumentedPort(port, TARGET if inner else column))

    def line(self, index, line, fenced):
        """Read a line that is no table's, and return the index of the next one."""
        heading = _HEADING.match(line) if not fenced else None
        if heading:
            title = plain(heading.group(2))
            level = len(heading.group(1))
            self.headings = [*self.headings[: level - 1], *[""] * (level - 1 - len(self.headings)), title]
        if not fenced and not _LIST.match(line) and _PLAIN_HEADER.match(line):
            return self.plain_table(index)
        snippet = _SNIPPET_KEY.match(line)
        if snippet:
            self.snippet(index, snippet)
        variable = _VARIABLE.match(line)
        if variable and number(variable.group(2)):
            self.document.variables.append((variable.group(1), int(variable.group(2)), self.place(index)))
        if not fenced:
            self.count(index, line)
        if not heading:
            self.labelled(index, line)
        return index + 1

    def plain_table(self, start):
        """Read a table that lost its bars: a header that begins with ``Service Port``, then name, port and the rest."""
        index = start + 1
        while index < len(self.lines):
            match = _PLAIN_ROW.match(self.lines[index]) if len(self.lines[index]) < 500 else None
            if not match or not number(match.group("port")):
                break
            port = DocumentedPort(int(match.group("port")), EITHER)
            row = Row([match.group("name")], [port], self.place(index), tuple(self.headings), table=start + 1)
            self.document.rows.append(row)
            index += 1
        return index

    def count(self, index, line):
        text = plain(line)
        for pattern in (_TOTAL, _PARENTHESIS, _RUNNING):
            match = pattern.search(text) if len(text) < 500 else None
            if match:
                words = match.group("what").lower().split()
                what = words[-1] if words[-1].endswith("s") else words[-1] + "s"
                count = Count(what, int(match.group("number")), self.place(index), tuple(self.headings), match.group())
                self.document.counts.append(count)
                return

    def labelled(self, index, line):
        """Read a URL with a label, ``8005 - Name`` or ``Name (Port 8005)``."""
        if len(line) > 400:
            return
        entry = _LIST.match(line)
        text = plain(entry.group(1) if entry else line).strip()
        first = _PORT_FIRST.match(text) if entry else None
        last = _PORT_LAST.match(text)
        if first or last:
            ports, label = (first.group(1), first.group(2)) if first else (last.group(2), last.group(1))
            self.add(index, label, [port for port, _inner in ports_in(ports)], EITHER)
            return
        trailing = _TRAILING.match(line.strip())
        if trailing:
            allow = _ALLOW.match(trailing.group("before"))
            urls = list(_LOCAL_URL.finditer(trailing.group("before")))
            if allow or len(urls) == 1:
                port = number(allow.group(1) if allow else urls[0].group("port"))
                self.add(index, trailing.group("label"), [port] if port else [], PUBLISHED)
            return
        urls = list(_LOCAL_URL.finditer(line))
        if entry and len(urls) == 1:
            label = re.split(r"[a-z]+://|\]\(", entry.group(1))[0]
            port = number(urls[0].group("port"))
            self.add(index, plain(label.lstrip("[")).rstrip(" :-\u2013\u2014@"), [port] if port else [], PUBLISHED)

    def add(self, index, label, ports, kind):
        names = _names(label)
        if len(names) == 1 and len(names[0].split()) <= 6 and ports:
            found = [DocumentedPort(port, kind) for port in ports]
            self.document.rows.append(Row(names, found, self.place(index), tuple(self.headings)))

    def snippet(self, index, match):
        """Read the ports of a service in a Compose fragment: its name, ``ports:`` below it, and short entries."""
        indent = len(match.group(1))
        for offset in range(index + 1, min(index + 40, len(self.lines))):
            line = self.lines[offset]
            depth = len(line) - len(line.lstrip())
            if line.strip() and depth <= indent:
                return
            if line.strip() != "ports:":
                continue
            for port_index in range(offset + 1, len(self.lines)):
                port = _SNIPPET_PORT.match(self.lines[port_index][:200])
                if not port or not number(port.group(2)):
                    return
                # The left-hand number is what such examples are there to change.
                found = [DocumentedPort(int(port.group(2)), TARGET)]
                row = Row([match.group(2)], found, self.place(port_index), tuple(self.headings), fragment=True)
                if match.group(2) not in ("services", "ports"):
                    self.document.rows.append(row)


def parse(text, name):
    """Return the Document of a Markdown text."""
    return _Reader(text, name).read()
