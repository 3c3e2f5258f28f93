"""Playbooks write below the folder in which they are run."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest


@pytest.fixture
def run(root, tmp_path):
    inventory = tmp_path / "hosts.ini"

    def run(playbook, group, *arguments):
        inventory.write_text(f"[{group}]\nlocalhost ansible_python_interpreter={sys.executable}\n")
        environment = {**os.environ, "PWD": str(tmp_path), "ANSIBLE_CONFIG": str(root / "ansible.cfg")}
        words = ["ansible-playbook", "-i", inventory, "-c", "local", root / "playbooks" / playbook, *arguments]
        done = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]

    return run


def test_audit(run, tmp_path):
    run("audit.yml", "others", "-e", "audit_fail_on=never")
    names = {"audit.html", "audit.json", "audit.md", "optiinfra_port.prom", "ports.bash"}
    assert names <= {path.name for path in (tmp_path / "audit").iterdir()}
    run("audit.yml", "others", "-e", "audit_fail_on=never", "-e", "audit_dir=other/place")
    assert (tmp_path / "other" / "place" / "audit.html").is_file()


def test_map(run, tmp_path):
    run("map.yml", "optiinfra", "-e", "map_file=ports.md")
    assert "clickhouse" in (tmp_path / "ports.md").read_text()
