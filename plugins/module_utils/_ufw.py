# Copyright: (c) 2026, The optiinfra.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The rules that ufw keeps in its own files. Pure."""

from __future__ import annotations

import binascii
import re

TUPLE = re.compile(r"^### tuple ### (?P<words>.*)$")
_COMMENT = re.compile(r"\bcomment=(?P<hex>[0-9a-fA-F]+)\s*$")


def comment(words):
    """Return the comment of a rule, "" when it has none."""
    found = _COMMENT.search(words)
    try:
        return binascii.unhexlify(found["hex"]).decode() if found else ""
    except ValueError:
        return ""


def user_rule(line):
    """Return {action, protocol, port, source, comment} of a line by which ufw keeps a rule for incoming, else None."""
    found = TUPLE.match(line)
    words = found["words"].split() if found else []
    if len(words) < 7 or not any(word == "in" or word.startswith("in_") for word in words[6:]):
        return None
    action, protocol, port, _to, _sport, source = words[:6]
    return {
        "action": action.partition("_")[0],
        "protocol": protocol,
        "port": port,
        "source": source,
        "comment": comment(found["words"]),
    }
