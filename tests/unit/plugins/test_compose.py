"""What the loader of Compose projects does with files that mean harm; the rest is compared with Docker Compose."""

from __future__ import annotations

import contextlib
import json
import sys
from pathlib import Path

import pytest
from ansible_collections.optiinfra.platform.plugins.module_utils._stack import StackError, parse_stack
from ansible_collections.optiinfra.platform.plugins.plugin_utils.stacks import load_stack
from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from fuzz import cases

MERGES = "x0: &x0 {a: 1, b: 2}\n" + "".join(f"x{n}: &x{n} {{<<: [*x{n - 1}, *x{n - 1}]}}\n" for n in range(1, 40))
LAUGHS = "x0: &x0 [ha, ha]\n" + "".join(f"x{n}: &x{n} [{', '.join([f'*x{n - 1}'] * 9)}]\n" for n in range(1, 12))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (LAUGHS + "services: {web: {ports: *x11}}\n", "too large or too deep"),
        ("x: &x [*x]\nservices: {web: {ports: *x}}\n", "too large or too deep"),
        ("x: &x {a: *x}\nservices: {web: *x}\n", "too large or too deep"),
        # Docker Compose 2.26 does not come back from this one.
        ("services:\n  web: &a {image: a, <<: *a}\n", "line 2: not YAML: a mapping merges itself"),
        ("#" * 250_001, "250001 characters are too many"),
        ("a: " + "[" * 5000 + "]" * 5000, "too deep for a Compose file"),
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


def test_merges_that_double_are_read_once(tmp_path):
    (tmp_path / "compose.yaml").write_text(MERGES + "services: {web: {image: a, labels: *x39}}\n")
    assert load_stack(str(tmp_path))["definition"]["services"]["web"]["labels"] == {"a": 1, "b": 2}


@pytest.mark.parametrize(
    ("ours", "theirs", "where"), [("{}", "7", "theirs.yaml"), ("[a]", "{a: {image: a}}", "ours.yaml")]
)
@pytest.mark.parametrize("kind", ["services", "volumes"])
def test_an_include_beside_what_is_no_mapping_is_said(kind, ours, theirs, where, tmp_path):
    (tmp_path / "ours.yaml").write_text(f"include: [theirs.yaml]\n{kind}: {ours}\n")
    (tmp_path / "theirs.yaml").write_text(f"{kind}: {theirs}\n")
    with pytest.raises(StackError, match=rf"{where}: {kind}: a mapping is expected"):
        load_stack(str(tmp_path / "ours.yaml"))


def test_includes_that_double_end(tmp_path):
    """Each file includes the next one twice: 2**40 readings otherwise."""
    for number in range(40):
        (tmp_path / f"{number}.yaml").write_text(f"include: [{number + 1}.yaml, {number + 1}.yaml]\nservices: {{}}\n")
    (tmp_path / "40.yaml").write_text("services: {web: {image: a, ports: ['8080:80']}}\n")
    with pytest.raises(StackError, match="more than 500 files are too many"):
        load_stack(str(tmp_path / "0.yaml"))


@pytest.mark.parametrize(
    ("count", "problem"), [(50, None), (500, "services.s[0-9]+.extends: a chain of more than 60 services is too long")]
)
def test_a_long_chain_ends(count, problem, tmp_path):
    services = "".join(f"  s{n}: {{extends: s{n + 1}}}\n" for n in range(count))
    (tmp_path / "compose.yaml").write_text(f"services:\n{services}  s{count}: {{image: a, ports: ['8080:80']}}\n")
    if problem:
        with pytest.raises(StackError, match=problem):
            load_stack(str(tmp_path))
    else:
        assert load_stack(str(tmp_path))["definition"]["services"]["s0"]["ports"] == ["8080:80"]


def test_too_many_files_are_said(tmp_path):
    (tmp_path / "compose.yaml").write_text(f"include: [{', '.join(f'{n}.yaml' for n in range(600))}]\nservices: {{}}\n")
    for number in range(600):
        (tmp_path / f"{number}.yaml").write_text("services: {}\n")
    with pytest.raises(StackError, match="more than 500 files are too many"):
        load_stack(str(tmp_path))


def test_a_project_given_as_a_mapping_extends_and_includes(tmp_path):
    (tmp_path / "base.yaml").write_text("services: {base: {image: a, ports: ['8080:80']}}\n")
    (tmp_path / "db.yaml").write_text("services: {db: {image: b, ports: ['5432:5432']}}\n")
    given = {
        "name": "shop",
        "include": ["db.yaml"],
        "services": {
            "web": {"extends": {"service": "base", "file": "${WHERE}.yaml"}},
            "debug": {"image": "c", "profiles": ["debug"]},
        },
    }
    found = load_stack(given, tmp_path, {"WHERE": "base"})
    assert found["definition"]["services"] == {
        "web": {"image": "a", "ports": ["8080:80"]},
        "db": {"image": "b", "ports": ["5432:5432"]},
    }
    assert set(given["services"]["web"]) == {"extends"}


def test_an_active_service_stays_active(tmp_path):
    (tmp_path / "compose.yaml").write_text("services: {debug: {image: a, profiles: [debug]}}\n")
    found = load_stack({"files": str(tmp_path), "profiles": ["debug"]})["definition"]
    assert load_stack(found)["definition"]["services"] == {"debug": {"image": "a"}}


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


@cases(100)
@given(one=FILE, other=FILE)
def test_no_file_makes_a_traceback(one, other, tmp_path_factory):
    folder = tmp_path_factory.mktemp("shop")
    (folder / "compose.yaml").write_text(json.dumps(one))
    (folder / "compose.override.yaml").write_text(json.dumps(other))
    with contextlib.suppress(StackError):
        stack = load_stack(str(folder))
        parse_stack(stack["definition"], stack["source"], stack["environment"])
