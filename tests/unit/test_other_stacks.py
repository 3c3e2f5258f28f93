"""The stack files of the Vultr demo and OllamaMax against their documents, and all three stacks on one host."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.optiinfra.platform.plugins.filter import ports
from ansible_collections.optiinfra.platform.plugins.module_utils._plan import locked, plan
from ansible_collections.optiinfra.platform.plugins.module_utils._stack import parse_stack
from ansible_collections.optiinfra.platform.plugins.plugin_utils.stacks import load_stack

STACKS = ("optiinfra", "vultr_demo", "ollamamax")
MAP = Path(__file__).resolve().parents[2] / "docs" / "port-map.md"


def definition(name):
    return load_stack(name)["definition"]


def endpoints(name):
    return parse_stack(definition(name), name)[1]


def wanted(name):
    return {(e.container, e.preferred, e.target) for e in endpoints(name)}


def test_the_vultr_demo_is_table_2():
    assert wanted("vultr_demo") == {
        ("vllm-server", 8100, 8000),
        ("chat-api", 8200, 8080),
        ("prometheus-demo", 9091, 9090),
        ("dcgm-exporter", 9401, 9400),
        ("locust", 8090, 8089),
    }
    assert {(e.host_ip, e.exposure) for e in endpoints("vultr_demo")} == {("", "public")}


def test_ollamamax_is_its_document():
    assert {e.preferred for e in endpoints("ollamamax")} == {
        *(13100, 13101, 13102, 8080, 8081, 11434, 5432, 6379, 3000, 3001, 9090)
    }
    assert {e.host_ip for e in endpoints("ollamamax")} == {"127.0.0.1"}


def test_flows_name_services_and_endpoints_that_are_there():
    for name in STACKS:
        stack = definition(name)
        known = {e.endpoint for e in endpoints(name)}
        for step in (step for flow in stack["x-flows"] for step in flow["steps"]):
            assert {step["from"], step["to"]} <= {*stack["services"], "customer"}
            assert step.get("endpoint") is None or step["endpoint"] in known


def test_three_stacks_on_one_host_move_only_what_clashes():
    found, moves = plan([e for name in STACKS for e in endpoints(name)])
    assert sorted(m["from"] for m in moves) == [3000, 3001, 5432, 6379, 8080, 8081, 9090]
    assert {m["endpoint"].split("/")[0] for m in moves} == {"ollamamax"}
    # 8081 is nobody's; it goes with the API of its backend.
    assert [m["to"] - m["from"] for m in moves if "backend" in m["endpoint"]] == [1, 1]
    assert [a["published"] for a in found if a["endpoint"] in ("api.http", "websocket.http", "fallback.http")] == [
        *(13100, 13101, 13102)
    ]


@pytest.mark.parametrize("first", STACKS)
def test_a_stack_that_is_there_first_never_moves(first):
    there, moves = plan(endpoints(first))
    assert moves == []
    later = [e for name in STACKS for e in endpoints(name)]
    found, _moves = plan(later, locked(there))
    kept = {a["id"]: a["published"] for a in found}
    assert all(kept[a["id"]] == a["published"] for a in there)


def test_the_port_map_in_the_documents_is_current():
    assignments, moves = plan([e for name in STACKS for e in endpoints(name)])
    text = ports.port_map({"assignments": assignments, "moves": moves}, [definition(name) for name in STACKS])
    assert text == MAP.read_text(), "run: ansible-playbook playbooks/map.yml"
