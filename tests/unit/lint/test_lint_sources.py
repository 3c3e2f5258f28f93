"""Which files are looked at: binary, huge, linked and vendored ones, and names."""

from __future__ import annotations

import os

import pytest
from ansible_collections.optiinfra.platform.plugins.plugin_utils.lint import sources

COMPOSE = "services:\n  db:\n    image: postgres\n    ports: ['5432:5432']\n"


def codes(result):
    return [(f["code"], f["file"]) for f in result["findings"]]


@pytest.mark.parametrize(
    "folder", [".git", "node_modules", ".venv", "vendor", "a/node_modules/b", "site-packages", ".collections"]
)
def test_folders_of_others_are_passed_over(lint, folder):
    assert lint({f"{folder}/compose.yaml": COMPOSE})["files"] == {}


def test_a_virtual_environment_of_any_name_is_passed_over(lint):
    assert lint({"tools/pyvenv.cfg": "", "tools/compose.yaml": COMPOSE})["files"] == {}


def test_links_to_folders_are_not_followed_and_files_are_read_once(lint, tmp_path):
    (tmp_path / "a").mkdir()
    os.symlink(tmp_path, tmp_path / "a" / "loop")
    os.symlink("loop2", tmp_path / "loop2")
    os.symlink("nowhere", tmp_path / "docker-compose.yml")
    (tmp_path / "a" / "compose.yaml").write_text(COMPOSE)
    os.symlink("a/compose.yaml", tmp_path / "compose.yaml")
    result = lint({})
    assert result["files"] == {"compose": 1}
    assert codes(result) == [("store-exposed", "a/compose.yaml")]


def test_binary_and_huge_files_are_named(lint):
    result = lint(
        {
            "compose.yaml": COMPOSE.encode() + b"\0\0",
            "Dockerfile": b"FROM x\n" + b"#" * (sources.MAX_SIZE + 1),
            "big.yaml": b"#" * (sources.MAX_SIZE + 1),
            "picture.md": b"\0PNG",
        }
    )
    assert codes(result) == [("unreadable", "Dockerfile"), ("unreadable", "compose.yaml")]
    assert [f["line"] for f in result["findings"]] == [1, 1]
    assert {item["reason"] for item in result["skipped"]} == {"binary", "larger than 5 MB"}


def test_no_regular_file_is_opened(lint, tmp_path):
    os.mkfifo(tmp_path / "compose.yaml")
    assert lint({})["files"] == {}


def test_other_encodings_and_line_ends(lint):
    text = COMPOSE.replace("\n", "\r\n")
    result = lint(
        {"compose.yaml": b"\xef\xbb\xbf" + text.encode(), "b/compose.yaml": b"# caf\xe9\n" + COMPOSE.encode()}
    )
    assert [(f["file"], f["line"]) for f in result["findings"] if f["code"] == "store-exposed"] == [
        ("b/compose.yaml", 5),
        ("compose.yaml", 4),
    ]


def test_exclude_is_by_name_or_path(lint):
    files = {"a/compose.yaml": COMPOSE, "b/c/compose.yaml": COMPOSE, "d/stack.yaml": COMPOSE}
    assert {f["file"] for f in lint(files, exclude=["a", "b/c/*"])["findings"]} == {"d/stack.yaml"}


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("compose.yaml", "compose"),
        ("docker-compose.prod.yml", "compose"),
        ("stack.yml", "compose"),
        ("anything.yaml", "compose"),
        (".env", "dotenv"),
        (".env.example", "dotenv"),
        ("prod.env", "dotenv"),
        ("Dockerfile", "dockerfile"),
        ("Dockerfile.dev", "dockerfile"),
        ("api.dockerfile", "dockerfile"),
        ("Containerfile", "dockerfile"),
        ("Dockerfile.j2", None),
        (".env.j2", None),
        ("Dockerfile.md", None),
        ("compose.json", None),
        ("CHANGELOG.md", None),
    ],
)
def test_kinds_by_name(lint, name, kind):
    assert lint({name: COMPOSE})["files"] == ({kind: 1} if kind else {})


def test_what_cannot_be_read_is_named(lint, monkeypatch):
    def refuse(*_arguments):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(sources, "open", refuse, raising=False)
    result = lint({"compose.yaml": COMPOSE})
    assert codes(result) == [("unreadable", "compose.yaml")]
    assert result["findings"][0]["evidence"] == "cannot be read: Permission denied"
