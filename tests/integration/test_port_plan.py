"""port_plan as a module: the lock, check mode, faults."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from pathlib import Path

import pytest


def stacks(*definitions, environment=None):
    return [{"definition": d, "source": f"{d['name']}.yaml", "environment": environment or {}} for d in definitions]


def demo(name="demo", published="20500", **port):
    entry = {"name": "http", "target": 80, "published": published, "host_ip": "127.0.0.1", **port}
    return {"name": name, "services": {"web": {"ports": [entry]}}}


def text(path):
    return Path(path).read_text()


@pytest.fixture
def lock(tmp_path):
    return str(tmp_path / "state" / "ports.json")


def test_plan_keep_and_release(module, lock):
    first = module("port_plan", stacks=stacks(demo()), lock=lock)
    assert first["changed"]
    assert first["assignments"][0]["id"] == "demo/web.http"
    assert json.loads(first["diff"]["after"]) == json.loads(text(lock))
    assert not module("port_plan", stacks=stacks(demo()), lock=lock)["changed"]
    second = module("port_plan", stacks=stacks(demo("later")), lock=lock)
    assert second["moves"][0]["because_of"] == "demo/web.http"
    gone = module("port_plan", stacks=stacks(demo()), lock=lock, state="absent")
    assert gone["changed"]
    assert list(json.loads(text(lock))["assignments"]) == ["later/web.http"]
    assert not module("port_plan", stacks=stacks(demo()), lock=lock, state="absent")["changed"]


def test_check_mode_says_the_same_and_writes_nothing(module, lock):
    seen = module("port_plan", check_mode=True, stacks=stacks(demo()), lock=lock)
    assert seen["changed"]
    assert not os.path.exists(os.path.dirname(lock))
    assert module("port_plan", stacks=stacks(demo()), lock=lock)["diff"] == seen["diff"]


def test_a_stranger_moves_only_what_has_to_move_anyway(module, lock, listen, port):
    listen("0.0.0.0", port)
    asked = str(port)
    found = module("port_plan", stacks=stacks(demo(published=asked)), lock=lock)
    assert found["assignments"][0]["published"] == port
    listen("127.0.0.1", port + 1)
    second = module("port_plan", stacks=stacks(demo("later", published=asked)), lock=lock)
    assert second["assignments"][0]["published"] > port + 1


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (
            {"published": "0"},
            "demo.yaml: services.web.ports[0].published: '0': a port is a whole number from 1 to 65535",
        ),
        ({"published": "70000"}, "demo.yaml: services.web.ports[0].published: '70000'"),
        ({"published": "abc"}, "demo.yaml: services.web.ports[0].published: 'abc'"),
        ({"published": "${NONE}"}, "the variable NONE is not set"),
    ],
)
def test_bad_input_is_one_error_and_changes_nothing(module, lock, change, problem):
    module("port_plan", stacks=stacks(demo()), lock=lock)
    before = text(lock)
    failed = module("port_plan", stacks=stacks(demo(**change)), lock=lock)
    assert failed["failed"]
    assert problem in failed["msg"]
    assert "Traceback" not in failed["msg"]
    assert text(lock) == before


def test_two_fixed_ports_that_clash(module, lock):
    failed = module("port_plan", stacks=stacks(demo(**{"x-fixed": True}), demo("b", **{"x-fixed": True})), lock=lock)
    assert "b/web.http is fixed to 127.0.0.1:20500/tcp, which demo/web.http has (fixed)" in failed["msg"]
    assert not os.path.exists(lock)


@pytest.mark.parametrize("override", [{"web.http": "abc"}, {"web.http": 0}, {"nobody.http": 80}])
def test_bad_overrides_are_named(module, lock, override):
    failed = module("port_plan", stacks=stacks(demo()), lock=lock, overrides=override)
    assert failed["msg"].startswith("overrides")
    assert next(iter(override)) in failed["msg"]


def test_the_same_stack_twice(module, lock):
    assert "is given twice" in module("port_plan", stacks=stacks(demo(), demo()), lock=lock)["msg"]


def test_a_corrupt_lock_is_named_and_kept(module, lock):
    os.mkdir(os.path.dirname(lock))
    with open(lock, "w") as handle:
        handle.write("{")
    failed = module("port_plan", stacks=stacks(demo()), lock=lock)
    assert failed["msg"].startswith(lock + ": not JSON")
    assert text(lock) == "{"


def test_a_full_disk_keeps_the_lock(module, tmp_path):
    folder = tmp_path / "full"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4k", "tmpfs", str(folder)], check=True)
    try:
        lock = str(folder / "ports.json")
        module("port_plan", stacks=stacks(demo()), lock=lock)
        before = text(lock)
        failed = module("port_plan", stacks=stacks(demo("b", published="20501")), lock=lock)
        assert "No space left on device" in failed["msg"]
        assert text(lock) == before
        assert os.listdir(folder) == ["ports.json"]
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_two_plays_at_once_lose_nothing(lock):
    """Each writes what it read and its own: without a lock around both, one of them would be lost."""
    from ansible_collections.optiinfra.platform.plugins.module_utils import _lock

    entry = {"published": 1, "target": 1, "host_ip": "", "protocol": "tcp", "preferred": 1}

    def add(name):
        with _lock.exclusive(lock):
            known = _lock.parse(_lock.read(lock), lock)
            _lock.write(lock, _lock.render({**known, name: entry}))

    workers = [threading.Thread(target=add, args=(f"a/{i}",)) for i in range(20)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(_lock.parse(_lock.read(lock), lock)) == 20


def test_the_action_plugin_reads_files_on_the_controller(root, tmp_path):
    (tmp_path / "compose.yaml").write_text("services: {web: {ports: ['${P:-20600}:80']}}\n")
    (tmp_path / "bad.yaml").write_text("services: {web: {ports: [0:80]}}\n")

    def adhoc(stack):
        return subprocess.run(
            [
                *("ansible", "localhost", "-c", "local", "-C", "-m", "optiinfra.platform.port_plan"),
                *("-a", json.dumps({"stacks": [stack], "lock": str(tmp_path / "ports.json")})),
            ],
            cwd=root,
            capture_output=True,
            text=True,
            check=False,
        )

    good = adhoc(str(tmp_path / "compose.yaml"))
    assert good.returncode == 0, good.stdout + good.stderr
    assert "published: 20600" in good.stdout
    bad = adhoc(str(tmp_path / "bad.yaml"))
    assert bad.returncode != 0
    assert "bad.yaml: services.web.ports[0].published: '0'" in bad.stdout
    assert "Traceback" not in bad.stdout + bad.stderr
    unknown = adhoc("nothing")
    assert "is no stack of this collection" in unknown.stdout


def test_hosts_that_are_planned_as_one_have_the_same_ports(module, tmp_path, listen, port):
    """The locks are those of three hosts; what listens is this machine's, which is all of them."""
    asked, locks = str(port), [str(tmp_path / name / "ports.json") for name in "abc"]
    listen("127.0.0.1", port + 1)
    module("port_plan", stacks=stacks(demo(published=asked)), lock=locks[0])
    module("port_plan", stacks=stacks(demo("other", published=asked), demo(published=asked)), lock=locks[1])

    def look():
        return [module("port_plan", stacks=stacks(demo()), lock=lock, state="looked")["host"] for lock in locks]

    def plan_all(peers):
        return [module("port_plan", stacks=stacks(demo(published=asked)), lock=lock, peers=peers) for lock in locks]

    first = plan_all(look())
    assert [found["assignments"][0]["published"] for found in first] == [port + 2] * 3
    assert [found["changed"] for found in first] == [True, False, True]
    # Another stack has the port on one of them, so it is moved on all of them.
    assert f"{port} belongs to other/web.http on " in first[0]["moves"][0]["why"]
    assert [json.loads(text(lock))["assignments"]["demo/web.http"]["published"] for lock in locks] == [port + 2] * 3
    again = plan_all(look())
    assert [(found["changed"], found["moves"]) for found in again] == [(False, [])] * 3


@pytest.mark.parametrize("peer", [{}, {"ephemeral": [1, 2], "reserved": [70000]}, {"ephemeral": "x"}])
def test_a_peer_that_is_none_is_refused(module, lock, peer):
    found = module("port_plan", stacks=stacks(demo()), lock=lock, peers=[peer])
    assert found["failed"]
    assert "peers[0]." in found["msg"]
    assert "state=looked" in found["msg"]
    assert not os.path.exists(lock)
