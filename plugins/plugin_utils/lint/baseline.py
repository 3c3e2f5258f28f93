# Copyright: (c) 2026, The optiinfra.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The file of findings that are known and accepted: read with its lines, and written."""

from __future__ import annotations

from pathlib import Path

import yaml
from ansible_collections.optiinfra.platform.plugins.module_utils import _accept
from ansible_collections.optiinfra.platform.plugins.module_utils._stack import StackError

from .codes import CODES
from .model import Unreadable
from .yamltree import load

# An entry counts in this file only.
MORE = ("file",)
_ORDER = ("code", "file", "subject", "until", "reason")
_HEAD = "# Findings of port_lint that are accepted. Say why in reason, and in until the last day, if there is one.\n"
_FIRST_REASON = "there when the baseline was written"


def checked(items, where="accept"):
    """Return the entries of a list of accepted findings.

    :raises StackError: naming entry, key and value
    """
    return _accept.checked(items, CODES, where, MORE)


def read(path):
    """Return (entries, their lines) of a baseline: a list, or one below the key ``accept``.

    :raises StackError: naming file, entry, key and value
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
        items = yaml.safe_load(text)
        documents = load(text)
    except FileNotFoundError:
        raise StackError(f"baseline: there is no file {path}") from None
    except (OSError, UnicodeDecodeError) as exc:
        raise StackError(f"baseline: {path} cannot be read: {exc}") from None
    except (yaml.YAMLError, Unreadable, RecursionError, ValueError) as exc:
        raise StackError(f"baseline: {path} is not YAML: {' '.join(str(exc).split())[:200]}") from None
    node = documents[0] if documents else None
    if isinstance(items, dict):
        items, node = items.get("accept"), node.get("accept")
    entries = checked([] if items is None else items, str(path))
    for index, entry in enumerate(entries):
        if not entry["reason"]:
            raise StackError(f"{path}[{index}].reason: missing; say why it is accepted")
    return entries, [item.line for item in node.items] if node else []


def updated(entries, findings):
    """Return the entries that cover what there is: those that are used and not over, and one for each other finding.

    :arg findings: every finding, accepted or not
    :arg entries: those of the file
    """
    _left, known, told = _accept.split(findings, entries, "")
    unneeded = [item for code, item in told if code == "acceptance-unused"]
    covered = {(f["code"], f["file"], f["subject"]) for f in known}
    new = {(f["code"], f["file"], f["subject"]) for f in findings} - covered
    return [entry for entry in entries if entry not in unneeded] + [
        {"code": code, "file": file, "subject": subject, "reason": _FIRST_REASON} for code, file, subject in sorted(new)
    ]


def text_of(entries):
    """Return the text of a baseline's file."""
    ordered = [{key: entry[key] for key in _ORDER if entry.get(key)} for entry in entries]
    return _HEAD + yaml.safe_dump(ordered, sort_keys=False, allow_unicode=True, width=120)
