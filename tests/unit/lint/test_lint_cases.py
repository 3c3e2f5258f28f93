"""Every rule with trees that it is to speak of, and trees like them that are right."""

from __future__ import annotations

import pytest
from ansible_collections.optiinfra.platform.plugins.plugin_utils.lint.codes import CODES
from lint_cases import CASES


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_findings(case, lint):
    result = lint({name: "\n".join(lines) for name, lines in case.files.items()})
    found = {(f["file"], f["line"], f["code"]): f["severity"] for f in result["findings"]}
    assert set(found) == {mark[:3] for mark in case.expected}, result["findings"]
    for file, line, code, severity in case.expected:
        assert found[file, line, code] == (severity or CODES[code].severity)


@pytest.mark.parametrize("code", [code for code in CODES if not code.startswith("acceptance-")])
def test_every_rule_has_cases_of_both_kinds(code):
    own = [case for case in CASES if case.code == code]
    assert any(mark[2] == code for case in own for mark in case.expected), "no tree that it speaks of"
    assert any(not case.expected for case in own), "no tree like it that is right"


def test_cases_are_told_apart():
    names = [case.name for case in CASES]
    assert sorted(set(names)) == sorted(names)
    assert all(case.code in (*CODES, "shape") for case in CASES)
