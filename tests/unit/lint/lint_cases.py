"""Cases of the audit of files: a bundle of files as text, whose lines say which findings they are to have."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

MARK = re.compile(r"[ \t]*<<([a-z-]+)(?::(info|warning|error))?$")


class Case(NamedTuple):
    """``code/title``: the files of a small tree, and (file, line, code, severity or None) of its findings."""

    name: str
    files: dict
    expected: list

    @property
    def code(self):
        return self.name.partition("/")[0]


def read_cases(path):
    """Return [Case] of a file: ``=== code/title``, ``--- path``, lines, some of which end with ``<<code``."""
    cases, file, case = [], None, None
    for text in path.read_text(encoding="utf-8").split("\n"):
        if text.startswith("=== "):
            case, file = Case(text[4:].strip(), {}, []), None
            cases.append(case)
        elif text.startswith("--- ") and case:
            file = text[4:].strip()
            case.files[file] = []
        elif file is not None:
            line = text
            while match := MARK.search(line):
                line = line[: match.start()]
                case.expected.append((file, len(case.files[file]) + 1, match.group(1), match.group(2)))
            case.files[file].append(line)
    return cases


CASES = [case for path in sorted(Path(__file__).parent.glob("cases/*.txt")) for case in read_cases(path)]
