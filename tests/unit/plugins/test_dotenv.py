"""``.env`` files: tests/integration/test_compose_corpus.py asks Docker Compose the same."""

from __future__ import annotations

import pytest
from ansible_collections.optiinfra.platform.plugins.module_utils._stack import StackError
from ansible_collections.optiinfra.platform.plugins.plugin_utils.dotenv import parse, read
from compose_corpus import DOTENV


@pytest.mark.parametrize(("text", "expected"), DOTENV.values(), ids=DOTENV)
def test_forms_of_a_value(text, expected):
    assert parse(text, ".env")["A"] == expected


def test_what_is_given_comes_first_in_references():
    assert parse("B=1\nA=$B\nC\nD\n", ".env", {"B": "2", "C": "3"}) == {"B": "1", "A": "2", "C": "3"}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("A=1\nB C=2\n", r"f: line 2: NAME=value is expected"),
        ("A=1\n\n# c\n=2\n", r"f: line 4: NAME=value is expected"),
        ("A%B=2\n", r"f: line 1: NAME=value is expected"),
        ("A='1'secret x\n", r"^f: line 1: NAME=value is expected, with letters, digits and underscores in the name$"),
        ("A='secret\nB=1\n", r"^f: line 1: the value of A has no closing quote$"),
        ("A=${B:?say which}\n", r"f: line 1: A: the variable B is needed: say which"),
    ],
)
def test_errors_name_file_and_line_and_no_value(text, problem):
    with pytest.raises(StackError, match=problem):
        parse(text, "f")


def test_no_file_is_no_variable(tmp_path):
    assert read(tmp_path / ".env") == {}
    (tmp_path / ".env").write_bytes(b"A=\xff")
    with pytest.raises(StackError, match=r"\.env: cannot be read"):
        read(tmp_path / ".env")
    with pytest.raises(StackError, match="cannot be read"):
        read(tmp_path)
