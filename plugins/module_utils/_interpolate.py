# Copyright: (c) 2026, The optiinfra.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Compose's variable interpolation: ``$VAR``, ``${VAR}``, ``${VAR:-default}``, ``:?``, ``:+``, nested, ``$$``.

Source: https://github.com/compose-spec/compose-spec/blob/main/12-interpolation.md
Differs in one point on purpose: an unset variable without default is an error, where Compose warns and uses "". A port
or path that silently becomes empty is never meant.
"""

from __future__ import annotations

import re

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_DEPTH = 30


class InterpolationError(ValueError):
    """A reference that cannot be replaced; the message says which."""


class RequiredError(InterpolationError):
    """A variable that its reference says is needed (``:?``)."""


def _closing(text, start):
    """Return the index of the ``}`` that closes the ``${`` whose content begins at ``start``."""
    depth = 1
    index = start
    while index < len(text):
        if text.startswith("$$", index):
            index += 2
            continue
        if text.startswith("${", index):
            depth += 1
            index += 2
            continue
        if text[index] == "}":
            depth -= 1
            if not depth:
                return index
        index += 1
    raise InterpolationError("${0}{1} has no closing brace".format("{", text[start:]))


def _expand(body, environment, blank, depth):
    """Return the value of the content of one ``${...}``."""
    if depth > _DEPTH:
        raise InterpolationError("variables are nested more than {0} deep".format(_DEPTH))
    match = _NAME.match(body)
    if not match:
        raise InterpolationError("${{{0}}} names no variable".format(body))
    name = match.group()
    rest = body[match.end() :]
    value = environment.get(name)
    if not rest:
        if value is None and not blank:
            raise InterpolationError("the variable {0} is not set and has no default".format(name))
        return "" if value is None else str(value)
    colon = rest.startswith(":")
    operator = rest[1:2] if colon else rest[:1]
    argument = rest[2:] if colon else rest[1:]
    present = value is not None and (str(value) != "" or not colon)
    if operator == "-":
        return str(value) if present else _replace(argument, environment, blank, depth)
    if operator == "+":
        return _replace(argument, environment, blank, depth) if present else ""
    if operator == "?":
        if present:
            return str(value)
        reason = _replace(argument, environment, blank, depth) or "not set"
        raise RequiredError("the variable {0} is needed: {1}".format(name, reason))
    raise InterpolationError("${{{0}}} is not understood".format(body))


def interpolate(text, environment, blank=False):
    """Return ``text`` with its references replaced from ``environment`` ({NAME: value}).

    :arg blank: whether an unset variable stands for "", as Compose has it in .env files
    :raises InterpolationError: for an unset variable without default, or bad syntax
    """
    return _replace(text, environment, blank, 0)


def _replace(text, environment, blank, depth):
    if "$" not in text:
        return text
    out = []
    index = 0
    while index < len(text):
        if text[index] != "$":
            out.append(text[index])
            index += 1
        elif text.startswith("$$", index):
            out.append("$")
            index += 2
        elif text.startswith("${", index):
            end = _closing(text, index + 2)
            out.append(_expand(text[index + 2 : end], environment, blank, depth + 1))
            index = end + 1
        else:
            match = _NAME.match(text, index + 1)
            if not match:
                raise InterpolationError("a lone $ in {0!r}; write $$ for a dollar sign".format(text))
            out.append(_expand(match.group(), environment, blank, depth + 1))
            index = match.end()
    return "".join(out)
