"""The stack file of the platform against the port document it implements, and against what the README says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

CHECKOUT = Path(__file__).resolve().parents[2]
ROLE = CHECKOUT / "roles" / "optiinfra"
STACK = yaml.safe_load((ROLE / "files" / "compose.yaml").read_text())
SERVICES = STACK["services"]

# Table 1 of the port document: container -> (layer, published ports). Its row 20 is the network.
DOCUMENT = {
    "optiinfra-collector": ("collection", [8005]),
    "optiinfra-data-collector-beat": ("collection", []),
    "optiinfra-data-collector-worker": ("collection", []),
    "optiinfra-postgres": ("storage", [5432]),
    "optiinfra-clickhouse": ("storage", [8123, 9000]),
    "optiinfra-clickhouse-exporter": ("storage", [9116]),
    "optiinfra-qdrant": ("storage", [6333, 6334]),
    "optiinfra-redis": ("storage", [6379]),
    "optiinfra-redis-exporter": ("storage", [9121]),
    "optiinfra-orchestrator": ("orchestration", [8080]),
    "optiinfra-cost-agent": ("agent", [8001]),
    "optiinfra-performance-agent": ("agent", [8002]),
    "optiinfra-resource-agent": ("agent", [8003]),
    "optiinfra-application-agent": ("agent", [8004]),
    "optiinfra-prometheus": ("monitoring", [9090]),
    "optiinfra-grafana": ("monitoring", [3000]),
    "optiinfra-postgres-exporter": ("monitoring", [9187]),
    "optiinfra-portal": ("portal", [3001]),
    "optiinfra-flower": ("workflow", [5555]),
}


def published(service):
    return [int(port["published"]) for port in service.get("ports", [])]


def test_containers_layers_and_ports_are_the_documents():
    found = {
        service["container_name"]: (service["x-catalog"]["layer"], published(service)) for service in SERVICES.values()
    }
    assert found == DOCUMENT
    assert list(STACK["networks"]) == ["optiinfra"]


def test_every_port_is_on_loopback():
    assert STACK["x-catalog"]["exposure"] == "loopback"
    assert not [port for service in SERVICES.values() for port in service.get("ports", []) if port.get("host_ip")]


def test_portal_is_3001_on_the_host_and_3000_inside():
    port = SERVICES["portal"]["ports"][0]
    assert (port["published"], port["target"]) == ("3001", 3000)


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_complete(name):
    service = SERVICES[name]
    assert {"title", "layer", "purpose", "image"} <= set(service["x-catalog"])
    assert service["x-catalog"]["layer"] in STACK["x-catalog"]["layers"]
    assert service["image"] == "${{{}_IMAGE}}".format(service["x-catalog"]["image"].upper())
    assert service["healthcheck"]["test"]
    assert service["restart"] == "unless-stopped"
    assert re.fullmatch(r"\$\{[A-Z_]+_MEMORY:-\d+[mg]\}", service["mem_limit"])
    assert set(service.get("depends_on", {})) <= set(SERVICES)


def test_metrics_ports_are_the_services_own():
    for name, service in SERVICES.items():
        metrics = service["x-catalog"].get("metrics")
        if metrics and service.get("ports"):
            assert metrics["target"] in [port["target"] for port in service["ports"]], name


def test_flows_name_services_and_endpoints():
    endpoints = {f"{name}.{port['name']}" for name, service in SERVICES.items() for port in service.get("ports", [])}
    assert {flow["name"] for flow in STACK["x-flows"]} == {"Collection", "Monitoring", "Agent coordination"}
    for flow in STACK["x-flows"]:
        for step in flow["steps"]:
            assert {step["from"], step["to"]} <= {*SERVICES, "customer"}, step
            assert step.get("endpoint", next(iter(endpoints))) in endpoints, step


def test_no_secret_has_a_default():
    text = (ROLE / "files" / "compose.yaml").read_text()
    for name in re.findall(r"\$\{([A-Z_]*(?:PASSWORD|SECRET|ENCRYPTION)[A-Z_]*):?-[^}]+\}", text):
        pytest.fail(f"{name} has a default")


def test_readme_shows_the_same_map():
    text = (CHECKOUT / "README.md").read_text()
    table = text[text.index("## What you get") : text.index("## Daily use")]
    shown = set()
    for line in table.splitlines():
        for cell in line.split("|")[3:4]:
            for first, last in re.findall(r"(\d{4})(?:-(\d{4}))?", cell):
                shown.update(range(int(first), int(last or first) + 1))
    assert shown == {port for service in SERVICES.values() for port in published(service)}
    assert "19 containers" in table
    assert "19 published ports" in table


@pytest.mark.parametrize("role", ["optiinfra", "ollamamax"])
def test_dashboards_hold_only_what_their_template_draws(role):
    boards = yaml.safe_load((ROLE.parent / role / "files" / "dashboards.yml").read_text())
    for name, board in boards.items():
        assert (board["uid"], set(board)) == (role if name == role else f"{role}-{name}", {"uid", "title", "panels"})
        for panel in board["panels"]:
            assert set(panel) <= {"title", "type", "unit", "width", "good", "queries"}, panel
            assert panel["queries"], panel
