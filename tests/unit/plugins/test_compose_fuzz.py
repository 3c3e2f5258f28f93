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

FILES = {
    "compose.yaml": """
services:
  web:
    extends: {file: base.yaml, service: base}
    ports: ["${WEB:-8080}:80", "127.0.0.1:9000-9002:9000-9002/udp", {target: 443, published: "8443-8450"}]
    profiles: [front]
  agent:
    image: a
    network_mode: host
    expose: ["53/udp", 8000]
include:
  - path: more.yaml
""",
    "compose.override.yaml": """
services:
  web:
    ports: !override ["127.0.0.1:${WEB}:80"]
  agent: {image: !reset null}
""",
    "base.yaml": "services: {base: {image: a, ports: ['8000']}}",
    "more.yaml": "services: {db: {image: d, ports: ['5432:5432']}}",
    ".env": """# Comment
export WEB=8081
NAME="a b" # c
QUOTED='it is $5'
COMPOSE_PROFILES=front,back
OTHER=${WEB:-1}${NONE-x}
MANY="two
lines"
COMPOSE_PROJECT_NAME=shop
""",
}
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


def write(folder, files):
    for name, content in files.items():
        (folder / name).write_text(content, encoding="utf-8", errors="replace")


def test_without_a_mistake_they_are_stacks(tmp_path):
    write(tmp_path, FILES)
    assert planned(str(tmp_path))
    for name, text in STACKS.items():
        write(tmp_path, {f"{name}.yaml": text})
        assert planned(str(tmp_path / f"{name}.yaml"))


@cases(60)
@given(st.sampled_from(sorted(STACKS)).flatmap(lambda name: mutated(STACKS[name])))
def test_stack_files(folder, text):
    # Away from the .env of the projects below.
    own = folder / "own"
    own.mkdir(exist_ok=True)
    write(own, {"stack.yaml": text})
    planned(str(own / "stack.yaml"))


@cases(100)
@given(st.data())
def test_projects(folder, data):
    changed = data.draw(st.sets(st.sampled_from(sorted(FILES)), min_size=1, max_size=3))
    write(folder, {**FILES, **{name: data.draw(mutated(FILES[name])) for name in sorted(changed)}})
    planned({"files": str(folder), "profiles": data.draw(st.sampled_from([[], ["front"], ["*"]]))})
