# Copyright: (c) 2026, The optiinfra.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reads a ``.env`` file as Docker Compose does.

Quotes, comments, values of several lines, ``export``, ``NAME: value`` and references to earlier names. Errors name file
and line, never a value, which may be a secret.
"""

from __future__ import annotations

import re
from pathlib import Path

from ansible_collections.optiinfra.platform.plugins.module_utils._interpolate import (
    InterpolationError,
    RequiredError,
    interpolate,
)
from ansible_collections.optiinfra.platform.plugins.module_utils._stack import StackError

_SKIPPED = re.compile(r"(?:\s+|#[^\n]*)+")
_NAME = re.compile(r"(?:export[ \t]+)?([^=:\n]*)([=:]|\n|\Z)[ \t]*")
_PLAIN = re.compile(r"([^\n]*)(?:\n|\Z)")
_QUOTED = {
    "'": re.compile(r"'((?:[^'\\]|\\.)*)'", re.DOTALL),
    '"': re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL),
}
_ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\", "$": "$$"}


def parse(text, source, given=None):
    """Return {NAME: value} of a .env file's text.

    :arg given: {NAME: value} that references see first, and that a name without value takes its own from
    :raises StackError: naming file and line
    """
    given = given or {}
    text = text.lstrip("\ufeff").replace("\r\n", "\n")
    values = {}
    at = 0
    while True:
        skipped = _SKIPPED.match(text, at)
        at = skipped.end() if skipped else at
        if at >= len(text):
            return values
        where = f"{source}: line {text.count(chr(10), 0, at) + 1}"
        head = _NAME.match(text, at)
        name, at = head.group(1).rstrip(), head.end()
        if not re.match(r"^[\w.\[\]-]+\Z", name):
            raise StackError(f"{where}: NAME=value is expected, with letters, digits and underscores in the name")
        if head.group(2) not in ("=", ":"):
            if name in given:
                values[name] = given[name]
            continue
        quote = text[at : at + 1]
        if quote in _QUOTED:
            found = _QUOTED[quote].match(text, at)
            if not found:
                raise StackError(f"{where}: the value of {name} has no closing quote")
            value = _unescaped(found.group(1), quote)
        else:
            found = _PLAIN.match(text, at)
            value = found.group(1).partition(" #")[0].rstrip()
        at = found.end()
        values[name] = value if quote == "'" else _replaced(value, {**values, **given}, f"{where}: {name}")


def _unescaped(value, quote):
    def one(match):
        letter = match.group(1)
        if letter == quote:
            return quote
        return _ESCAPES.get(letter, match.group()) if quote == '"' else match.group()

    return re.sub(r"\\(.)", one, value, flags=re.DOTALL)


def _replaced(value, environment, where):
    try:
        return interpolate(value, environment, blank=True)
    except RequiredError as exc:
        raise StackError(f"{where}: {exc}") from None
    except InterpolationError:
        # Compose takes it as it is, and a password may well hold a dollar sign.
        return value


def read(path, given=None):
    """Return {NAME: value} of a .env file, {} when there is none.

    :raises StackError: when it cannot be read, naming file and line
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as exc:
        raise StackError(f"{path}: cannot be read: {exc}") from None
    return parse(text, str(path), given)
