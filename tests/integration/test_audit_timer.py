"""The program of the role audit_timer, made as the role makes it and run as its unit runs it, by any Python."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys

import pytest
from ansible_collections.optiinfra.platform.plugins.module_utils import _lock


@pytest.fixture(scope="session")
def program(root, tmp_path_factory):
    """Return the program, written by Ansible from the role's template and variables."""
    path = tmp_path_factory.mktemp("timer") / "port-audit.py"
    role = root / "roles" / "audit_timer"
    play = [
        {
            "hosts": "localhost",
            "gather_facts": False,
            "vars_files": [str(role / "defaults" / "main.yml"), str(role / "vars" / "main.yml")],
            "vars": {"role_path": str(role), "ansible_python_interpreter": sys.executable},
            "tasks": [
                {"ansible.builtin.template": {"src": str(role / "templates/port-audit.py.j2"), "dest": str(path)}}
            ],
        }
    ]
    playbook = path.with_suffix(".json")
    playbook.write_text(json.dumps(play))
    command = [shutil.which("ansible-playbook"), "-i", "localhost,", "-c", "local", str(playbook)]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return path


def pythons():
    """Return the oldest and the newest Python of this machine that will do; that of the tests is one at least."""
    folder = os.path.expanduser("~/.pyenv/versions")
    found = [f"{folder}/{name}/bin/python3" for name in (os.listdir(folder) if os.path.isdir(folder) else ())]
    by_version = {}
    for python in (*found, "/usr/bin/python3", sys.executable):
        if os.access(python, os.X_OK):
            ask = [python, "-c", "import json, sys; print(json.dumps(sys.version_info[:2]))"]
            said = subprocess.run(ask, capture_output=True, check=True)
            by_version[tuple(json.loads(said.stdout))] = python
    fit = sorted(version for version in by_version if version >= (3, 8))
    return list(dict.fromkeys([by_version[fit[0]], by_version[fit[-1]]]))


@pytest.fixture
def run(program, tmp_path):
    def run(settings, *options, python=sys.executable):
        path = tmp_path / "settings.json"
        path.write_text(settings if isinstance(settings, str) else json.dumps(settings))
        # Without site packages: nothing but the standard library is there.
        command = [python, "-I", "-S", str(program), str(path), *options]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    return run


@pytest.mark.parametrize("python", pythons())
def test_it_audits_without_ansible(run, python, tmp_path, listen, port):
    entry = {"published": port, "target": 80, "host_ip": "127.0.0.1", "protocol": "tcp", "preferred": port}
    lock, textfile = tmp_path / "ports.json", tmp_path / "own" / "ports.prom"
    textfile.parent.mkdir()
    _lock.write(str(lock), _lock.render({"timer/web.http": entry}))
    listen("127.0.0.1", port)
    said = run({"lock": str(lock), "textfile": str(textfile)}, python=python)
    assert (said.returncode, said.stderr) == (0, "")
    assert re.search(r"^warning +stack-not-running +timer ", said.stdout, re.M)
    assert f"127.0.0.1:{port}/tcp is held by" in said.stdout
    text = textfile.read_text()
    assert 'optiinfra_port_finding{severity="error",code="squatter",subject="timer/web.http"} 1\n' in text
    assert "\noptiinfra_port_audit_success 1\n" in text
    assert re.search(r"^optiinfra_port_audit_duration_seconds \d+\.\d+$", text, re.M)
    assert oct(textfile.stat().st_mode & 0o777) == "0o644"
    assert os.listdir(textfile.parent) == ["ports.prom"]


def test_what_is_accepted_is_no_finding(run, tmp_path, listen, port):
    listen("0.0.0.0", port)
    accept = {"code": "undeclared-listener", "subject": f"0.0.0.0:{port}/tcp", "reason": "known"}
    lock = str(tmp_path / "none.json")
    assert f"0.0.0.0:{port}/tcp" in run({"lock": lock}).stdout
    assert f"0.0.0.0:{port}/tcp" not in run({"lock": lock, "accept": [accept]}).stdout


def test_a_host_that_cannot_be_audited_says_so(run, tmp_path):
    lock, textfile = tmp_path / "ports.json", tmp_path / "ports.prom"
    lock.write_text("{")
    said = run({"lock": str(lock), "textfile": str(textfile)})
    assert (said.returncode, said.stdout) == (1, "")
    assert said.stderr.startswith(f"{lock}: not JSON")
    assert len(said.stderr.splitlines()) == 1
    assert "\noptiinfra_port_audit_success 0\n" in textfile.read_text()
    assert "findings" not in textfile.read_text()


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ("{", "settings.json: Expecting"),
        ("[]", "settings.json: a mapping is expected"),
        ({"locks": "x"}, "settings.json: locks: there is textfile, lock"),
        ({"lock": 5}, "settings.json: lock: 5: a text is expected"),
        ({"accept": {}}, "settings.json: accept: {}: a list is expected"),
        ({"accept": [{"code": "x", "subject": "y"}]}, "accept[0].code: 'x' is not one of"),
        ({"external_interfaces": ["nosuch0"]}, "external_interfaces: nosuch0: no interface of this host"),
        ({"textfile": "/nonexistent/x.prom"}, "/nonexistent/x.prom: cannot be written"),
    ],
)
def test_settings_that_are_wrong_are_one_line(run, settings, problem, tmp_path):
    if isinstance(settings, dict):
        settings = {"lock": str(tmp_path / "none.json"), **settings}
    said = run(settings)
    assert said.returncode == 1
    assert problem in said.stderr
    assert len(said.stderr.splitlines()) == 1


def test_check_reads_the_settings_and_no_more(run):
    said = run({"accept": []}, "--check")
    assert (said.returncode, said.stdout, said.stderr) == (0, "", "")
    assert run({"accept": 7}, "--check").returncode == 1


def test_an_error_of_ours_names_module_and_line(program):
    code = f"""import runpy, sys
found = runpy.run_path({str(program)!r})
sys.meta_path.insert(0, found["Modules"](found["SOURCES"]))
from optiinfra_ports import _map
_map.port_map(None, None, None)
"""
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert re.search(r'File "optiinfra_ports/_map.py", line \d+, in port_map', said.stderr)
