# Copyright: (c) 2026, The optiinfra.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Findings that are known and accepted, until a day: a baseline. Pure."""

from __future__ import annotations

import datetime
import re

from ._error import StackError

KEYS = ("code", "subject", "until", "reason")


def checked(items, codes, where="accept", more=()):
    """Return the entries of a baseline.

    :arg codes: the codes that there are
    :arg where: what they were given by, for messages
    :arg more: further keys that an entry may have, which then have to be the finding's as well
    :raises StackError: naming entry, key and value
    """
    keys = KEYS + tuple(more)
    if not isinstance(items, list):
        raise StackError("{0}: a list of findings is expected, not {1}".format(where, type(items).__name__))
    out = []
    for index, item in enumerate(items):
        place = "{0}[{1}]".format(where, index)
        if not isinstance(item, dict):
            raise StackError("{0}: {1!r}: code and subject of a finding are expected".format(place, item))
        strange = sorted(str(key) for key in item if key not in keys)
        if strange:
            raise StackError("{0}.{1}: there is {2}".format(place, strange[0], ", ".join(keys)))
        if not isinstance(item.get("code"), str) or item["code"] not in codes:
            raise StackError("{0}.code: {1!r} is not one of {2}".format(place, item.get("code"), ", ".join(codes)))
        if not isinstance(item.get("subject"), str) or not item["subject"]:
            raise StackError("{0}.subject: {1!r} is no subject of a finding".format(place, item.get("subject")))
        out.append({key: _text(item.get(key)) for key in keys})
        if out[-1]["until"] and not _is_day(out[-1]["until"]):
            raise StackError("{0}.until: {1!r} is no day such as 2027-06-30".format(place, out[-1]["until"]))
    return out


def _text(value):
    return value.isoformat() if isinstance(value, datetime.date) else "" if value is None else str(value)


def _is_day(text):
    try:
        datetime.datetime.strptime(text, "%Y-%m-%d")
    except ValueError:
        return False
    return re.match(r"^\d{4}-\d\d-\d\d$", text) is not None


def _covers(item, finding):
    pattern = ".*".join(re.escape(part) for part in item["subject"].split("*"))
    same = item["code"] == finding["code"] and re.match(pattern + r"\Z", finding["subject"]) is not None
    return same and all(finding.get(key) == item[key] for key in item if key not in KEYS and item[key])


def split(findings, items, today):
    """Return (findings left, findings accepted, [(code, item)] of entries that ended or cover nothing).

    :arg items: [{code, subject, until, reason}]; ``*`` in a subject stands for anything
    :arg today: as YYYY-MM-DD
    """
    left, known, used, ended = [], [], set(), set()
    for finding in findings:
        covering = [index for index, item in enumerate(items) if _covers(item, finding)]
        used.update(covering)
        valid = [index for index in covering if not items[index].get("until") or items[index]["until"] >= today]
        if valid:
            item = items[valid[0]]
            known.append(dict(finding, until=item.get("until") or "", reason=item.get("reason") or ""))
        else:
            ended.update(covering)
            left.append(finding)
    told = [("acceptance-expired", item) for index, item in enumerate(items) if index in ended]
    told += [("acceptance-unused", item) for index, item in enumerate(items) if index not in used]
    return left, known, told
