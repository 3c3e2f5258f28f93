"""The filters of the role vultr_instance: rules, their changes, and what Vultr offers."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.optiinfra.platform.plugins.filter import vultr
from hypothesis import given
from hypothesis import strategies as st
from vultr_account import OS, REGIONS, plans

GPU = "vcg-a16-6c-64g-16vram"
DEBIAN = "Debian 12 x64 (bookworm)"
OFFER = {"regions": REGIONS, "plans": plans(), "os": OS}
PROBLEMS = [
    ({"region": "ewr1"}, "vultr_instance_region: 'ewr1' is no region of Vultr; near are ams, ewr, fra"),
    ({"region": ""}, "vultr_instance_region: none is given; near are ams, ewr, fra"),
    (
        {"plan": ""},
        "vultr_instance_plan: none is given; plans with a GPU in ewr: vcg-a16-2c-8g-2vram (NVIDIA_A16, 2 GB, $43",
    ),
    ({"plan": "vcg-a40"}, "vultr_instance_plan: 'vcg-a40' is no plan of Vultr; plans with a GPU in ewr"),
    ({"plan": "vc2-6c-6gb"}, "'vc2-6c-6gb' has no GPU; plans with a GPU in ewr: vcg-a16-2c-8g-2vram"),
    ({"plan": "vcg-a40-24c-120g-48vram", "region": "fra"}, "is to be had in ewr, not in fra; plans with a GPU in fra"),
    ({"plan": "vcg-l40s-16c-180g-48vram"}, "is to be had in no region at the moment, not in ewr"),
    ({"plan": "vcg-x", "region": "ams"}, "'vcg-x' is no plan of Vultr; plans with a GPU in ams: none"),
    ({"plan": "vc2-6c-7gb", "gpu": False}, "is no plan of Vultr; plans in ewr: vc2-"),
    ({"os": "Debian 12"}, "vultr_instance_os: 'Debian 12' is no operating system of Vultr; near are Debian 12 x64"),
]


def assignment(published, **other):
    return {
        "id": f"demo/web.p{published}",
        "stack": "demo",
        "service": "web",
        "endpoint": f"web.p{published}",
        "published": published,
        "target": 80,
        "host_ip": "",
        "protocol": "tcp",
        "exposure": "public",
        **other,
    }


@pytest.mark.parametrize(("wrong", "problem"), PROBLEMS)
def test_what_cannot_be_had(wrong, problem):
    asked = {"region": "ewr", "plan": GPU, "os": DEBIAN, **wrong}
    assert problem in vultr.vultr_problem(OFFER, **asked)


def test_what_can_be_had():
    assert vultr.vultr_problem(OFFER, "ewr", GPU, DEBIAN) == ""
    assert vultr.vultr_problem(OFFER, "ams", "vc2-6c-6gb", DEBIAN, gpu=False) == ""


def test_drift():
    instance = {"id": "1", "label": "gpu-1", "region": "ewr", "plan": GPU, "os": DEBIAN, "tags": ["a", "b"]}
    assert vultr.vultr_drift(instance, "ewr", GPU, DEBIAN, ["b"]) == ""
    assert "without the tag c" in vultr.vultr_drift(instance, "ewr", GPU, DEBIAN, ["b", "c"])
    problem = vultr.vultr_drift(instance, "fra", "p", DEBIAN, [])
    assert f"has region 'ewr', not 'fra'; plan '{GPU}', not 'p'." in problem


def test_rules_are_the_public_endpoints_and_ssh():
    planned = [
        assignment(8100),
        assignment(5432, exposure="loopback", host_ip="127.0.0.1"),
        assignment(53, protocol="udp"),
    ]
    rules = vultr.vultr_rules(planned, [22], {"web.p53": ["192.0.2.7/32"]}, ["198.51.100.0/24"])
    assert [(r["ip_type"], r["protocol"], r["port"], r["subnet"], r["subnet_size"]) for r in rules] == [
        ("v4", "tcp", "22", "198.51.100.0", 24),
        ("v4", "tcp", "8100", "0.0.0.0", 0),
        ("v6", "tcp", "8100", "::", 0),
        ("v4", "udp", "53", "192.0.2.7", 32),
    ]
    assert rules[1]["notes"] == "optiinfra.platform: demo/web.p8100"


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (([assignment(8100)], []), "no port of SSH"),
        (([assignment(8100)], [22], {"web.p1": ["::/0"]}), "allowed_cidrs: web.p1: no public endpoint has this name"),
        (([assignment(8100)], [22], {}, ["x"]), "ssh_cidrs: 'x' is no network"),
        (([assignment(8100, protocol="sctp")], [22]), "Vultr's firewall has no rules for sctp"),
        (([assignment(0)], [22]), "assignments[0].published"),
    ],
)
def test_bad_rules_name_key_and_value(arguments, problem):
    with pytest.raises(AnsibleFilterError) as caught:
        vultr.vultr_rules(*arguments)
    assert problem in str(caught.value)


PORTS = st.lists(st.integers(1024, 65535), max_size=8, unique=True)


@given(before=PORTS, after=PORTS, theirs=PORTS)
def test_changes_lead_to_what_is_wanted_and_leave_others_alone(before, after, theirs):
    wanted = vultr.vultr_rules([assignment(port) for port in after], [22])
    own = vultr.vultr_rules([assignment(port) for port in before], [22])
    strangers = [
        {"ip_type": "v4", "protocol": "tcp", "port": str(port), "subnet": "0.0.0.0", "subnet_size": 0, "notes": "mine"}
        for port in theirs
        if port not in before
    ]
    current = strangers + own
    changes = vultr.vultr_rule_changes(current, wanted)
    result = [rule for rule in current if rule not in changes["remove"]] + changes["add"]
    assert all(rule in result for rule in strangers)
    assert vultr.vultr_rule_changes(result, wanted) == {"add": [], "remove": []}
    identities = [vultr._identity(rule) for rule in result]
    assert len(set(identities)) == len(identities)
    ours = {vultr._identity(rule) for rule in result if rule not in strangers}
    assert ours <= {vultr._identity(rule) for rule in wanted}


def test_a_rule_for_cloudflare_is_another_rule():
    (rule, *_more) = vultr.vultr_rules([], [22])
    cloudflare = {**rule, "source": "cloudflare", "subnet": "", "notes": ""}
    assert rule in vultr.vultr_rule_changes([cloudflare], [rule])["add"]
    # Vultr may tell the network as the source as well.
    assert vultr.vultr_rule_changes([{**rule, "source": "0.0.0.0/0"}], [rule]) == {"add": [], "remove": []}
