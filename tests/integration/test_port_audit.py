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
    entry = {"published": port, "target": 80, "host_ip": "127.0.0.1", "protocol": "tcp", "preferred": port,
             "app_protocol": "http", "exposure": "loopback"}  # fmt: skip
    lock = tmp_path / "ports.json"
    _lock.write(str(lock), _lock.render({f"{project}/web.http": entry}))
    found = module("port_audit", lock=str(lock))
    assert [row["declared"] for row in found["open_ports"] if row["port"] == port] == [f"{project}/web.http"]
    assert found["declared"] == [
        {"id": f"{project}/web.http", "stack": project, "service": "web", "endpoint": "web.http", "published": port,
         "target": 80, "host_ip": "127.0.0.1", "protocol": "tcp", "app_protocol": "http", "exposure": "loopback"}
    ]  # fmt: skip
    assert not [f for f in found["findings"] if project in f["subject"]]


def test_accepted_until_a_day(module, listen, port):
    listen("0.0.0.0", port)
    subject = f"0.0.0.0:{port}/tcp"
    known = {"code": "undeclared-listener", "subject": subject, "reason": "test"}
    found = module("port_audit", assignments=[], accept=[{**known, "until": "2999-01-01"}])
    assert [(f["subject"], f["until"], f["reason"]) for f in found["accepted"]] == [(subject, "2999-01-01", "test")]
    assert not [f for f in found["findings"] if f["subject"] == subject]
    found = module("port_audit", assignments=[], accept=[{**known, "until": "2020-01-01"}])
    assert found["accepted"] == []
    (expired,) = [f for f in found["findings"] if f["code"] == "acceptance-expired"]
    assert expired["subject"] == f"undeclared-listener {subject}"
    assert expired["evidence"] == "accepted until 2020-01-01 (test), and it is there again"
    found = module("port_audit", assignments=[], accept=[{**known, "subject": "0.0.0.0:1/*"}])
    (unused,) = [f for f in found["findings"] if f["code"] == "acceptance-unused"]
    assert unused["evidence"] == "accepted (test), and there is no such finding"


def test_fail_on_and_bad_input(module, listen, port, tmp_path):
    listen("0.0.0.0", port)
    failed = module("port_audit", assignments=[], fail_on="warning")
    assert failed["failed"]
    assert any(
        line.split()[:3] == ["warning", "undeclared-listener", f"0.0.0.0:{port}/tcp"] for line in failed["report"]
    )
    assert "undeclared-listener: Declare it, stop it, or accept it." in failed["msg"]
    assert "'x' is not one of" in module("port_audit", accept=[{"code": "x", "subject": "y"}])["msg"]
    bad_day = [{"code": "stand-in", "subject": "y", "until": "soon"}]
    assert "accept[0].until: 'soon'" in module("port_audit", accept=bad_day)["msg"]
    (tmp_path / "bad.json").write_text("{")
    assert "bad.json: not JSON" in module("port_audit", lock=str(tmp_path / "bad.json"))["msg"]


def test_another_network_namespace_is_another_host(module, port):
    """Listeners of a namespace are not the host's: they are no rows, and one note."""
    name = f"it-{port}"
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        code = f"import socket;s=socket.create_server(('0.0.0.0',{port}));print(1,flush=True);s.accept()"
        command = ["ip", "netns", "exec", name, "python3", "-c", code]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as inside:
            inside.stdout.readline()
            found = module("port_audit", assignments=[])
            inside.kill()
        assert [row for row in found["open_ports"] if row["port"] == port] == []
        assert [f["code"] for f in found["findings"] if str(port) in f["evidence"]] == ["namespace-listener"]
        (space,) = [space for space in found["namespaces"] if space["name"] == name]
        assert space["listeners"] == [
            {"address": "0.0.0.0", "port": port, "protocol": "tcp", "process": "python3", "pid": inside.pid}
        ]
        assert (space["pids"], space["container"]) == ([inside.pid], "")
    finally:
        subprocess.run(["ip", "netns", "del", name], check=True)


def test_a_namespace_without_a_process(module, port):
    """Such as one that was made for a VPN: nobody is in it, so nobody listens."""
    name = f"it-{port}"
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        found = module("port_audit", assignments=[])
        assert name not in [space["name"] for space in found["namespaces"]]
        assert not [text for text in found["unseen"] if "namespaces" in text]
    finally:
        subprocess.run(["ip", "netns", "del", name], check=True)


def compose(folder, stack, *ports, label=""):
    """Write what the role stack writes for a stack with one service."""
    (folder / stack).mkdir(exist_ok=True)
    lines = ["services:", "  web:", "    image: x", "    ports:"]
    for port in ports:
        lines += ["    - target: 80", f"      published: '{port}'", "      host_ip: 127.0.0.1", "      protocol: tcp"]
    lines += ["    labels:", f"      io.optiinfra.config: {label}"] if label else []
    (folder / stack / "compose.yaml").write_text("\n".join(lines) + "\n")


def drift(found, project):
    return {f["code"]: f["evidence"] for f in found["findings"] if f["subject"].startswith(project)}


def test_drift(module, container, project, port, tmp_path):
    path = f"{tmp_path}/{project}/compose.yaml"
    files = f"com.docker.compose.project.config_files={path}"
    container("--publish", f"127.0.0.1:{port}:80", "--label", files, "--label", "io.optiinfra.config=one")
    args = {"assignments": [declared(project, port)], "stack_root": str(tmp_path)}
    assert drift(module("port_audit", **args), project) == {}
    compose(tmp_path, project, port, label="one")
    assert drift(module("port_audit", **args), project) == {}
    compose(tmp_path, project, port, label="two")
    assert (
        "its configuration files have changed since" in drift(module("port_audit", **args), project)["drift-container"]
    )
    compose(tmp_path, project, port + 1, label="one")
    assert drift(module("port_audit", **args), project) == {
        "drift-file": f"planned 127.0.0.1:{port}/tcp, written 127.0.0.1:{port + 1}/tcp ({path})",
        "drift-container": drift(module("port_audit", **args), project)["drift-container"],
    }
    text = drift(module("port_audit", **args), project)["drift-container"]
    assert f"published 127.0.0.1:{port}/tcp, written 127.0.0.1:{port + 1}/tcp ({path})" in text
    (tmp_path / project / "compose.yaml").write_text("services: {web: {}}\n")
    found = module("port_audit", **args)
    assert [text for text in found["unseen"] if text.startswith(f"drift of {project}: {path} is not as the role")]


def test_drift_of_a_definition_is_composes_own_word(module, image, project, port, tmp_path):
    """Compose makes the container; then the file changes in something that is no port."""
    folder = tmp_path / project
    folder.mkdir()
    file = folder / "compose.yaml"
    text = f"""services:
  web:
    image: {image}
    command: ["/busybox", "httpd", "-f", "-p", "80"]
    ports:
    - target: 80
      published: '{port}'
      host_ip: 127.0.0.1
      protocol: tcp
    environment:
      A: ${{VALUE}}
"""
    file.write_text(text)
    (folder / ".env").write_text("VALUE='one'\n")
    command = ["docker", "compose", "--project-directory", str(folder), "--project-name", project]
    subprocess.run([*command, "up", "--detach"], check=True, capture_output=True)
    try:
        args = {"assignments": [declared(project, port)], "stack_root": str(tmp_path)}
        assert drift(module("port_audit", **args), project) == {}
        (folder / ".env").write_text("VALUE='two'\n")
        assert "its definition has changed since" in drift(module("port_audit", **args), project)["drift-container"]
    finally:
        subprocess.run([*command, "down", "--timeout", "0"], check=True, capture_output=True)


def test_reuseport_twins(audit, listen, port):
    """Two sockets of one process are one row; a stranger's on the same port is a finding."""
    code = (
        "import socket, sys\n"
        "held = []\n"
        "for _n in range(2):\n"
        "    s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)\n"
        f"    s.bind(('127.0.0.1', {port})); s.listen(); held.append(s)\n"
        "open('/proc/self/comm', 'w').write(sys.argv[1]); print(1, flush=True); sys.stdin.read()\n"
    )

    def start(name):
        found = subprocess.Popen(["python3", "-c", code, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        found.stdout.readline()
        return found

    with start("it-one") as one:
        _findings, rows = audit([], port)
        assert [(row["process"], row["pids"]) for row in rows] == [("it-one", [one.pid])]
        with start("it-two") as two:
            findings, rows = audit([], port)
            assert sorted((row["process"], row["pids"]) for row in rows) == [
                ("it-one", [one.pid]),
                ("it-two", [two.pid]),
            ]
            assert findings["shared-port"]["subject"] == f"127.0.0.1:{port}/tcp"
            two.kill()
        one.kill()


def test_a_dual_stack_socket_is_one_row_of_both_families(audit, listen, port):
    listen("::", port)
    _findings, rows = audit([], port)
    assert [(row["address"], row["families"]) for row in rows] == [("::", ["ipv4", "ipv6"])]
    listen("::", port + 1, v6only=True)
    _findings, rows = audit([], port + 1)
    assert [(row["address"], row["families"]) for row in rows] == [("::", ["ipv6"])]


def test_ad_hoc_with_a_baseline(root, listen, port, tmp_path):
    listen("127.0.0.1", port)
    baseline = tmp_path / "baseline.yml"
    entry = "- {{code: local-listener, subject: '127.0.0.1:{0}/tcp', until: 2999-01-01, reason: {1}, hosts: {2}}}\n"
    baseline.write_text(
        "accept:\n" + entry.format(port, "for this host", "'local*'") + entry.format(1, "other", "[web1]")
    )
    command = [
        "ansible",
        "localhost",
        "-c",
        "local",
        "-m",
        "optiinfra.platform.port_audit",
        "-a",
        f"baseline={baseline}",
    ]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert "reason: for this host" in done.stdout
    assert "acceptance-unused" not in done.stdout
    assert "accepted: 1" in done.stdout
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
        assert done.stdout.strip() == "['a process of user root that cannot be seen']", done.stderr
    finally:
        shutil.rmtree(folder)
