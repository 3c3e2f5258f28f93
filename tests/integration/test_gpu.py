"""The role gpu in check mode on this machine, with trees of sysfs as machines with and without a GPU have them."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

PLAY = """
- hosts: localhost
  connection: local
  gather_facts: false
  tasks:
    - name: Run the role
      ansible.builtin.include_role:
        name: optiinfra.platform.gpu
"""
SMI = """#!/bin/sh
echo 'GPU 0: NVIDIA A16 (UUID: GPU-1)'
"""


@pytest.fixture
def device(tmp_path):
    """Put a device on the PCI bus of a tree; a new tree has a bridge of another vendor only."""

    def put(slot, vendor, kind, name="0x25b6"):
        folder = tmp_path / "sys/bus/pci/devices" / slot
        folder.mkdir(parents=True)
        for file, text in (("vendor", vendor), ("class", kind), ("device", name)):
            (folder / file).write_text(text + "\n")

    put("0000:00:00.0", "0x8086", "0x060000")
    return put


@pytest.fixture
def probe(root, tmp_path):
    """What the role sees on a machine with this tree and these commands."""

    def run(commands=()):
        commands = dict(commands)
        (tmp_path / "bin").mkdir(exist_ok=True)
        for name, text in commands.items():
            (tmp_path / "bin" / name).write_text(text)
            (tmp_path / "bin" / name).chmod(0o755)
        script = root / "roles/gpu/files/probe.py"
        environment = {**os.environ, "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"}
        done = subprocess.run(
            [sys.executable, script, tmp_path / "sys"], env=environment, check=True, capture_output=True, text=True
        )
        return json.loads(done.stdout)

    return run


@pytest.fixture
def role(root, tmp_path):
    def run(**variables):
        (tmp_path / "play.yml").write_text(PLAY)
        extra = {"gpu_sysfs": str(tmp_path / "sys"), "ansible_python_interpreter": "/usr/bin/python3", **variables}
        done = subprocess.run(
            ["ansible-playbook", "--check", "--diff", "play.yml", "-e", json.dumps(extra)],
            cwd=tmp_path,
            env={**os.environ, "ANSIBLE_CONFIG": str(root / "ansible.cfg")},
            capture_output=True,
            text=True,
            check=False,
        )
        assert "Traceback" not in done.stdout + done.stderr
        return done.returncode, " ".join((done.stdout + done.stderr).replace("\\n", " ").split())

    return run


def test_display_controllers_of_nvidia_are_gpus(device, probe):
    assert probe()["devices"] == []
    device("0000:05:00.0", "0x10de", "0x030000")
    device("0000:06:00.0", "0x10de", "0x030200", "0x2235")
    device("0000:05:00.1", "0x10de", "0x040300")
    device("0000:07:00.0", "0x1002", "0x030000")
    found = probe()
    assert [d["slot"] for d in found["devices"]] == ["0000:05:00.0", "0000:06:00.0"]
    assert [d["device"] for d in found["devices"]] == ["0x25b6", "0x2235"]
    assert found["driver"]["works"] is False
    assert found["toolkit"] == []


def test_a_driver_that_works(device, probe):
    device("0000:05:00.0", "0x10de", "0x030200")
    toolkit = "#!/bin/sh\necho 'NVIDIA Container Runtime version 1.17.8'\n"
    found = probe({"nvidia-smi": SMI, "nvidia-container-runtime": toolkit})
    assert found["driver"]["works"] is True
    assert found["driver"]["gpus"] == ["GPU 0: NVIDIA A16 (UUID: GPU-1)"]
    assert found["toolkit"] == ["NVIDIA Container Runtime version 1.17.8"]
    broken = probe({"nvidia-smi": "#!/bin/sh\necho 'Failed to initialize NVML'\nexit 9\n"})
    assert broken["driver"]["works"] is False
    assert broken["driver"]["says"] == "Failed to initialize NVML"


def test_without_a_gpu_it_says_so(device, role):
    status, said = role()
    assert status != 0
    assert "This host has no NVIDIA GPU: no display controller of vendor 0x10de" in said
    assert "vultr_demo_accelerator=simulated" in said
    assert role(gpu_accelerator="simulated")[0] == 0


@pytest.mark.parametrize(
    ("system", "variables", "packages"),
    [
        (
            ("debian", "12"),
            {},
            "nvidia-driver-cuda, nvidia-kernel-open-dkms from https://developer.download.nvidia.com/",
        ),
        (("debian", "13"), {"gpu_driver_source": "distribution"}, "nvidia-open-kernel-dkms, nvidia-smi, libcuda1"),
        (
            ("ubuntu", "24.04"),
            {"gpu_driver_repository_url": "http://m"},
            "nvidia-dkms-open from http://m/ubuntu2404/x86_64",
        ),
    ],
)
def test_what_would_be_installed(device, role, system, variables, packages):
    device("0000:05:00.0", "0x10de", "0x030200")
    seen = {
        "os": {"ID": system[0], "VERSION_ID": system[1], "VERSION_CODENAME": "x", "PRETTY_NAME": " ".join(system)},
        "architecture": "amd64",
        "apt": True,
        "kernel": "6.1.0-49-cloud-amd64",
        "devices": [{"slot": "0000:05:00.0", "device": "0x25b6", "driver": ""}],
        "nouveau": False,
        "driver": {"works": False, "gpus": [], "says": "", "version": "", "built": False},
        "toolkit": [],
    }
    status, said = role(gpu_seen=seen, docker_manage_daemon=True, **variables)
    assert status == 0, said
    assert packages in said
    assert "Would install linux-headers-6.1.0-49-cloud-amd64, " in said
    assert "Would install nvidia-container-toolkit from https://nvidia.github.io/libnvidia-container/stable/deb" in said
    # The runtime, beside what daemon.json has.
    assert '+ "nvidia": { + "args": [], + "path": "nvidia-container-runtime" + }' in said


@pytest.mark.parametrize(
    ("system", "variables", "problem"),
    [
        (
            ("fedora", "42"),
            {},
            "is none of debian12, debian13, ubuntu2204, ubuntu2404, so this role cannot",
        ),
        (("ubuntu", "24.04"), {"gpu_driver_source": "distribution"}, "gpu_driver_packages: which packages of"),
    ],
)
def test_what_cannot_be_installed(device, role, system, variables, problem):
    seen = {
        "os": {"ID": system[0], "VERSION_ID": system[1], "VERSION_CODENAME": "x", "PRETTY_NAME": " ".join(system)},
        "architecture": "amd64",
        "apt": system[0] != "fedora",
        "kernel": "6",
        "devices": [{"slot": "0000:05:00.0", "device": "0x25b6", "driver": ""}],
        "driver": {"works": False, "built": False},
        "toolkit": [],
    }
    status, said = role(gpu_seen=seen, **variables)
    assert status != 0
    assert problem in said
