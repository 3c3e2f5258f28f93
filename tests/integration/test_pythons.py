"""The modules on each Python of this machine that hosts may have: 3.8 is the oldest that is supported."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

VERSIONS = [f"3.{minor}" for minor in range(8, 15)]


def interpreter(version):
    """Return one that runs, from PATH or pyenv's folder, or None."""
    name = f"python{version}"
    for path in [shutil.which(name), *sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/{name}"))]:
        if path and subprocess.run([path, "-c", ""], capture_output=True, check=False).returncode == 0:
            return str(path)
    return None


@pytest.fixture(params=VERSIONS)
def python(request):
    found = interpreter(request.param)
    if not found:
        pytest.skip(f"Python {request.param} is not installed here")
    return found


def test_every_file_that_is_sent_to_hosts_compiles(python, root, tmp_path):
    folders = [root / "plugins" / name for name in ("modules", "module_utils")]
    # Not beside the sources, where the caches of other Pythons are.
    subprocess.run([python, "-X", f"pycache_prefix={tmp_path}", "-m", "compileall", "-q", *folders], check=True)
    assert list(tmp_path.rglob("_plan.*.pyc"))


PLAY = """
- hosts: localhost
  gather_facts: false
  tasks:
    - optiinfra.platform.port_plan:
        stacks: [{{name: shop, services: {{web: {{ports: [{{target: 80}}]}}}}}}]
        lock: {lock}
      register: plan
    - optiinfra.platform.port_assert: {{assignments: "{{{{ plan.assignments }}}}", state: available}}
    - optiinfra.platform.port_probe: {{address: 127.0.0.1, reachable: [{port}]}}
    - optiinfra.platform.port_audit: {{lock: {lock}}}
      register: audit
    - ansible.builtin.assert:
        that:
          - plan.assignments | map(attribute='published') == [8080]
          - audit.open_ports | selectattr('port', 'equalto', {port}) | map(attribute='pid') == [{pid}]
"""


def test_modules_run(python, root, tmp_path):
    play = tmp_path / "play.yml"
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        play.write_text(PLAY.format(lock=tmp_path / "ports.json", port=port, pid=os.getpid()))
        words = ["ansible-playbook", "-i", "localhost,", "-c", "local", "-e", f"ansible_python_interpreter={python}"]
        done = subprocess.run([*words, play], cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
