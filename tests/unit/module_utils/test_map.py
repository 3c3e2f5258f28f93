"""The port map: the tables of the reference document, computed; nothing that a stack says can break a table."""

from __future__ import annotations

import re

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.optiinfra.platform.plugins.filter import ports
from ansible_collections.optiinfra.platform.plugins.module_utils import _map, _markdown
from ansible_collections.optiinfra.platform.plugins.module_utils._plan import plan
from ansible_collections.optiinfra.platform.plugins.module_utils._stack import parse_stack
from ansible_collections.optiinfra.platform.plugins.plugin_utils.stacks import load_stack
from hypothesis import given
from hypothesis import strategies as st

# The document's table "Port Conflict Check".
RUNS = """3000-3001 5432 5555 6333-6334 6379 8001-8005 8080 8090 8100 8123 8200 9000 9090-9091 9116 9121 9187 9401"""


def mapped(*stacks, **options):
    found = [load_stack(one)["definition"] for one in stacks]
    assignments, moves = plan([e for stack in found for e in parse_stack(stack, stack["name"])[1]])
    return _map.port_map(found, assignments, moves, **options)


def section(text, heading):
    return re.search(rf"^##+ {re.escape(heading)}\n(.*?)(?=^## |\Z)", text, re.M | re.S).group(1)


def rows(text):
    """Return the cells of the tables of a text, headings left out."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    cells = [[c.strip() for c in re.split(r"(?<!\\)(?:\\\\)*\|", line)[1:-1]] for line in lines]
    return [row for row, after in zip(cells, [*cells[1:], []], strict=True)
            if not {*"".join(row)} <= {"-"} and not (after and {*"".join(after)} <= {"-"})]  # fmt: skip


@pytest.fixture(scope="module")
def both():
    return mapped("optiinfra", "vultr_demo")


def test_the_two_stacks_of_the_document_are_19_and_5_containers(both):
    assert "**19 containers, 19 ports**: 3000, 3001, 5432, 5555, 6333, 6334, 6379, 8001" in both
    assert "**5 containers, 5 ports**: 8090, 8100, 8200, 9091, 9401\n" in both
    first, second, total = rows(section(both, "Statistics"))
    assert first[:3] == ["OptiInfra Platform", "19", "19"]
    assert first[3].startswith("7: Collection, Storage, Orchestration, Agent, Monitoring, Portal, ")
    assert first[4:] == ["ClickHouse Exporter, Redis Exporter, Postgres Exporter", "-", "0"]
    assert second == ["Vultr Demo", "5", "5", "3: Inference, Monitoring, Load", "DCGM Exporter",
                      "vLLM Server, DCGM Exporter", "5"]  # fmt: skip
    assert total[:3] == ["**all**", "24", "24"]


def test_services_have_the_columns_that_say_something(both):
    assert "| # | Layer | Service | Port(s) | In the container | Container | Purpose |\n" in both
    vllm = rows(section(both, "Vultr Demo"))[0]
    assert vllm == ["1", "Inference", "vLLM Server", "8100", "8000", "vllm-server", "Mistral-7B inference engine",
                    "vLLM + NVIDIA GPU"]  # fmt: skip
    stated = mapped("vultr_demo", states={"vultr_demo": {"vllm": "served"}})
    assert [row[-1] for row in rows(section(stated, "Vultr Demo"))] == ["served", "-", "-", "-", "-"]


def test_the_check_is_in_the_ranges_of_the_document(both):
    found = rows(section(both, "Conflict check"))
    assert [row[0] for row in found] == RUNS.split()
    assert {row[-1] for row in found} == {"no conflict"}
    assert "**24 endpoints, 0 conflicts.** All of these" in both
    assert "Nothing had to move" in both


def test_public_urls_name_the_host_and_others_do_not(both):
    assert "http://HOST:8100  # vLLM Server: Mistral-7B inference engine" in both
    assert "clickhouse://127.0.0.1:9000  # ClickHouse: Time-series metrics storage" in both
    assert "http://gpu1.example:8100 " in mapped("vultr_demo", host="gpu1.example")
    assert "curl -fsS http://127.0.0.1:8123/ping  # optiinfra/clickhouse.http" in section(both, "Health")


def test_flows_use_the_port_of_the_network_or_of_the_host(both):
    found = rows(section(both, "Data flows"))
    assert ["Vultr Demo: Chat", "customer", "Chat API", "chat-api.http (8200)", "question"] in found
    assert ["Vultr Demo: Chat", "Chat API", "vLLM Server", "vllm.http (8000)", "completion"] in found


def test_exposure_and_rules(both):
    assert rows(section(both, "Exposure"))[1] == ["Vultr Demo", "8090, 8100, 8200, 9091, 9401", "none", "none"]
    assert re.findall(r"^ufw allow (\S+)", both, re.M) == ["8100/tcp", "8200/tcp", "9091/tcp", "9401/tcp", "8090/tcp"]
    assert "ufw allow" not in mapped("optiinfra")


def assignment(identity, port, address="127.0.0.1", protocol="tcp"):
    stack, endpoint = identity.split("/")
    return {"id": identity, "stack": stack, "service": endpoint.split(".")[0], "endpoint": endpoint, "published": port,
            "target": 80, "host_ip": address, "protocol": protocol, "app_protocol": "", "health": None, "title": "T",
            "purpose": "", "exposure": "loopback"}  # fmt: skip


def test_a_conflict_is_told():
    found = [assignment("a/x.1", 80), assignment("b/x.1", 80, ""), assignment("b/y.1", 80, "", "udp")]
    stacks = [{"name": name, "services": {"x": {}, "y": None}} for name in "ab"]
    text = _map.port_map(stacks, found, [])
    assert "**3 endpoints, 1 conflict.**\n\n- a/x.1 and b/x.1 on 80/tcp" in text
    assert rows(section(text, "Conflict check")) == [["80", "T", "T", "conflict"]]


@given(st.lists(st.tuples(st.integers(1, 3), st.sampled_from(["", "127.0.0.1", "0.0.0.0", "::"])), max_size=8))
def test_clashes_are_those_of_every_pair(bindings):
    found = [assignment(f"a/x.{n}", port, address) for n, (port, address) in enumerate(bindings)]
    wild = {"", "0.0.0.0", "::"}
    expected = {(one["id"], other["id"]) for n, one in enumerate(found) for other in found[n + 1 :]
                if one["published"] == other["published"]
                and (one["host_ip"] == other["host_ip"] or {one["host_ip"], other["host_ip"]} & wild)}  # fmt: skip
    assert {(one["id"], other["id"]) for one, other in _map.clashes(found)} == expected


@given(st.lists(st.lists(st.text(), min_size=2, max_size=2), max_size=4))
def test_no_text_breaks_a_table(cells):
    lines = _markdown.table(("A", "B"), cells).splitlines()
    assert len(lines) == 2 + len(cells)
    for line, row in zip(lines[2:], cells, strict=True):
        parts = re.findall(r"((?:\\.|[^\\|])*)\|", line)[1:]
        assert [re.sub(r"\\(.)", r"\1", part)[1:-1] for part in parts] == [" ".join(cell.split()) for cell in row]


@pytest.mark.parametrize(
    ("flows", "problem"),
    [
        ("x", r"shop: x-flows: a list is expected"),
        (["x"], r"x-flows\[0\]: a mapping is expected"),
        ([{"name": "a", "steps": [{"from": "web"}]}], r"x-flows\[0\].steps\[0\].to: missing"),
    ],
)
def test_flows_that_are_none_are_one_error(flows, problem):
    with pytest.raises(AnsibleFilterError, match=problem):
        ports.port_map({"assignments": [], "moves": []}, [{"name": "shop", "services": {}, "x-flows": flows}])


def test_any_project_has_a_map():
    odd = {"name": "shop", "services": {"web": {"deploy": "x"}, "db": None, "gpu": {"deploy": {"resources": {
        "reservations": {"devices": [{"capabilities": ["gpu"]}, 7]}}}}}}  # fmt: skip
    text = _map.port_map([odd], [], [])
    assert rows(section(text, "Statistics"))[0] == ["shop", "3", "0", "1: Services", "-", "gpu", "0"]
    assert "It has no service." in _map.port_map([{"name": "a", "services": {}}], [], [])
