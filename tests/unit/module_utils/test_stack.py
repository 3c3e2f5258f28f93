"""From a Compose project to the endpoints that it wants."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from ansible_collections.optiinfra.platform.plugins.module_utils._stack import StackError, parse_stack
from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from fuzz import cases


def project(*ports, **service):
    return {"name": "demo", "services": {"web": {"ports": list(ports), **service}}}


def endpoints(*ports, environment=None, **service):
    return parse_stack(project(*ports, **service), "demo.yaml", environment)[1]


@pytest.mark.parametrize(
    ("port", "expected"),
    [
        ("8080:80", ("80", 80, 8080, "", "tcp", "public")),
        ("127.0.0.1:6379:6379", ("6379", 6379, 6379, "127.0.0.1", "tcp", "loopback")),
        ("[::1]:53:53/udp", ("53-udp", 53, 53, "::1", "udp", "loopback")),
        ("0.0.0.0:80:80", ("80", 80, 80, "0.0.0.0", "tcp", "public")),
        ("10.0.0.9:80:80", ("80", 80, 80, "10.0.0.9", "tcp", "public")),
        ("${PORT:-8080}:80", ("80", 80, 8080, "", "tcp", "public")),
        (3000, ("3000", 3000, 3000, "", "tcp", "public")),
        ("80", ("80", 80, 8080, "", "tcp", "public")),
        ({"name": "http", "target": 80, "published": "8080"}, ("http", 80, 8080, "", "tcp", "public")),
        ({"target": "80", "published": 8080, "host_ip": "127.0.0.1"}, ("80", 80, 8080, "127.0.0.1", "tcp", "loopback")),
        ({"target": 53, "published": "53", "protocol": "UDP"}, ("53-udp", 53, 53, "", "udp", "public")),
    ],
)
def test_forms_of_a_port(port, expected):
    (found,) = endpoints(port)
    assert (found.name, found.target, found.preferred, found.host_ip, found.protocol, found.exposure) == expected


def test_a_range_is_a_group():
    found = endpoints("9000-9002:8000-8002")
    assert [(e.target, e.preferred) for e in found] == [(8000, 9000), (8001, 9001), (8002, 9002)]
    assert len({e.group for e in found}) == 1
    assert found[0].group


def test_a_published_range_is_a_choice():
    (found,) = endpoints("3000-3002:80")
    assert (found.preferred, found.choices) == (3000, (3000, 3001, 3002))


def test_a_catalogue_makes_loopback_the_default():
    stack = {"x-catalog": {"title": "Demo"}, **project("80:80")}
    assert parse_stack(stack)[1][0].host_ip == "127.0.0.1"
    stack["x-catalog"]["exposure"] = "public"
    assert parse_stack(stack)[1][0].host_ip == ""
    stack["services"]["web"]["x-catalog"] = {"exposure": "loopback"}
    assert parse_stack(stack)[1][0].host_ip == "127.0.0.1"


def test_a_service_s_priority_is_its_own_or_the_stack_s():
    stack = {"x-catalog": {"priority": 5}, **project("80:80")}
    assert parse_stack(stack)[1][0].priority == 5
    stack["services"]["web"]["x-catalog"] = {"priority": -1}
    assert parse_stack(stack)[1][0].priority == -1


def test_private_takes_the_address_given():
    stack = {"x-catalog": {"exposure": "private", "host_ip": "${LAN}"}, **project("80:80")}
    assert parse_stack(stack, environment={"LAN": "10.0.0.9"})[1][0].host_ip == "10.0.0.9"
    stack["x-catalog"].pop("host_ip")
    with pytest.raises(StackError, match="exposure private needs an address"):
        parse_stack(stack)


def test_on_the_hosts_network_targets_are_the_hosts_ports_and_stay():
    (found,) = endpoints("8080:80", network_mode="host")
    assert (found.preferred, found.fixed, found.host_ip) == (80, True, "")
    (found,) = parse_stack({"name": "d", "services": {"w": {"network_mode": "host", "expose": ["9100"]}}})[1]
    assert (found.preferred, found.fixed) == (9100, True)


def test_on_the_hosts_network_what_is_exposed_counts_as_well():
    found = endpoints("8080:80", network_mode="${MODE:-host}", expose=["80", "9100-9101", "53/udp"])
    assert [(e.preferred, e.protocol) for e in found] == [(80, "tcp"), (9100, "tcp"), (9101, "tcp"), (53, "udp")]


@pytest.mark.parametrize(
    "again",
    [
        "8080:80",
        "${P:-8080}:80",
        {"target": 80, "published": 8080},
        {"target": "80", "published": "8080", "protocol": "tcp"},
    ],
)
def test_what_is_said_twice_counts_once(again):
    (found,) = endpoints("8080:80", again)
    assert (found.preferred, found.target) == (8080, 80)


def test_every_address_is_compose_s_word_for_none():
    (found,) = endpoints("8080:80", "0.0.0.0:8080:80")
    assert found.host_ip == "0.0.0.0"


@pytest.mark.parametrize("empty", ["${P:+8080}", "", None])
def test_published_that_turns_out_empty_is_left_to_the_plan(empty):
    assert endpoints({"target": 3000, "published": empty})[0].preferred == 3000


def test_the_same_target_twice_gets_two_names():
    assert [e.name for e in endpoints("80:80", "8080:80", "127.0.0.1:8080:80")] == [
        "80",
        "80-8080",
        "80-8080-127.0.0.1",
    ]


def test_metadata():
    found = endpoints(
        {
            "name": "http",
            "target": 80,
            "published": 80,
            "app_protocol": "http",
            "x-health": "${H:-/ok}",
            "x-fixed": True,
        },
        container_name="demo-${ENV}",
        environment={"ENV": "test"},
        **{"x-catalog": {"title": "Web", "layer": "front", "purpose": "Pages"}},
    )[0]
    assert found.id == "demo/web.http"
    assert (found.health, found.fixed, found.container, found.app_protocol) == ("/ok", True, "demo-test", "http")
    assert (found.title, found.layer, found.purpose) == ("Web", "front", "Pages")


@pytest.mark.parametrize(
    ("port", "key", "problem"),
    [
        ("0:80", "services.web.ports[0].published", "from 1 to 65535"),
        ("70000:80", "services.web.ports[0].published", "70000"),
        ("abc:80", "services.web.ports[0].published", "abc"),
        ({"target": 0}, "services.web.ports[0].target", "'0'"),
        ({"target": True}, "services.web.ports[0].target", "True"),
        ({"target": 80, "published": 80.5}, "services.web.ports[0].published", "80.5"),
        ({"published": 80}, "services.web.ports[0].target", "missing"),
        ({"target": 80, "publishd": 80}, "services.web.ports[0].publishd", "unknown key"),
        ({"target": 80, "protocol": "icmp"}, "services.web.ports[0].protocol", "icmp"),
        ({"target": 80, "host_ip": "localhost"}, "services.web.ports[0].host_ip", "localhost"),
        ({"target": 80, "x-health": "health"}, "services.web.ports[0].x-health", "begins with /"),
        ({"target": 80, "x-fixed": "maybe"}, "services.web.ports[0].x-fixed", "maybe"),
        ({"target": 80, "name": "a b"}, "services.web.ports[0].name", "a b"),
        ({"target": [80]}, "services.web.ports[0].target", "a list"),
        ("9-8:80", "services.web.ports[0].published", "ends before it begins"),
        ("9000-9001:80-82", "services.web.ports[0]", "cannot serve 3 targets"),
        ("${NONE}:80", "services.web.ports[0]", "NONE is not set"),
        ("a:b:c:d", "services.web.ports[0]", ""),
        (8080 * 60 + 53, "services.web.ports[0]", "if 8080:53 was meant, put it in quotes"),
        (None, "services.web.ports[0]", "None"),
        ([80], "services.web.ports[0]", "[80]"),
    ],
)
def test_bad_ports_are_named(port, key, problem):
    with pytest.raises(StackError) as caught:
        endpoints(port)
    assert str(caught.value).startswith("demo.yaml: " + key)
    assert problem in str(caught.value)


@pytest.mark.parametrize(
    ("stack", "key"),
    [
        ([], "a stack is a mapping"),
        ("text", "a stack is a mapping"),
        ({"name": "demo"}, "services: a mapping is expected"),
        ({"name": "demo", "services": []}, "services: a mapping is expected"),
        ({"name": "demo", "services": {"web": "x"}}, "services.web: a mapping is expected"),
        ({"name": "demo", "services": {"web": {"ports": "80"}}}, "services.web.ports: a list is expected"),
        ({"name": "De mo", "services": {}}, "name: 'De mo'"),
        ({"services": {}}, "name: ''"),
        ({"name": "demo", "services": {}, "x-catalog": []}, "x-catalog: a mapping"),
        ({"name": "demo", "services": {"web": {"ports": None}}}, "services.web.ports: a list is expected, not nothing"),
        ({"name": "demo", "services": {"web": {"ports": {}}}}, "services.web.ports: a list is expected, not a mapping"),
        ({"name": "demo", "services": {"web": {"x-catalog": {"priority": "high"}}}}, "services.web.x-catalog.priority"),
        (
            {"name": "demo", "services": {"web": {"network_mode": "service:db"}}},
            "services.web.network_mode: there is no service 'db'",
        ),
        (
            {"name": "demo", "services": {"web": {"network_mode": "host", "expose": "80"}}},
            "services.web.expose: a list is expected",
        ),
    ],
)
def test_bad_stacks_are_named(stack, key):
    with pytest.raises(StackError) as caught:
        parse_stack(stack, "demo.yaml")
    assert str(caught.value).startswith("demo.yaml: " + key)


def test_a_second_endpoint_of_the_same_name_is_an_error():
    with pytest.raises(StackError, match=r"ports\[1\].name: the service has a second endpoint named 'http'"):
        endpoints({"name": "http", "target": 80}, {"name": "http", "target": 81})


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
PORT_KEYS = (
    "name",
    "target",
    "published",
    "host_ip",
    "protocol",
    "mode",
    "app_protocol",
    "x-health",
    "x-fixed",
    "x-group",
)
port_values = (
    json_values | st.dictionaries(st.sampled_from(PORT_KEYS), json_values) | st.text("0123456789:-/[]${}", max_size=16)
)


@cases(100)
@given(
    st.fixed_dictionaries(
        {"name": st.just("demo") | json_values},
        optional={
            "x-catalog": json_values,
            "services": json_values
            | st.dictionaries(
                st.text(max_size=5),
                json_values | st.fixed_dictionaries({"ports": json_values | st.lists(port_values, max_size=4)}),
                max_size=3,
            ),
        },
    )
)
def test_anything_is_read_or_refused_with_our_error(stack):
    try:
        parse_stack(stack, "fuzz", {})
    except StackError as exc:
        if not str(exc).startswith("fuzz: "):
            raise


@pytest.mark.parametrize("mode", ["service:db", "container:db"])
def test_ports_of_a_service_that_joins_another_network_are_refused(mode):
    project = {"name": "a", "services": {"db": {}, "web": {"network_mode": mode, "ports": ["80:80"]}}}
    with pytest.raises(StackError, match=f"services.web.ports: with network_mode {mode}"):
        parse_stack(project)
