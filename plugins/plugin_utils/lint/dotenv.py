# Copyright: (c) 2026, The optiinfra.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reads ``.env`` files: names and values with their lines."""

from __future__ import annotations

import re

from .model import Place, Value
from .texts import expand

_LINE = re.compile(r"^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_.]*)\s*=\s*(.*)$")
_COMMENT = re.compile(r"\s#.*$")


def parse(text, name):
    """Return {NAME: Value} of a .env file, references to earlier names replaced, without what is no assignment."""
    values, texts = {}, {}
    lines = text.split("\n")
    index = 0
    while index < len(lines):
        place = Place(name, index + 1)
        match = _LINE.match(lines[index])
        index += 1
        if not match:
            continue
        value = match.group(2).strip()
        quote = value[:1]
        if quote in ("'", '"'):
            end = value.find(quote, 1)
            # A quoted value may go on over lines; a stray quote must not swallow the file.
            for following in range(index, min(index + 50, len(lines))):
                if end >= 0:
                    break
                value += "\n" + lines[following]
                end = value.find(quote, len(value) - len(lines[following]) - 1)
                index = following + 1 if end >= 0 else index
            value = value[1:end] if end >= 0 else match.group(2).strip()[1:]
        else:
            value = "" if value.startswith("#") else _COMMENT.sub("", value)
        texts[match.group(1)] = value if quote == "'" else expand(value, texts)
        values[match.group(1)] = Value(texts[match.group(1)], place)
    return values
