"""What the loader of Compose projects does with files that mean harm; the rest is compared with Docker Compose."""

from __future__ import annotations

import contextlib
import json

import pytest
from ansible_collections.optiinfra.platform.plugins.module_utils._stack import StackError, parse_stack
from ansible_collections.optiinfra.platform.plugins.plugin_utils.stacks import load_stack
from hypothesis import given, settings
from hypothesis import strategies as st

LAUGHS = "x0: &x0 [ha, ha]\n" + "".join(f"x{n}: &x{n} [{', '.join([f'*x{n - 1}'] * 9)}]\n" for n in range(1, 12))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (LAUGHS + "services: {web: {ports: *x11}}\n", "too large or too deep"),
        ("x: &x [*x]\nservices: {web: {ports: *x}}\n", "too large or too deep"),
        ("x: &x {a: *x}\nservices: {web: *x}\n", "too large or too deep"),
        ("a: " + "[" * 5000 + "]" * 5000, "not YAML|too large or too deep"),
    ],
)
def test_a_bomb_is_one_error_and_soon(text, problem, tmp_path):
    path = tmp_path / "compose.yaml"
    path.write_text(text)
    with pytest.raises(StackError, match=problem):
        load_stack(str(path))


@pytest.mark.parametrize(
    ("item", "problem"),
    [
        ([], "an empty list"),
        ({"files": []}, "an empty list"),
        ({"files": "nothing"}, "no file at"),
        ({"files": "shop", "profile": ["x"]}, "unknown key 'profile'"),
        ({"files": "shop", "profiles": "x"}, "profiles: a list of names"),
        ("empty", "there is no compose.yaml"),
        (["shop", 7], "7 is neither"),
    ],
)
def test_what_names_no_project_is_said(item, problem, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "compose.yaml").write_text("services: {web: {image: a}}\n")
    with pytest.raises(StackError, match=problem):
        load_stack(item, tmp_path)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 70000) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
SERVICE = st.fixed_dictionaries(
    {},
    optional={
        "ports": VALUES,
        "extends": VALUES,
        "profiles": VALUES,
        "network_mode": VALUES,
        "expose": VALUES,
        "x-catalog": VALUES,
        "environment": VALUES,
    },
)
FILE = st.fixed_dictionaries(
    {"services": VALUES | st.dictionaries(st.sampled_from("abc"), SERVICE, max_size=3)},
    optional={"name": VALUES, "include": VALUES, "x-catalog": VALUES},
)


@settings(deadline=None)
@given(one=FILE, other=FILE)
def test_no_file_makes_a_traceback(one, other, tmp_path_factory):
    folder = tmp_path_factory.mktemp("shop")
    (folder / "compose.yaml").write_text(json.dumps(one))
    (folder / "compose.override.yaml").write_text(json.dumps(other))
    with contextlib.suppress(StackError):
        stack = load_stack(str(folder))
        parse_stack(stack["definition"], stack["source"], stack["environment"])
