# Copyright: (c) 2026, The optiinfra.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Known findings: what is accepted, given as an option or kept in a baseline file."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from .codes import CODES

KEYS = ("code", "file", "subject", "until", "reason")


class BaselineError(ValueError):
    """A list of accepted findings that cannot be used; the message says where and why."""


def checked(items, source):
    """Return a list of accepted findings whose keys are known and whose values can be meant.

    :arg source: what to call it in errors
    :raises BaselineError: naming source, item, key and value
    """
    if not isinstance(items, list):
        raise BaselineError(f"{source}: a list of findings is expected, not {type(items).__name__}")
    found = []
    for index, item in enumerate(items):
        where = f"{source}[{index}]"
        if not isinstance(item, dict):
            raise BaselineError(f"{where}: a mapping with the key code is expected, not {item!r}")
        unknown = [key for key in item if key not in KEYS]
        if unknown:
            raise BaselineError(f"{where}.{unknown[0]}: unknown key; known are {', '.join(KEYS)}")
        entry = {key: str(value) for key, value in item.items() if value is not None}
        if entry.get("code") not in CODES:
            raise BaselineError(f"{where}.code: {entry.get('code')!r} is not one of {', '.join(CODES)}")
        if "until" in entry and not re.fullmatch(r"\d{4}-\d\d-\d\d", entry["until"]):
            raise BaselineError(f"{where}.until: {entry['until']!r} is no day such as 2027-06-30")
        found.append(entry)
    return found


def read(path):
    """Return the accepted findings of a baseline file.

    :raises BaselineError: naming the file
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise BaselineError(f"baseline: {path} cannot be read: {exc}") from None
    try:
        items = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError) as exc:
        raise BaselineError(f"baseline: {path}: not YAML: {' '.join(str(exc).split())[:200]}") from None
    return checked(items if items is not None else [], str(path))


def updated(items, findings, used):
    """Return the baseline that accepts what there is: the items that are used, and one for each further finding.

    :arg items: what the baseline has
    :arg findings: the findings that nothing accepts yet
    :arg used: indexes of the items that covered a finding
    """
    kept = [item for index, item in enumerate(items) if index in used]
    new = {(f["code"], f["file"], f["subject"]) for f in findings}
    return kept + [{"code": code, "file": file, "subject": subject} for code, file, subject in sorted(new)]


def text_of(items):
    """Return a baseline as the text of its file."""
    ordered = [{key: item[key] for key in KEYS if key in item} for item in items]
    head = "# Findings of port_lint that are accepted; give each a reason, and a day in until when it is to end.\n"
    return head + yaml.safe_dump(ordered, sort_keys=False, allow_unicode=True, width=120)
