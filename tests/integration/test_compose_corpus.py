"""Our reading of Compose projects against Docker Compose's own (``docker compose config``), case by case."""

from __future__ import annotations

import json
import os
import subprocess

import pytest
from ansible_collections.optiinfra.platform.plugins.module_utils._stack import StackError, parse_stack
from ansible_collections.optiinfra.platform.plugins.plugin_utils.stacks import load_stack
from compose_corpus import BAD, DOTENV, GOOD


def write(folder, case):
    for name, text in case.items():
        if not name.startswith("_"):
            path = folder / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)


def compose(folder, case):
    """Return (status, project or message) of Docker Compose."""
    command = ["docker", "compose"]
    for name in case.get("_files", []):
        command += ["--file", name]
    for profile in case.get("_profiles", []):
        command += ["--profile", profile]
    environment = {key: value for key, value in os.environ.items() if key in ("PATH", "HOME")}
    done = subprocess.run(
        [*command, "config", "--format", "json"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.returncode, json.loads(done.stdout) if done.returncode == 0 else done.stderr


def ours(folder, case):
    files = [str(folder / name) for name in case["_files"]] if "_files" in case else str(folder)
    stack = load_stack({"files": files, "profiles": case.get("_profiles")})
    name, endpoints = parse_stack(stack["definition"], stack["source"], stack["environment"])
    published = {
        (
            e.service,
            e.target,
            str(e.choices[0]) if len(e.choices) == 1 else f"{e.choices[0]}-{e.choices[-1]}",
            e.protocol,
            e.host_ip,
        )
        for e in endpoints
    }
    return name, set(stack["definition"]["services"]), published


def theirs(project):
    published = set()
    for name, service in project["services"].items():
        for port in service.get("ports", []):
            # What Compose leaves to the engine is planned by us: its own port, or one above 8000 for a low one.
            wanted = port.get("published") or str(port["target"] if port["target"] >= 1024 else port["target"] + 8000)
            if service.get("network_mode") == "host":
                # Compose says what was written, and the engine ignores it.
                wanted = str(port["target"])
            low, _dash, high = wanted.partition("-")
            wanted = low if low == high else wanted
            address = port.get("host_ip", "").strip("[]")
            published.add((name, port["target"], wanted, port["protocol"].lower(), address))
    return project["name"], set(project["services"]), published


@pytest.mark.parametrize("case", GOOD.values(), ids=GOOD)
def test_a_project_is_read_as_compose_reads_it(case, tmp_path):
    folder = tmp_path / "shop"
    folder.mkdir()
    write(folder, case)
    status, project = compose(folder, case)
    assert status == 0, project
    assert ours(folder, case) == theirs(project)


@pytest.mark.parametrize(("case", "named"), BAD.values(), ids=BAD)
def test_what_compose_refuses_is_refused_with_a_name(case, named, tmp_path):
    folder = tmp_path / "shop"
    folder.mkdir()
    write(folder, case)
    status, said = compose(folder, case)
    assert status != 0, said
    with pytest.raises(StackError) as refused:
        ours(folder, case)
    assert named in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(("text", "expected"), DOTENV.values(), ids=DOTENV)
def test_a_variable_has_the_value_that_compose_gives_it(text, expected, tmp_path):
    """tests/unit/plugins/test_dotenv.py holds ours against the same."""
    case = {"compose.yaml": "services:\n  web: {image: a, labels: {a: '${A}'}}\n", ".env": text}
    write(tmp_path, case)
    status, project = compose(tmp_path, case)
    assert status == 0, project
    assert project["services"]["web"]["labels"]["a"] == expected.replace("$", "$$")
