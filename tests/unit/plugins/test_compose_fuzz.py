"""Stack files, Compose projects and .env files with mistakes in them: read and planned, or refused with our error."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from ansible_collections.optiinfra.platform.plugins.module_utils._plan import plan
from ansible_collections.optiinfra.platform.plugins.module_utils._stack import StackError, parse_stack
from ansible_collections.optiinfra.platform.plugins.plugin_utils.stacks import ROLES, load_stack
from hypothesis import given
from hypothesis import strategies as st

TESTS = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TESTS))
from fuzz import cases, mutated

PLAIN = """
services:
  web:
    extends: {file: compose.override.yaml, service: base}
    ports: ["${WEB:-8080}:80", "127.0.0.1:9000-9002:9000-9002/udp", {target: 443, published: "8443-8450"}]
    profiles: [front]
  base:
    image: a
    ports: !override ["80"]
    network_mode: host
    expose: ["53/udp", 8000]
include:
  - path: compose.override.yaml
"""
DOTENV = """# Comment
export WEB=8081
NAME="a b" # c
QUOTED='it''s'
COMPOSE_PROFILES=front,back
OTHER=${WEB:-1}${NONE-x}
MANY="two
lines"
COMPOSE_PROJECT_NAME=shop
"""
STACKS = {name: (ROLES / name / "files" / "compose.yaml").read_text() for name in ("optiinfra", "vultr_demo")}


def planned(item):
    """Load, read and plan a stack; tell whether it was one."""
    problem = None
    try:
        stack = load_stack(item)
        name, endpoints = parse_stack(stack["definition"], stack["source"], stack["environment"])
        assignments, _moves = plan(endpoints)
    except StackError as exc:
        problem = str(exc)
    if problem is not None:
        assert problem
        assert "\n" not in problem
        return False
    assert name
    assert len(assignments) == len(endpoints)
    return True


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("shop")


@pytest.mark.parametrize("name", STACKS)
def test_the_files_of_this_collection_are_stacks(name, folder):
    (folder / ".env").unlink(missing_ok=True)
    (folder / "compose.yaml").write_text(STACKS[name])
    assert planned(str(folder / "compose.yaml"))


@cases(60)
@given(st.sampled_from(sorted(STACKS)).flatmap(lambda name: mutated(STACKS[name])))
def test_stack_files(folder, text):
    (folder / "compose.yaml").write_text(text, encoding="utf-8", errors="replace")
    planned(str(folder / "compose.yaml"))


@cases(100)
@given(mutated(PLAIN), mutated(PLAIN), mutated(DOTENV), st.sampled_from([[], ["front"], ["*"]]))
def test_projects(folder, text, override, dotenv, profiles):
    for name, content in (("compose.yaml", text), ("compose.override.yaml", override), (".env", dotenv)):
        (folder / name).write_text(content, encoding="utf-8", errors="replace")
    planned({"files": str(folder), "profiles": profiles})
