"""The stack role on this machine in check mode: bad input is one clear error before anything is done."""

from __future__ import annotations

import json
import os
import subprocess

import pytest

PLAY = """
- hosts: localhost
  connection: local
  gather_facts: false
  roles:
    - role: optiinfra.platform.stack
      vars: {stack_manage_docker: false, stack_manage_images: false}
"""


@pytest.fixture
def role(root, tmp_path):
    """Run the role in check mode with a stack file's text; return (status, output)."""

    def run(text, environment=None, **variables):
        stack = tmp_path / "shop.yaml"
        if text is not None:
            stack.write_text(text)
        (tmp_path / "play.yml").write_text(PLAY)
        extra = {
            "stack_definition": str(stack),
            "stack_root": str(tmp_path / "etc"),
            "stack_lock": str(tmp_path / "lib" / "ports.json"),
            **variables,
        }
        command = ["ansible-playbook", "--check", str(tmp_path / "play.yml"), "-e", json.dumps(extra)]
        environment = {**os.environ, "ANSIBLE_CONFIG": str(root / "ansible.cfg"), **(environment or {})}
        done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
        left = sorted(path.name for path in tmp_path.iterdir())
        assert left in (["play.yml", "shop.yaml"], ["play.yml"]), left
        return done.returncode, done.stdout + done.stderr

    return run


def shop(port, extra=""):
    return f"name: shop\nx-catalog: {{}}\nservices:\n  web:\n    image: a\n    ports: [{port}]\n{extra}"


def test_a_good_stack_is_previewed(role, port):
    status, output = role(shop(f"'{port}:80'"))
    assert status == 0, output
    assert "would create: web" in output


def test_a_folder_with_its_env_file_is_previewed(role, tmp_path_factory, port):
    folder = tmp_path_factory.mktemp("shop")
    (folder / "compose.yaml").write_text("services: {web: {image: '${IMAGE}', ports: ['${PORT}:80']}}\n")
    (folder / ".env").write_text("PORT=abc\nIMAGE=a\nTITLE=it's\n")
    status, output = role(None, stack_definition=str(folder), stack_environment={"PORT": port})
    assert status == 0, output
    assert "would create: web" in output
    status, output = role(None, stack_definition=str(folder))
    assert status != 0
    assert "services.web.ports[0].published: 'abc'" in output


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (shop("'0:80'"), "services.web.ports[0].published: '0': a port is a whole number"),
        (shop("'70000:80'"), "services.web.ports[0].published: '70000'"),
        (shop("'abc:80'"), "services.web.ports[0].published: 'abc'"),
        (shop("{target: 80, name: a}, {target: 81, name: a}"), "a second endpoint named 'a'"),
        ("services: [", "shop.yaml, line 1: not YAML"),
        ("- a\n- b\n", "shop.yaml: a stack is a mapping"),
        (None, "is no stack of this collection"),
        (
            shop("{target: 80, published: 20000, x-fixed: true}, {target: 81, published: 20000, x-fixed: true}"),
            "is fixed to 127.0.0.1:20000/tcp, which shop/web.80 has (fixed)",
        ),
    ],
)
def test_bad_stacks_are_one_error_with_file_and_key(role, text, problem):
    status, output = role(text)
    assert status != 0
    assert problem in " ".join(output.split())
    assert "Traceback" not in output


def test_a_variable_of_the_shell_that_compose_would_prefer_is_refused(role, port):
    text = shop(f"'{port}:80'", "    environment: {LEVEL: '${SHOP_LEVEL:-info}', ROOT: '${SHOP_ROOT:-/}'}\n")
    status, output = role(text, {"SHOP_LEVEL": "debug"})
    assert status != 0
    assert "SHOP_LEVEL of your shell would override" in output
    assert role(text, {"SHOP_LEVEL": "debug"}, stack_environment={"SHOP_LEVEL": "debug"})[0] == 0
