"""The lock file: never half written, never replaced when it cannot be read."""

from __future__ import annotations

import json
import os

import pytest
from ansible_collections.optiinfra.platform.plugins.module_utils import _lock
from ansible_collections.optiinfra.platform.plugins.module_utils._stack import StackError

ENTRY = {"published": 3001, "target": 3000, "host_ip": "127.0.0.1", "protocol": "tcp", "preferred": 3000}


def test_round_trip(tmp_path):
    path = str(tmp_path / "ports.json")
    assert _lock.read(path) == ""
    _lock.write(path, _lock.render({"a/x.http": ENTRY}))
    assert _lock.parse(_lock.read(path), path) == {"a/x.http": ENTRY}
    assert os.stat(path).st_mode & 0o777 == 0o644
    assert os.listdir(tmp_path) == ["ports.json"]


def test_nothing_assigned_is_an_empty_file():
    assert _lock.render({}) == ""
    assert _lock.parse("", "p") == {}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "not JSON"),
        ("[]", "assignments: a mapping"),
        ('{"version": 9, "assignments": {}}', "version: 9"),
        (json.dumps({"version": 1, "assignments": {"a/x": {"published": 0}}}), "assignments.a/x"),
        (json.dumps({"version": 1, "assignments": {"a/x": {**ENTRY, "protocol": "x"}}}), "assignments.a/x"),
        (json.dumps({"version": 1, "assignments": {"a/x": 5}}), "assignments.a/x"),
        (json.dumps({"version": 1, "assignments": {"a/x": {**ENTRY, "app_protocol": 5}}}), "assignments.a/x"),
    ],
)
def test_a_bad_lock_is_named(text, problem):
    with pytest.raises(StackError) as caught:
        _lock.parse(text, "/var/lib/ports.json")
    assert str(caught.value).startswith("/var/lib/ports.json: ")
    assert problem in str(caught.value)


def test_what_cannot_be_written_is_left_as_it_was(tmp_path):
    folder = tmp_path / "no-folder"
    with pytest.raises(StackError, match="cannot be written"):
        _lock.write(str(folder / "ports.json"), "text")


def test_a_full_disk_loses_nothing(tmp_path, monkeypatch):
    path = tmp_path / "ports.json"
    path.write_text("before")

    def full(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StackError, match="No space left on device"):
        _lock.write(str(path), "after")
    assert path.read_text() == "before"
    assert os.listdir(tmp_path) == ["ports.json"]
