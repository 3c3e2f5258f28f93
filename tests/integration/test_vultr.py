"""The role vultr_instance through the real vultr.cloud modules, against the fake Vultr API of tests/vultr_api.py."""

from __future__ import annotations

import base64
import json
import os
import re
import stat
import subprocess

import pytest
import yaml
from vultr_api import FakeVultr

KEY = "the-key-that-nobody-may-see"
PLAY = """
- hosts: localhost
  connection: local
  gather_facts: false
  tasks:
    - name: Run the role
      ansible.builtin.include_role:
        name: optiinfra.platform.vultr_instance
"""
GPU = "vcg-a16-6c-64g-16vram"
PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHVzZWxlc3NidXR3ZWxsZm9ybWVkMDAwMDAwMDAwMDAw test"


def assignment(published, endpoint, exposure="public", host_ip=""):
    return {
        "id": f"vultr_demo/{endpoint}",
        "stack": "vultr_demo",
        "service": endpoint.split(".")[0],
        "endpoint": endpoint,
        "published": published,
        "target": 80,
        "host_ip": host_ip,
        "protocol": "tcp",
        "exposure": exposure,
    }


PLANNED = [
    assignment(8100, "vllm.http"),
    assignment(5432, "db.sql", "loopback", "127.0.0.1"),
]


@pytest.fixture
def fake():
    with FakeVultr(KEY) as server:
        yield server


class Role:
    """Runs of the role, with what it keeps in a folder of the test."""

    def __init__(self, root, folder, fake):
        self.root, self.folder, self.fake = root, folder, fake
        (folder / "play.yml").write_text(PLAY)
        self.trust = folder / "trust" / "gpu-1"
        self.variables = {
            "vultr_instance_label": "gpu-1",
            "vultr_instance_region": "ewr",
            "vultr_instance_plan": GPU,
            "vultr_instance_ssh_keys": [{"name": "test", "public_key": PUBLIC_KEY}],
            "vultr_instance_trust_dir": str(folder / "trust"),
            "vultr_instance_assignments": PLANNED,
            "vultr_instance_connect": False,
            "vultr_instance_retry_delay": 0,
        }

    def run(self, *options, key=KEY, **variables):
        """Return (status, output, number of changes)."""
        extra = {**self.variables, **{f"vultr_instance_{name}": value for name, value in variables.items()}}
        environment = {
            **os.environ,
            "ANSIBLE_CONFIG": str(self.root / "ansible.cfg"),
            "VULTR_API_KEY": key,
            "VULTR_API_ENDPOINT": self.fake.url,
            "VULTR_API_RETRY_MAX_DELAY": "0",
        }
        command = ["ansible-playbook", "-v", "--diff", "play.yml", "-e", json.dumps(extra), *options]
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        output = done.stdout + done.stderr
        assert "Traceback" not in output, output
        assert KEY not in output
        for private in self.trust.glob("bootstrap"):
            lines = private.read_text().splitlines()[1:-1]
            assert not any(line in output for line in lines), "the host key is in the output"
            assert base64.b64encode(private.read_bytes()).decode()[60:120] not in output
        changes = re.search(r"changed=(\d+)", output)
        return done.returncode, output, int(changes.group(1)) if changes else 0

    def good(self, *options, **variables):
        status, output, changes = self.run(*options, **variables)
        assert status == 0, output
        return " ".join(output.split()), changes

    def bad(self, *options, **variables):
        status, output, _changes = self.run(*options, **variables)
        assert status != 0, output
        return " ".join(output.replace("\\n", " ").split())

    @property
    def instances(self):
        return list(self.fake.account.instances.values())

    def rules(self):
        """The rules of the one firewall group: {(family, port, source): note}."""
        (rules,) = self.fake.account.rules.values()
        return {(r["ip_type"], r["port"], f"{r['subnet']}/{r['subnet_size']}"): r["notes"] for r in rules.values()}


@pytest.fixture
def role(root, tmp_path, fake):
    return Role(root, tmp_path, fake)


ANYWHERE = [("v4", "0.0.0.0/0"), ("v6", "::/0")]


def test_create_find_purge_and_remove(role, fake):
    _output, changes = role.good("--check")
    assert changes > 0
    assert not any(method != "GET" for method, _path, _status in fake.log)
    assert not (role.folder / "trust").exists()

    fake.account.polls = 2
    output, _changes = role.good()
    (instance,) = role.instances
    assert "It costs money until it is removed" in output
    assert instance["status"] == "active"
    assert (instance["plan"], instance["region"], instance["os"]) == (GPU, "ewr", "Debian 12 x64 (bookworm)")
    assert instance["tags"] == ["optiinfra", "vultr_demo"]
    assert instance["features"] == ["ipv6"]
    assert instance["firewall_group_id"] in fake.account.groups
    assert set(role.rules()) == {(f, p, n) for f, n in ANYWHERE for p in ("22", "8100")}
    assert role.rules()["v4", "8100", "0.0.0.0/0"] == "optiinfra.platform: vultr_demo/vllm.http"
    # The rules were there before the instance was.
    order = [path for method, path, _status in fake.log if method == "POST"]
    assert order[-1] == "/instances"

    # The first connection is known by the key that cloud-init gives to the instance.
    data = yaml.safe_load(fake.account.user_data[instance["id"]])
    assert fake.account.user_data[instance["id"]].startswith("#cloud-config\n")
    assert data["ssh_keys"]["ed25519_private"] == (role.trust / "bootstrap").read_text()
    public = data["ssh_keys"]["ed25519_public"].split()[:2]
    assert (role.trust / "known_hosts").read_text().split() == ["gpu-1", *public]
    assert stat.S_IMODE((role.trust / "bootstrap").stat().st_mode) == 0o600
    assert stat.S_IMODE(role.trust.stat().st_mode) == 0o700

    fake.log.clear()
    output, changes = role.good()
    assert changes == 0, output
    assert not any(method != "GET" for method, _path, _status in fake.log)

    # A rule of somebody else, and a tag; one endpoint is no longer planned, another is for a network of its own.
    (group,) = fake.account.groups
    theirs = {"ip_type": "v4", "protocol": "tcp", "port": "99", "subnet": "0.0.0.0", "subnet_size": 0, "notes": "mine"}
    fake.account.create_rule(group, theirs)
    fake.account.create_rule(group, {**theirs, "port": "8100", "source": "cloudflare", "subnet": "192.0.2.0"})
    instance["tags"] = ["optiinfra", "theirs"]
    changed = {
        "assignments": [assignment(8200, "chat-api.http"), *PLANNED[1:]],
        "allowed_cidrs": {"chat-api.http": ["198.51.100.0/24"]},
        "ssh_cidrs": ["2001:db8::/32"],
    }
    before = role.rules()
    assert role.good("--check", **changed)[1] > 0
    assert role.rules() == before
    role.good(**changed)
    assert role.rules() == {
        ("v4", "8200", "198.51.100.0/24"): "optiinfra.platform: vultr_demo/chat-api.http",
        ("v6", "22", "2001:db8::/32"): "optiinfra.platform: SSH",
        ("v4", "99", "0.0.0.0/0"): "mine",
        ("v4", "8100", "192.0.2.0/0"): "mine",
    }
    assert set(instance["tags"]) == {"optiinfra", "theirs", "vultr_demo"}

    assert "Not confirmed with the word gpu-1" in role.bad(state="absent")
    assert role.good("--check", state="absent")[1] > 0
    assert len(role.instances) == 1
    assert role.trust.exists()
    role.good(state="absent", confirmed="gpu-1")
    assert not role.instances
    assert not fake.account.groups
    assert not role.trust.exists()


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ({"key": "nobody"}, "Invalid API token. (the key is wrong"),
        ({"key": ""}, "vultr_instance_api_key: there is no key of the Vultr API"),
        ({"label": "gpu 1"}, 'vultr_instance_label: "gpu 1" is no host name'),
        ({"plan": "vcg-a16-6c-64g-16"}, "is no plan of Vultr; plans with a GPU in ewr: vcg-a16-2c-8g-2vram ("),
        ({"allowed_cidrs": {"web.http": ["::/0"]}}, "allowed_cidrs: web.http: no public endpoint has this name"),
    ],
)
def test_bad_input_is_one_error_and_changes_nothing(role, fake, wrong, problem):
    assert problem in role.bad(**wrong)
    assert not role.instances
    assert not fake.account.groups
    assert not any(method != "GET" for method, _path, _status in fake.log)


def test_what_passes_is_waited_for_and_nothing_is_rented_twice(role, fake):
    fake.fail("GET", "/account", 429, 2)
    fake.fail("GET", "/plans", 500)
    fake.fail("POST", "/firewalls", 429)
    fake.fail("GET", "/ssh-keys", 500)
    fake.fail("POST", "/instances", 429)
    # The answer comes too late, the instance is there.
    fake.fail("POST", "/instances", 504, after=True, delay=4)
    role.good(api_timeout=2)
    assert len(role.instances) == 1
    assert fake.count("POST", "/instances") == 1
    assert all(fault["times"] == 0 for fault in fake.faults)


def test_a_run_that_failed_half_way_is_taken_up(role, fake):
    fake.fail("POST", "/firewalls/[^/]+/rules", 400, 1)
    role.bad()
    assert not role.instances
    fake.fail("POST", "/instances", 400)
    assert "Vultr did not create gpu-1" in role.bad()
    key = (role.trust / "bootstrap").read_text()
    role.good()
    assert len(role.instances) == 1
    assert len(fake.account.groups) == 1
    assert len(fake.account.ssh_keys) == 1
    assert len(role.rules()) == 4
    assert (role.trust / "bootstrap").read_text() == key

    fake.fail("DELETE", "/firewalls/.+", 400)
    role.bad(state="absent", confirmed="gpu-1")
    assert not role.instances
    assert len(fake.account.groups) == 1
    role.good(state="absent", confirmed="gpu-1")
    assert not fake.account.groups


def test_what_somebody_else_made_is_left_alone(role, fake):
    assert role.good(state="absent")[1] == 0
    stranger = {"label": "gpu-1", "region": "ewr", "plan": GPU, "os_id": 2136, "tags": ["theirs"]}
    fake.account.create_instance(stranger)
    assert "without the tag optiinfra, so it was not made by this role" in role.bad()
    assert "Nothing was removed" in role.bad(state="absent", confirmed="gpu-1")
    assert len(role.instances) == 1
    role.instances[0]["tags"] = ["optiinfra"]
    assert "Refuse to trust" in role.bad(connect=True)
    fake.account.create_instance(stranger)
    assert "Vultr has 2 instances gpu-1" in role.bad(state="absent", confirmed="gpu-1")
    assert not any(method != "GET" for method, _path, _status in fake.log)
