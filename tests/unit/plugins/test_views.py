"""The views of audits: the document fits its schema, the page is safe and draws what was found."""

from __future__ import annotations

import datetime
import json

import jsonschema
import pytest
from ansible_collections.optiinfra.platform.plugins.module_utils._audit import CODES
from ansible_collections.optiinfra.platform.plugins.plugin_utils import picture, views
from ansible_collections.optiinfra.platform.plugins.plugin_utils.stacks import load_stack

NOW = datetime.datetime(2026, 11, 23, 12, 0, tzinfo=datetime.UTC)
HOSTILE = "</script><script>alert(1)</script>\"'&"


def row(port, **more):
    return {"address": "127.0.0.1", "port": port, "protocol": "tcp", "exposure": "loopback", "process": "", "pid": None,
            "user": "", "unit": "", "container": "", "project": "", "service": "", "declared": "", **more}  # fmt: skip


def declared(endpoint, port):
    service = endpoint.partition(".")[0]
    return {"id": f"optiinfra/{endpoint}", "stack": "optiinfra", "service": service, "endpoint": endpoint,
            "published": port, "target": port, "host_ip": "127.0.0.1", "protocol": "tcp"}  # fmt: skip


def finding(code, subject, evidence="seen"):
    severity, remedy = CODES[code]
    return {"code": code, "severity": severity, "subject": subject, "evidence": evidence, "remedy": remedy}


RESULT = {
    "findings": [
        finding("squatter", "optiinfra/postgres.sql", f"127.0.0.1:5432/tcp is held by {HOSTILE}"),
        finding("declared-silent", "optiinfra/redis.resp"),
        finding("undeclared-listener", "0.0.0.0:22/tcp"),
    ],
    "accepted": [{**finding("local-listener", "127.0.0.1:631/tcp"), "reason": "printing", "until": None}],
    "open_ports": [
        row(
            3000,
            container="optiinfra-grafana",
            project="optiinfra",
            service="grafana",
            declared="optiinfra/grafana.http",
        ),
        row(5432, process=HOSTILE, pid=7, user="root", declared="optiinfra/postgres.sql"),
        row(22, address="*", exposure="reachable", process="sshd", pid=1, user="root", firewall={"ipv4": "allowed"}),
    ],
    "unseen": [],
    "declared": [
        declared("grafana.http", 3000), declared("postgres.sql", 5432), declared("redis.resp", 6379),
        declared("qdrant.http", 6333),
    ],
}  # fmt: skip


@pytest.fixture(scope="module")
def stacks():
    return [load_stack("optiinfra")["definition"]]


@pytest.fixture
def report(stacks):
    results = {"b": RESULT, "a": {"msg": "Failed to connect to the host", "unreachable": True}}
    return views.document(results, {"b": stacks}, NOW)


def test_the_document_fits_its_schema_and_counts_right(report, root):
    schema = json.loads((root / "docs/schema/audit.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(report, schema, jsonschema.Draft202012Validator)
    assert report["summary"] == {
        "hosts": 2, "not_audited": 1, "open_ports": 3, "accepted": 1, "error": 2, "warning": 1, "info": 0,
    }  # fmt: skip
    broken = {**report, "hosts": [{**report["hosts"][1], "findings": [{"code": "x"}]}]}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(broken, schema, jsonschema.Draft202012Validator)


def test_services_have_the_state_of_their_ports(report):
    (stack,) = report["hosts"][1]["stacks"]
    states = {service["name"]: service["state"] for service in stack["services"]}
    assert len(states) == 19
    assert (states["grafana"], states["postgres"], states["redis"]) == ("served", "squatted", "silent")
    assert (states["qdrant"], states["data-collector-beat"]) == ("unknown", "portless")
    assert {one["id"]: one["state"] for one in report["hosts"][1]["endpoints"]} == {
        "optiinfra/grafana.http": "served", "optiinfra/postgres.sql": "squatted", "optiinfra/redis.resp": "silent",
        "optiinfra/qdrant.http": "unknown",
    }  # fmt: skip
    # A silent endpoint has a port as well: the one that nobody has.
    assert next(one["ports"] for one in stack["services"] if one["name"] == "redis") == [6379]


def test_the_page_is_whole_and_what_is_hostile_is_text(report, stacks):
    page = views.page(report, {"b": stacks})
    assert "<script>alert" not in page
    assert "&lt;/script&gt;" in page
    assert page.count("<script>") == 1
    for outside in ("http://", "https://", "src=", "@import"):
        assert outside not in page.replace("http://www.w3.org/2000/svg", "")
    assert page.count('class="box ') == 20
    assert 'class="box squatted" data-service="postgres"' in page
    assert "Failed to connect to the host" in page


def test_the_summary_is_a_line_a_host_the_worst_first(report):
    lines = views.summary(report)
    assert lines[0] == "b: 3 open ports; 2 error, 1 warning, 0 info; 1 accepted"
    assert lines[1] == "a: not audited: Failed to connect to the host"


def test_a_picture_has_a_box_for_every_service_and_none_covers_another(stacks):
    drawn = picture.draw(stacks[0])
    assert {one["name"] for one in drawn["boxes"]} == {*stacks[0]["services"], "customer"}
    assert len(drawn["lines"]) == sum(len(flow["steps"]) for flow in stacks[0]["x-flows"])
    for one in drawn["boxes"]:
        assert one["x"] + picture.WIDTH <= drawn["width"]
        assert one["y"] + picture.HEIGHT <= drawn["height"]
        for other in drawn["boxes"]:
            apart = abs(one["x"] - other["x"]) >= picture.WIDTH or abs(one["y"] - other["y"]) >= picture.HEIGHT
            assert one is other or apart


def test_a_stack_without_anything_of_ours_is_drawn_too():
    drawn = picture.draw({"name": "shop", "services": {"web": {}}})
    assert [(one["name"], one["state"]) for one in drawn["boxes"]] == [("web", "unknown")]


def test_the_markdown_has_tables_of_every_host_and_what_is_hostile_is_text(report, stacks):
    text = views.markdown(report, {"b": stacks})
    assert "| a | not audited | 0 | 0 | 0 | 0 |\n| b | 3 | 2 | 1 | 0 | 1 |" in text
    assert "## a\n\nIt was not audited: Failed to connect to the host" in text
    assert "| optiinfra-grafana | Metrics visualization dashboards | served |" in text
    assert "| \\*:22/tcp | sshd | - | allowed |" in text
    assert "| info | `local-listener` | 127.0.0.1:631/tcp | seen | printing |" in text
    assert "<script>" not in text.replace("\\<", "")


def test_metrics_and_completion_name_the_host():
    results = {"b": RESULT, "a": {"unreachable": True}}
    metrics = views.metrics(results, NOW)
    assert f'optiinfra_port_audit_timestamp_seconds{{host="b"}} {int(NOW.timestamp())}' in metrics
    assert 'optiinfra_port_audit_success{host="a"} 0' in metrics
    assert "['b/optiinfra/grafana.http']='3000 127.0.0.1:3000 tcp://127.0.0.1:3000'" in views.completion(results)
