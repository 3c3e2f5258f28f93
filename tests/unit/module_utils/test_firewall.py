"""What the firewall's files have to say, from text to text."""

from __future__ import annotations

import fcntl
import subprocess

import pytest
from ansible_collections.optiinfra.platform.plugins.module_utils import _firewall as fw
from ansible_collections.optiinfra.platform.plugins.module_utils import _topology
from ansible_collections.optiinfra.platform.plugins.module_utils._stack import StackError

FRESH = """\
*filter
:ufw-user-input - [0:0]
### RULES ###
-A ufw-user-limit -j REJECT
COMMIT
"""
# As ufw wrote it after `ufw allow 8100/tcp comment ...` and rules of somebody else.
WRITTEN = """\
*filter
:ufw-user-input - [0:0]
### RULES ###

### tuple ### allow tcp 81 0.0.0.0/0 any 10.0.0.0/8 in
-A ufw-user-input -p tcp --dport 81 -s 10.0.0.0/8 -j ACCEPT

### tuple ### allow udp 81 192.0.2.1 any 10.0.0.0/8 in comment=78
-A ufw-user-input -p udp -d 192.0.2.1 --dport 81 -s 10.0.0.0/8 -j ACCEPT

### tuple ### deny any any 0.0.0.0/0 any 203.0.113.0/24 in
-A ufw-user-input -s 203.0.113.0/24 -j DROP

### END RULES ###

### LOGGING ###
-A ufw-after-logging-input -j LOG
### END LOGGING ###
COMMIT
"""


def assignment(port, service="web", exposure="public", host_ip="0.0.0.0", **more):
    return {
        "id": f"demo/{service}.http",
        "stack": "demo",
        "service": service,
        "endpoint": f"{service}.http",
        "published": port,
        "target": 80,
        "host_ip": host_ip,
        "protocol": "tcp",
        "exposure": exposure,
        **more,
    }


def ports(rules, family=4):
    return [(r.port, r.source) for r in rules if r.family == family]


def test_ssh_comes_first_and_only_public_endpoints_follow():
    plan = [
        assignment(8100),
        assignment(5432, "db", "loopback", "127.0.0.1"),
        assignment(5433, "dbp", "private", "10.0.0.5"),
        assignment(9000, "odd", "public", "127.0.0.1"),
    ]
    rules = fw.allowed(plan, {}, [2222, 22, 22])
    assert ports(rules) == [(22, "0.0.0.0/0"), (2222, "0.0.0.0/0"), (8100, "0.0.0.0/0")]
    assert ports(rules, 6) == [(22, "::/0"), (2222, "::/0"), (8100, "::/0")]


def test_without_a_port_of_ssh_nothing_is_made():
    with pytest.raises(StackError, match="give ssh_ports"):
        fw.allowed([assignment(8100)], {}, [])


@pytest.mark.parametrize("key", ["web.http", "demo/web.http"])
def test_networks_by_both_names(key):
    rules = fw.allowed([assignment(8100)], {key: ["192.0.2.0/24", "2001:db8::/32", "192.0.2.0/24"]}, [22])
    assert ports(rules)[1:] == [(8100, "192.0.2.0/24")]
    assert ports(rules, 6)[1:] == [(8100, "2001:db8::/32")]


@pytest.mark.parametrize(
    ("cidrs", "message"),
    [
        (
            {"web.htpp": ["192.0.2.0/24"]},
            "web.htpp: no public endpoint has this name; there is demo/web.http, web.http",
        ),
        ({"web.http": ["192.0.2.1/24"]}, "allowed_cidrs.web.http: '192.0.2.1/24' is no network: .*host bits"),
        ({"web.http": ["all; reboot"]}, "is no network"),
        ({"web.http": []}, "a list of networks is needed"),
        ({"web.http": "192.0.2.0/24"}, "a list of networks is needed"),
    ],
)
def test_networks_that_are_none(cidrs, message):
    with pytest.raises(StackError, match=message):
        fw.allowed([assignment(8100)], cidrs, [22])


def test_an_endpoint_of_one_address():
    rules = fw.allowed([assignment(8100, host_ip="192.0.2.9")], {}, [22])
    assert [r.family for r in rules if r.port == 8100] == [4]
    assert any("--ctorigdstport 8100 --ctdir ORIGINAL --ctorigdst 192.0.2.9 -j RETURN" in x for x in fw.guard(rules, 4))
    assert "-p tcp -d 192.0.2.9 --dport 8100 -j ACCEPT" in fw.user_rules(FRESH, rules[-1:], "f")


@pytest.mark.parametrize("before", [FRESH, WRITTEN])
def test_user_rules_twice_changed_and_gone(before):
    both = [r for r in fw.allowed([assignment(8100), assignment(8200, "two")], {}, [22]) if r.family == 4]
    once = fw.user_rules(before, both, "f")
    assert fw.user_rules(once, both, "f") == once
    assert once.index("--dport 22 ") < once.index("--dport 8100 ") < once.index("--dport 8200 ")
    if "--dport 81 " in before:
        assert once.index("--dport 8200 ") < once.index("--dport 81 ")
    fewer = fw.user_rules(once, both[:2], "f")
    assert "8200" not in fewer
    assert "--dport 8100 " in fewer
    gone = fw.user_rules(fewer, [], "f")
    assert [x for x in gone.splitlines() if x] == [x for x in before.splitlines() if x]
    assert fw.user_rules(before, [], "f").split() == before.split()


def test_user_rules_of_somebody_else_stay_whatever_their_comment():
    before = WRITTEN.replace("comment=78", "comment=zz").replace(
        "any 10.0.0.0/8 in\n", "any 10.0.0.0/8 in comment=ff\n"
    )
    assert fw.user_rules(before, [], "f") == before
    assert not fw.is_marked(before)


def test_a_file_that_is_not_of_ufw():
    with pytest.raises(StackError, match=r"/etc/ufw/user\.rules: the line '### RULES ###'"):
        fw.user_rules("rubbish", [], "/etc/ufw/user.rules")


def test_the_guard_knows_no_container_and_trusts_no_private_network():
    rules = fw.allowed([assignment(8100), assignment(8200, "two", protocol="udp")], {"web.http": ["10.0.0.0/8"]}, [22])
    lines = fw.guard(rules, 4)
    assert lines[0] == "*filter"
    assert lines[-1] == "COMMIT"
    body = [line.replace("-A OPTIINFRA-GUARD ", "") for line in lines[2:-1]]
    assert body == [
        "-m conntrack --ctstate RELATED,ESTABLISHED -j RETURN",
        "-i docker+ -j RETURN",
        "-i br-+ -j RETURN",
        "-p tcp -s 10.0.0.0/8 -m conntrack --ctstate DNAT --ctorigdstport 8100 --ctdir ORIGINAL -j RETURN",
        "-p udp -m conntrack --ctstate DNAT --ctorigdstport 8200 --ctdir ORIGINAL -j RETURN",
        "-m conntrack --ctstate DNAT -j DROP",
        "-o docker+ -j DROP",
        "-o br-+ -j DROP",
    ]
    assert not any("8100" in line for line in fw.guard(rules, 6))


@pytest.mark.parametrize("name", ["", "docker0 -j ACCEPT", "a" * 17, "br-+x"])
def test_an_interface_that_is_none(name):
    with pytest.raises(StackError, match="is no name of an interface"):
        fw.guard([], 4, [name])


def test_a_block_is_made_replaced_and_removed():
    once = fw.with_block("theirs", ["a"])
    assert once == f"theirs\n{fw.BEGIN}\na\n{fw.END}\n"
    assert fw.with_block(once + "more\n", ["b"]) == f"theirs\nmore\n{fw.BEGIN}\nb\n{fw.END}\n"
    assert fw.with_block(once, []) == "theirs\n"
    assert fw.with_block("theirs", []) == "theirs"


def test_the_hook_keeps_the_script_and_remembers_whether_it_ran():
    script = "#!/bin/sh\nset -e\ncase x in esac\n"
    plain = fw.with_hook(script, True, executable=False)
    assert plain.startswith(f"#!/bin/sh\n{fw.BEGIN}\n{fw.PLAIN}\n")
    assert fw.with_hook(plain, True, executable=True) == plain
    assert fw.with_hook(plain, False) == script
    assert fw.PLAIN not in fw.with_hook(script, True, executable=True)
    assert fw.with_hook("", True).startswith("#!/bin/sh\n")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("ENABLED=no\n", "ENABLED=yes\n"),
        ("ENABLED=yes\n", "ENABLED=yes\n"),
        ('ENABLED="YES"\n', 'ENABLED="YES"\n'),
        ("#ENABLED=yes", "#ENABLED=yes\nENABLED=yes\n"),
        ("ENABLED=yes\nENABLED=no\n", "ENABLED=yes\nENABLED=yes\n"),
        ("", "ENABLED=yes\n"),
    ],
)
def test_a_setting(before, after):
    assert fw.setting(before, "ENABLED", "yes") == after


@pytest.mark.parametrize("policy", ["DROP", "REJECT"])
def test_denying_is_the_owners_choice(policy):
    text = f'DEFAULT_INPUT_POLICY="{policy}"\n'
    assert fw.denying(text) == text
    assert fw.denying('DEFAULT_INPUT_POLICY="ACCEPT"\n') == 'DEFAULT_INPUT_POLICY="DROP"\n'


def saved(rules):
    return "\n".join(
        [
            "*filter",
            ":INPUT DROP [0:0]",
            "-A INPUT -j ufw-before-input",
            f"-A DOCKER-USER -j {fw.CHAIN}",
            "-A DOCKER-USER -j RETURN",
            *(line for line in fw.guard(rules, 4) if line.startswith("-A")),
            *("-A ufw-user-input -p tcp -j ACCEPT" for rule in rules if rule.family == 4),
        ]
    )


def test_what_the_kernel_has():
    rules = fw.allowed([assignment(8100)], {}, [22])
    live = saved(rules)
    assert fw.is_live(live, rules, 4)
    jump = f"-A DOCKER-USER -j {fw.CHAIN}"
    for broken in (
        "",
        live.replace(jump + "\n", ""),
        live.replace(f"{jump}\n-A DOCKER-USER -j RETURN", f"-A DOCKER-USER -j RETURN\n{jump}"),
        live.replace(":INPUT DROP", ":INPUT ACCEPT"),
        live.replace("-A INPUT -j ufw-before-input\n", ""),
        live.replace(f"-A {fw.CHAIN} -m conntrack --ctstate DNAT -j DROP\n", ""),
        live.replace("-A ufw-user-input -p tcp -j ACCEPT", "", 1),
    ):
        assert broken != live
        assert not fw.is_live(broken, rules, 4)


@pytest.mark.parametrize(
    ("value", "port"), [("198.51.100.7 5000 192.0.2.9 2222", 2222), ("", None), ("a b c d", None), ("a b", None)]
)
def test_the_port_of_this_session(value, port):
    assert fw.ssh_from_environment({"SSH_CONNECTION": value}) == port


def test_interfaces_that_lead_outside():
    route4 = (
        "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\n"
        "br-lan\t00000000\t010011AC\t0003\t0\t0\t0\t00000000\n"
        "docker0\t000012AC\t00000000\t0001\t0\t0\t0\t0000FFFF\n"
    )
    route6 = f"{'0' * 32} 00 {'0' * 32} 00 {'0' * 32} 00000400 1 0 00000003 eth0\n"
    assert _topology.default_interfaces(route4, route6) == ["br-lan", "eth0"]
    assert fw.confused(["br-lan", "eth0"], fw.INTERNAL) == ["br-lan"]
    assert fw.confused(["br-lan", "eth0"], ["docker0", "br-l"]) == []


def test_a_warning_names_what_asks_for_no_password():
    plan = [
        assignment(8090, "locust"),
        assignment(9091, "prometheus"),
        assignment(9401, "dcgm-exporter"),
        assignment(1),
    ]
    rules = fw.allowed(plan, {"prometheus.http": ["192.0.2.0/24"]}, [22])
    said = fw.warnings(plan, rules)
    assert [text.split(":")[0] for text in said] == ["demo/locust.http", "demo/dcgm-exporter.http"]
    assert "allowed_cidrs: {locust.http: [your network]}" in said[0]


@pytest.mark.parametrize(("stands", "back"), [("token", True), ("another", False), (None, False)])
def test_the_old_files_come_back_unless_confirmed(tmp_path, stands, back):
    kept, path = tmp_path / "kept", tmp_path / "file"
    kept.write_text("old")
    path.write_text("new")
    if stands:
        (tmp_path / "pending").write_text(stands)
    script = fw.rollback_script(tmp_path, "token", 0, {kept: path}, True)
    # Only the part that is about files: what follows would touch this machine's firewall.
    files = script[: script.index("ufw reload")]
    subprocess.run(["/bin/sh", "-c", files], check=True)
    assert path.read_text() == ("old" if back else "new")
    assert "ufw --force disable" in fw.rollback_script(tmp_path, "token", 0, {}, False)
    subprocess.run(["/bin/sh", "-n", "-c", script], check=True)


def test_a_rollback_waits_for_a_run_that_is_under_way(tmp_path):
    kept, path = tmp_path / "kept", tmp_path / "rules"
    kept.write_text("old")
    path.write_text("new")
    (tmp_path / "pending").write_text("token")
    script = fw.rollback_script(tmp_path, "token", 0, {kept: path}, True)
    files = script[: script.index("ufw reload")]
    with (tmp_path / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        rollback = subprocess.Popen(["/bin/sh", "-c", files])
        with pytest.raises(subprocess.TimeoutExpired):
            rollback.wait(0.5)
        # Confirmed meanwhile.
        (tmp_path / "pending").unlink()
    assert rollback.wait(10) == 0
    assert path.read_text() == "new"
