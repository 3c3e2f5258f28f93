# Copyright: (c) 2026, The optiinfra.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Markdown from values that others chose, such as names of processes. Pure and standard library only."""

from __future__ import annotations

import re

_SPECIAL = re.compile(r"([\\|`*\[\]<])")


def plain(value):
    """Return a value as a text of one line."""
    return " ".join(str(value).split())


def text(value):
    """Return a value as Markdown that shows it, and does nothing else."""
    return _SPECIAL.sub(r"\\\1", plain(value))


class Markup(str):
    """A text that is Markdown already."""


def code(value):
    """Return a value as a piece of code in a line."""
    return Markup("`{0}`".format(plain(value).replace("`", "'").replace("|", "\\|")))


def table(headings, rows):
    """Return a table of values; those that are Markup stay as they are."""
    lines = ["| " + " | ".join(headings) + " |", "|" + "---|" * len(headings)]
    for row in rows:
        cells = [cell if isinstance(cell, Markup) else text(cell) for cell in row]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def block(lines, language="bash"):
    """Return lines as a block of code."""
    return "```{0}\n{1}\n```".format(language, "\n".join(" ".join(line.splitlines()) for line in lines))
