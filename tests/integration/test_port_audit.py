"""port_audit where the truth is made by the test: it finds exactly what the test put there."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

import pytest
from ansible_collections.optiinfra.platform.plugins.module_utils import _lock


@pytest.fixture
def audit(module, tmp_path):
    """Audit with the given assignments, and return what is about the given ports."""

    def run(assignments, *ports, **options):
        found = module("port_audit", assignments=assignments, lock=str(tmp_path / "none.json"), **options)
        assert not found.get("failed"), found["msg"]
        about = [f for f in found["findings"] if any(str(p) in f["subject"] + f["evidence"] for p in ports)]
        return {f["code"]: f for f in about}, [row for row in found["open_ports"] if row["port"] in ports]

    return run


def declared(project, port, address="127.0.0.1", **options):
    values = {"id": f"{project}/web.http", "stack": project, "service": "web", "endpoint": "web.http", "target": 80}
    return {**values, "published": port, "host_ip": address, "protocol": "tcp", **options}


@pytest.mark.parametrize(
    ("address", "kind", "code"),
    [
        ("0.0.0.0", socket.SOCK_STREAM, "undeclared-listener"),
        ("::", socket.SOCK_STREAM, "undeclared-listener"),
        ("0.0.0.0", socket.SOCK_DGRAM, "undeclared-listener"),
        ("127.0.0.1", socket.SOCK_STREAM, "local-listener"),
        ("::1", socket.SOCK_DGRAM, "local-listener"),
    ],
)
def test_an_undeclared_listener_is_found_with_its_owner(audit, listen, port, address, kind, code):
    listen(address, port, kind)
    findings, rows = audit([], port)
    assert list(findings) == [code]
    assert f"pid {os.getpid()}" in findings[code]["evidence"]
    (row,) = rows
    assert (row["address"], row["pid"], row["user"]) == (address, os.getpid(), "root")


def test_a_served_endpoint_is_no_finding(audit, container, project, port):
    name = container("--publish", f"127.0.0.1:{port}:80")
    findings, rows = audit([declared(project, port)], port, name)
    assert findings == {}
    (row,) = rows
    assert (row["container"], row["declared"]) == (name, f"{project}/web.http")


def test_wider_than_declared(audit, container, project, port):
    container("--publish", f"0.0.0.0:{port}:80")
    findings, _rows = audit([declared(project, port)], port)
    assert list(findings) == ["wider-exposure"]
    assert f"declared on 127.0.0.1:{port}/tcp, open on 0.0.0.0:{port}/tcp" in findings["wider-exposure"]["evidence"]


def test_squatter_silent_and_undeclared_of_one_project(audit, container, listen, project, port):
    listen("127.0.0.1", port)
    container("--publish", f"127.0.0.1:{port + 2}:80")
    wanted = [declared(project, port), declared(project, port + 1, id=f"{project}/web.two")]
    findings, _rows = audit(wanted, port, port + 1, port + 2)
    assert set(findings) == {"squatter", "declared-silent", "undeclared-published"}
    assert f"pid {os.getpid()}" in findings["squatter"]["evidence"]


def test_a_stack_that_does_not_run_is_one_finding(module, project, port):
    wanted = [declared(project, port), declared(project, port + 1, id=f"{project}/web.two")]
    found = module("port_audit", assignments=wanted)
    assert [f["code"] for f in found["findings"] if project in f["subject"]] == ["stack-not-running"]


def test_ephemeral_and_stand_in(audit, container, project):
    name = container("--label", "io.optiinfra.stand-in=Not the real one", "--publish", "127.0.0.1:45678:80")
    findings, _rows = audit([declared(project, 45678)], 45678)
    assert list(findings) == ["ephemeral-port"]
    findings, _rows = audit([declared(project, 45678)], name)
    assert findings["stand-in"]["evidence"] == "Not the real one"


def test_the_lock_is_what_is_declared(module, container, project, port, tmp_path):
    container("--publish", f"127.0.0.1:{port}:80")
    entry = {"published": port, "target": 80, "host_ip": "127.0.0.1", "protocol": "tcp", "preferred": port}
    lock = tmp_path / "ports.json"
    _lock.write(str(lock), _lock.render({f"{project}/web.http": entry}))
    found = module("port_audit", lock=str(lock))
    assert [row["declared"] for row in found["open_ports"] if row["port"] == port] == [f"{project}/web.http"]
    assert not [f for f in found["findings"] if project in f["subject"]]


def test_accepted_until_a_day(module, listen, port):
    listen("0.0.0.0", port)
    known = {"code": "undeclared-listener", "subject": f"0.0.0.0:{port}/tcp", "reason": "test"}
    found = module("port_audit", assignments=[], accept=[{**known, "until": "2999-01-01"}])
    assert [f["subject"] for f in found["accepted"]] == [f"0.0.0.0:{port}/tcp"]
    found = module("port_audit", assignments=[], accept=[{**known, "until": "2020-01-01"}])
    assert found["accepted"] == []


def test_fail_on_and_bad_input(module, listen, port, tmp_path):
    listen("0.0.0.0", port)
    failed = module("port_audit", assignments=[], fail_on="warning")
    assert failed["failed"]
    assert f"undeclared-listener  0.0.0.0:{port}/tcp: open by" in failed["msg"]
    assert "'x' is not one of" in module("port_audit", accept=[{"code": "x", "subject": "y"}])["msg"]
    bad_day = [{"code": "stand-in", "subject": "y", "until": "soon"}]
    assert "accept[0].until: 'soon'" in module("port_audit", accept=bad_day)["msg"]
    (tmp_path / "bad.json").write_text("{")
    assert "bad.json: not JSON" in module("port_audit", lock=str(tmp_path / "bad.json"))["msg"]


def test_another_network_namespace_is_another_host(audit, port):
    """Listeners of a namespace are not the host's."""
    name = f"it-{port}"
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        code = f"import socket;s=socket.create_server(('0.0.0.0',{port}));print(1,flush=True);s.accept()"
        command = ["ip", "netns", "exec", name, "python3", "-c", code]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as inside:
            inside.stdout.readline()
            findings, rows = audit([], port)
            inside.kill()
        assert (findings, rows) == ({}, [])
    finally:
        subprocess.run(["ip", "netns", "del", name], check=True)


def test_ad_hoc(root, listen, port):
    listen("127.0.0.1", port)
    command = ["ansible", "localhost", "-c", "local", "-m", "optiinfra.platform.port_audit"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "unseen: []" in done.stdout
    assert "open ports: " in done.stdout
    assert f"port: {port}" in done.stdout


def test_without_privileges_owners_are_unknown_but_ports_are_not(root, listen, port):
    listen("127.0.0.1", port)
    folder = Path(tempfile.mkdtemp())
    try:
        folder.chmod(0o755)
        shutil.copytree(
            root / "plugins" / "module_utils", folder / "utils", ignore=shutil.ignore_patterns("__pycache__")
        )
        code = (
            "from utils import _audit, _judge, _sockets\n"
            "view = _judge.View(tuple(_sockets.listeners()), (), _sockets.owners, user_of=_sockets.user_name)\n"
            f"print([row.owner for row in _audit.open_ports(view) if row['port'] == {port}])"
        )
        python = ["/usr/bin/python3", "-c", code]
        done = subprocess.run(python, cwd=folder, user="nobody", capture_output=True, text=True, check=False)
        assert done.stdout.strip() == "['a process of user root that this user may not see']", done.stderr
    finally:
        shutil.rmtree(folder)
