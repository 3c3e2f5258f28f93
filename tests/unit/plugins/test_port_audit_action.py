"""The baseline as it is read on the controller: what counts for a host, and one clear error for each mistake."""

from __future__ import annotations

import pytest
from ansible_collections.optiinfra.platform.plugins.action.port_audit import baseline
from ansible_collections.optiinfra.platform.plugins.module_utils import _accept
from ansible_collections.optiinfra.platform.plugins.module_utils._stack import StackError

ENTRY = "{code: stand-in, subject: web, reason: known}"


@pytest.fixture
def read(tmp_path):
    def run(text, *names):
        (tmp_path / "baseline.yml").write_text(text)
        return baseline(tmp_path / "baseline.yml", list(names))

    return run


@pytest.mark.parametrize("text", [f"[{ENTRY}]", f"accept: [{ENTRY}]", f"- {ENTRY}\n", '{"accept": [' + ENTRY + "]}"])
def test_yaml_and_json(read, text):
    assert read(text, "web1") == [{"code": "stand-in", "subject": "web", "until": "", "reason": "known"}]


@pytest.mark.parametrize("text", ["", "[]", "accept:", "accept: []"])
def test_an_empty_one_accepts_nothing(read, text):
    assert read(text, "web1") == []


@pytest.mark.parametrize(
    ("hosts", "names", "counts"),
    [
        ("web1", ["web1", "demo"], True),
        ("[web*]", ["web1", "demo"], True),
        ("[demo]", ["web1", "demo"], True),
        ("[db*, other]", ["web1", "demo"], False),
        ("[]", ["web1"], False),
    ],
)
def test_entries_for_some_hosts(read, hosts, names, counts):
    entry = ENTRY[:-1] + f", hosts: {hosts}}}"
    assert len(read(f"[{entry}]", *names)) == counts


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[", "baseline.yml is not YAML"),
        ("3", "baseline.yml: a list of findings is expected, not int"),
        ("accept: {a: 1}", "baseline.yml: a list of findings is expected, not dict"),
        ("[3]", "baseline.yml[0]: 3: code and subject"),
        ("[{code: stand-in, subject: web}]", "baseline.yml[0].reason: missing"),
        ("[{code: x, subject: web, reason: y}]", "baseline.yml[0].code: 'x' is not one of squatter"),
        ("[{code: [], subject: web, reason: y}]", "baseline.yml[0].code: [] is not one of squatter"),
        ("[{code: stand-in, reason: y}]", "baseline.yml[0].subject: None is no subject"),
        ("[{code: stand-in, subject: web, reason: y, untill: 1}]", "baseline.yml[0].untill: there is code, subject"),
        ("[{code: stand-in, subject: web, reason: y, until: soon}]", "baseline.yml[0].until: 'soon' is no day"),
        ("[{code: stand-in, subject: web, reason: y, until: 2027-02-30}]", "baseline.yml"),
        ("[{code: stand-in, subject: web, reason: y, hosts: 7}]", "baseline.yml[0].hosts: 7 is no list"),
    ],
)
def test_mistakes_are_named(read, text, problem):
    with pytest.raises(StackError) as raised:
        read(text, "web1")
    assert problem in str(raised.value)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(StackError, match="there is no file"):
        baseline(tmp_path / "none.yml", [])


def test_a_star_stands_for_anything_and_brackets_for_themselves():
    items = [{"code": "a", "subject": "[::]:*/tcp", "until": "", "reason": ""}]
    findings = [{"code": "a", "subject": text} for text in ("[::]:22/tcp", "[::]:22/udp", ":22/tcp")]
    left, known, told = _accept.split(findings, items, "2026-01-01")
    assert [f["subject"] for f in known] == ["[::]:22/tcp"]
    assert [f["subject"] for f in left] == ["[::]:22/udp", ":22/tcp"]
    assert told == []


def test_one_of_two_entries_is_over():
    over, valid = ({"code": "a", "subject": "x", "until": day, "reason": ""} for day in ("2025-12-31", "2026-01-01"))
    finding = {"code": "a", "subject": "x"}
    assert _accept.split([finding], [over, valid], "2026-01-01")[0] == []
    left, known, told = _accept.split([finding], [over], "2026-01-01")
    assert (left, known, told) == ([finding], [], [("acceptance-expired", over)])
