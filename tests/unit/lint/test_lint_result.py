"""What comes out: ranking, report, accepted findings, baseline, SARIF, the page of codes, and this repository."""

from __future__ import annotations

import json

import jsonschema
import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.optiinfra.platform.plugins.filter.lint import to_sarif
from ansible_collections.optiinfra.platform.plugins.module_utils._stack import StackError
from ansible_collections.optiinfra.platform.plugins.plugin_utils.lint import audit, baseline, codes, sarif

TREE = {
    "a b/compose.yaml": """services:
  db:
    image: postgres
    ports: ["5432:5432"]
  cache:
    image: redis
    ports:
      - "6379:6379" # port-lint: ignore=store-exposed a firewall stands before it
  web:
    image: example/web
    ports: ["8080:80"]
  api:
    image: example/api
    ports: ["8080:8000"]
    healthcheck: {test: "curl http://localhost:9999"}
""",
}
STORE = {"code": "store-exposed", "file": "a b/compose.yaml", "subject": "db: 5432"}


def test_the_most_severe_comes_first_with_all_its_keys(lint):
    found = lint(TREE)["findings"]
    assert [f["severity"] for f in found] == ["error", "warning", "info"]
    assert found[0] == {
        "code": "port-clash",
        "severity": "error",
        "file": "a b/compose.yaml",
        "line": 14,
        "subject": "web and api: 8080/tcp",
        "evidence": "both publish *:8080/tcp",
        "remedy": codes.CODES["port-clash"].remedy,
        "related": [{"file": "a b/compose.yaml", "line": 11}],
    }


def test_report_has_a_line_for_each_above_info_and_what_to_do_once(lint):
    lines = audit.report(lint(TREE))
    assert lines[0].startswith(
        "error    port-clash     a b/compose.yaml:14: web and api: 8080/tcp: both publish *:8080"
    )
    assert lines[1].startswith("warning  store-exposed  a b/compose.yaml:4: db: 5432: published on *:5432;")
    assert lines[2:4] == [f"{code}: {codes.CODES[code].remedy}." for code in ("port-clash", "store-exposed")]
    assert lines[4] == "files: 1; errors: 1, warnings: 1, notes: 1, accepted: 0, ignored: 1"


def test_a_bug_of_ours_is_a_finding_and_hides_nothing(lint, monkeypatch):
    def broken(*_arguments):
        raise ZeroDivisionError("oops")

    monkeypatch.setattr(audit, "RULES", (broken, *audit.RULES))
    monkeypatch.setitem(audit._PARSERS, "dockerfile", ("stages", broken))
    result = lint({**TREE, "Dockerfile": "FROM x\n"})
    assert {f["code"] for f in result["findings"]} == {"unreadable", "port-clash", "store-exposed", "health-port"}
    evidence = [f["evidence"] for f in result["findings"] if f["code"] == "unreadable"]
    assert sorted(evidence) == [
        "not understood (ZeroDivisionError); please report it with the file",
        "the rule test_lint_result.broken failed (ZeroDivisionError: oops); please report it",
    ]


def test_a_shared_anchor_is_one_finding(lint):
    text = """x-env: &env
  URL: postgres://db:5433/x
services:
  a: {image: x, environment: *env}
  b: {image: x, environment: *env}
  db: {image: postgres, ports: ["127.0.0.1:5433:5432"]}
"""
    assert [(f["line"], f["subject"]) for f in lint({"compose.yaml": text})["findings"]] == [(2, "a.URL")]


def test_secrets_are_in_no_finding(lint):
    url = "postgres://app:hunter2@x@db:9/x"
    text = (
        f"services:\n  a: {{image: x, environment: {{U: '{url}'}}}}\n  db: {{image: 'postgres', ports: ['9:5432']}}\n"
    )
    result = lint({"compose.yaml": text, ".env": "U=redis://:hunter2@localhost:1/0\n"})
    assert result["findings"]
    assert "hunter2" not in json.dumps(result)


@pytest.mark.parametrize(
    ("item", "accepted"),
    [
        (STORE, True),
        ({"code": "store-exposed", "subject": "db: 5432"}, True),
        ({"code": "store-exposed", "subject": "db: *"}, True),
        ({**STORE, "until": "2026-06-30"}, True),
        ({**STORE, "until": "2026-06-29"}, False),
        ({**STORE, "file": "other"}, False),
        ({**STORE, "subject": "db"}, False),
        ({"code": "port-clash", "subject": "db: 5432"}, False),
    ],
)
def test_accepted_findings(lint, item, accepted):
    items = baseline.checked([{**item, "reason": "known"}])
    result = lint(TREE, accept=items, today="2026-06-30")
    assert ("store-exposed" in [f["code"] for f in result["accepted"]]) is accepted
    assert ("store-exposed" in [f["code"] for f in result["findings"]]) is not accepted
    assert all(f["reason"] == "known" for f in result["accepted"])


def written(tmp_path, text):
    (tmp_path / "baseline.yml").write_text(text)
    return baseline.read(tmp_path / "baseline.yml")


def test_a_baseline_hides_what_there_is_and_keeps_what_is_used(lint, tmp_path):
    known, _lines = written(
        tmp_path, baseline.text_of([{**STORE, "reason": "old"}, {**STORE, "file": "b", "reason": "x"}])
    )
    result = lint(TREE, accept=known)
    text = baseline.text_of(baseline.updated(known, result["accepted"] + result["findings"]))
    items, lines = written(tmp_path, text)
    assert [(item["code"], item["reason"]) for item in items] == [
        ("store-exposed", "old"),
        ("health-port", "there when the baseline was written"),
        ("port-clash", "there when the baseline was written"),
    ]
    assert lines == [2, 6, 10]
    again = lint(TREE, accept=items)
    assert again["findings"] == []
    assert baseline.text_of(baseline.updated(items, again["accepted"])) == text


def test_entries_that_are_over_or_unused_are_findings_with_their_line(lint, tmp_path):
    text = """accept:
  - {code: store-exposed, subject: "db: 5432", until: 2026-06-29, reason: soon}
  - code: doc-port
    subject: "*"
    reason: gone
"""
    entries, lines = written(tmp_path, text)
    result = lint(TREE, accept=entries, today="2026-06-30")
    found = audit.about_baseline("b.yml", entries, lines, result["unneeded"])
    assert [(f["code"], f["file"], f["line"], f["subject"]) for f in found] == [
        ("acceptance-expired", "b.yml", 2, "store-exposed: db: 5432"),
        ("acceptance-unused", "b.yml", 3, "doc-port: *"),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{}", ""),
        ("", ""),
        ("accept: 1", "a list of findings is expected, not int"),
        ("[x]", "[0]: 'x'"),
        ("[{file: x}]", "[0].code: None is not one of"),
        ("[{code: x}]", "[0].code: 'x' is not one of"),
        ("[{code: doc-port, subject: x, untl: 1}]", "[0].untl: there is code, subject, until, reason, file"),
        ("[{code: doc-port}]", "[0].subject: None is no subject"),
        ("[{code: doc-port, subject: x, until: soon}]", "[0].until: 'soon' is no day"),
        ("[{code: doc-port, subject: x}]", "[0].reason: missing"),
        ("a: [", "is not YAML"),
        ("\0", "is not YAML"),
    ],
)
def test_bad_baselines_are_named(tmp_path, text, message):
    if not message:
        assert written(tmp_path, text) == ([], [])
        return
    with pytest.raises(StackError) as caught:
        written(tmp_path, text)
    assert message in str(caught.value)
    assert "baseline.yml" in str(caught.value)


def test_baselines_that_cannot_be_read_are_named(tmp_path):
    with pytest.raises(StackError, match="there is no file"):
        baseline.read(tmp_path / "nowhere.yml")
    (tmp_path / "latin.yml").write_bytes(b"\xff\xfe")
    with pytest.raises(StackError, match="cannot be read"):
        baseline.read(tmp_path / "latin.yml")


TEXT = {"type": "object", "required": ["text"], "properties": {"text": {"type": "string", "minLength": 1}}}
LEVEL = {"enum": ["none", "note", "warning", "error"]}
LOCATION = {
    "type": "object",
    "required": ["physicalLocation"],
    "properties": {
        "physicalLocation": {
            "type": "object",
            "required": ["artifactLocation", "region"],
            "properties": {
                "artifactLocation": {
                    "type": "object",
                    "required": ["uri"],
                    "additionalProperties": False,
                    "properties": {
                        # Relative, encoded, with slashes.
                        "uri": {"type": "string", "pattern": r"^(?![a-z]+:)[A-Za-z0-9._~!$&'()*+,;=:@%-][^ \\]*$"},
                        "uriBaseId": {"type": "string"},
                    },
                },
                "region": {
                    "type": "object",
                    "required": ["startLine"],
                    "additionalProperties": False,
                    "properties": {"startLine": {"type": "integer", "minimum": 1}},
                },
            },
        }
    },
}
# What sections 3.13 to 3.35 of SARIF 2.1.0 require of the parts that are written.
SARIF = {
    "type": "object",
    "required": ["version", "runs"],
    "additionalProperties": False,
    "properties": {
        "$schema": {"type": "string", "format": "uri"},
        "version": {"const": "2.1.0"},
        "runs": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["tool", "results"],
                "properties": {
                    "columnKind": {"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
                    "tool": {
                        "type": "object",
                        "required": ["driver"],
                        "properties": {
                            "driver": {
                                "type": "object",
                                "required": ["name"],
                                "properties": {
                                    "rules": {
                                        "type": "array",
                                        "uniqueItems": True,
                                        "items": {
                                            "type": "object",
                                            "required": ["id", "shortDescription", "help", "defaultConfiguration"],
                                            "properties": {
                                                "id": {"type": "string"},
                                                "shortDescription": TEXT,
                                                "help": TEXT,
                                                "defaultConfiguration": {"properties": {"level": LEVEL}},
                                            },
                                        },
                                    }
                                },
                            }
                        },
                    },
                    "results": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "required": ["message", "ruleId", "ruleIndex", "level", "locations"],
                            "properties": {
                                "message": TEXT,
                                "level": LEVEL,
                                "ruleIndex": {"type": "integer", "minimum": 0},
                                "locations": {"type": "array", "minItems": 1, "items": LOCATION},
                                "relatedLocations": {"type": "array", "minItems": 1, "items": LOCATION},
                                "partialFingerprints": {
                                    "type": "object",
                                    "additionalProperties": {"type": "string"},
                                },
                                "suppressions": {
                                    "type": "array",
                                    "items": {
                                        "type": "object",
                                        "required": ["kind"],
                                        "properties": {"kind": {"enum": ["inSource", "external"]}},
                                    },
                                },
                            },
                        },
                    },
                },
            },
        },
    },
}


def test_sarif_has_the_required_structure(lint):
    result = lint(TREE, accept=[{"code": "health-port", "subject": "*", "reason": "a sidecar"}])
    log = sarif.to_sarif(result)
    jsonschema.validate(log, SARIF)
    (run,) = log["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == list(codes.CODES)
    assert all(rules[item["ruleIndex"]]["id"] == item["ruleId"] for item in run["results"])
    assert [item["level"] for item in run["results"]] == ["error", "warning", "warning", "note"]
    first = run["results"][0]["locations"][0]["physicalLocation"]
    assert first["artifactLocation"] == {"uri": "a%20b/compose.yaml", "uriBaseId": "%SRCROOT%"}
    assert first["region"] == {"startLine": 14}
    assert [[s["kind"] for s in item.get("suppressions", [])] for item in run["results"]] == [
        [],
        [],
        ["inSource"],
        ["external"],
    ]
    assert run["results"][3]["suppressions"][0]["justification"] == "a sidecar"
    assert json.loads(json.dumps(log)) == log


def test_sarif_fingerprints_stay_when_lines_move(lint):
    def prints(tree):
        results = sarif.to_sarif(lint(tree))["runs"][0]["results"]
        return [item["partialFingerprints"]["portLint/v1"] for item in results]

    before = prints(TREE)
    assert len(set(before)) == len(before)
    assert prints({name: "# a comment\n\n" + text for name, text in TREE.items()}) == before


@pytest.mark.parametrize("value", [None, [], {}, {"findings": None}, {"findings": [{}]}, {"findings": [1]}])
def test_the_filter_refuses_what_is_no_result(value):
    with pytest.raises(AnsibleFilterError, match="to_sarif"):
        to_sarif(value)


def test_the_filter_takes_a_result(lint):
    result = lint(TREE)
    assert to_sarif(result) == sarif.to_sarif(result)


def test_the_page_of_codes_is_current(root):
    page = (root / "docs" / "port-lint.md").read_text()
    assert codes.markdown_table() in page


PORT_DOCUMENT = """# Port Mapping

**Status:** Production - 20 Services Running

## Table 1: OptiInfra Platform Services (20 Services)

| # | Layer | Service | Port(s) | Container Name | Purpose |
|---|-------|---------|---------|----------------|---------|
| 1 | **Collection** | Data Collector API | 8005 | optiinfra-collector | API |
| 2 | **Collection** | Data Collector Worker 1 | - | optiinfra-data-collector-beat | Scheduler |
| 3 | **Collection** | Data Collector Worker 2 | - | optiinfra-data-collector (worker) | Worker |
| 4 | **Storage** | PostgreSQL | 5432 | optiinfra-postgres | Database |
| 5 | **Storage** | ClickHouse | 8123, 9000 | optiinfra-clickhouse | Metrics |
| 6 | **Storage** | Qdrant | 6333, 6334 | optiinfra-qdrant | Vectors |
| 7 | **Orchestration** | Orchestrator | 8080 | optiinfra-orchestrator | Agents |
| 8 | **Agent** | Cost Agent | 8001 | optiinfra-cost-agent | Cost |
| 9 | **Agent** | Performance Agent | 8002 | optiinfra-performance-agent | Tuning |
| 10 | **Agent** | Resource Agent | 8003 | optiinfra-resource-agent | Resources |
| 11 | **Agent** | Application Agent | 8004 | optiinfra-application-agent | Quality |
| 12 | **Monitoring** | Prometheus | 9090 | optiinfra-prometheus | Metrics |
| 13 | **Workflow** | Flower (Celery Monitor) | 5555 | optiinfra-flower | Tasks |
| 14 | **Network** | OptiInfra Network | - | optiinfra | Network |

**Total Services:** 20 containers

## Table 2: Vultr Demo Application

| # | Service | Internal Port | External Port | Container Name |
|---|---------|---------------|---------------|----------------|
| 1 | **vLLM Server** | 8000 | **8100** | vllm-server |
| 2 | **Chat API** | 8080 | **8200** | chat-api |
| 3 | **Prometheus** | 9090 | **9091** | prometheus-demo |
| 4 | **DCGM Exporter** | 9400 | **9401** | dcgm-exporter |
| 5 | **Locust** | 8089 | **8090** | locust |

**Total Services:** 5 containers

### OptiInfra Platform:
- **Unique Ports:** 19 ports
- **Layers:** 6 (Collection, Storage, Orchestration, Agent, Monitoring, Portal)

### Combined:
- **Total Containers:** 25
- **Total Unique Ports:** 24 ports

### Monitoring Layer (4 services)
- 9090 - Prometheus
- 5555 - Flower
"""
GATEWAY_DOCUMENT = """Service Port Assignments

Service Port Purpose Configuration File
Node.js API Gateway 13100 Primary API server src/server.js
Go Backend API 8080 Distributed inference API config.go
Go Backend Web 8081 Web interface quickstart.go
Ollama Engine 11434 Model serving Docker config
Grafana 3001 Monitoring dashboards docker-compose.yml

PORT=13100
API_PORT=13100
GO_API_PORT=11434
OLLAMA_NODES=http://localhost:11434

ollamamax-api:
  ports:
    - "13100:13100"  # API server
    - "3000:3000"    # Web interface

grafana:
  ports:
    - "3001:3000"
"""


def test_what_the_port_documents_say_wrong_is_found_and_nothing_else(lint, root):
    files = {"ports.md": PORT_DOCUMENT, "gateway.md": GATEWAY_DOCUMENT}
    for stack in ("optiinfra", "vultr_demo", "ollamamax"):
        files[f"{stack}/compose.yaml"] = (root / "roles" / stack / "files" / "compose.yaml").read_text()
    found = lint(files)["findings"]
    assert {(f["code"], f["subject"]) for f in found if f["severity"] != "info"} == {
        ("doc-count", "20 Services Running"),
        ("doc-count", "(20 Services)"),
        ("doc-count", "Total Services: 20"),
        ("doc-count", "Layers: 6"),
        ("doc-count", "Total Containers: 25"),
        ("doc-count", "(4 services)"),
        ("doc-container", "Data Collector Worker 1: optiinfra-data-collector-beat"),
        ("doc-container", "optiinfra-data-collector (worker)"),
        ("doc-container", "optiinfra"),
        ("doc-variable", "GO_API_PORT=11434"),
    }
    evidence = {f["subject"]: f["evidence"] for f in found}
    assert evidence["(20 Services)"] == "the files have OptiInfra Platform: 19"
    assert evidence["Total Containers: 25"] == "the files have all: 24"
    assert evidence["Layers: 6"] == "the files have OptiInfra Platform: 7"
    assert evidence["optiinfra"] == "it is a network, not a container (optiinfra)"
    shared = {f["subject"] for f in found if f["code"] == "port-shared"}
    assert shared == {f"{port}/tcp" for port in (3000, 3001, 5432, 6379, 8080, 9090)}
    assert [f["subject"] for f in found if f["code"] == "doc-layer"] == ["Flower"]
    notes = {"port-shared", "doc-layer", "doc-clash", "doc-missing"}
    assert {f["code"] for f in found if f["severity"] == "info"} == notes


def test_this_repository_has_no_false_finding(root):
    result = audit.lint([str(root)], str(root))
    # The three stacks want some of the same ports, which is true, and what port_plan is for.
    assert {f["code"] for f in result["findings"]} <= {"port-shared"}, result["findings"]
    assert all("port_plan moves one" in f["evidence"] for f in result["findings"])
    assert result["skipped"] == []
    assert result["files"]["compose"] >= 4
    assert result["files"]["markdown"] >= 9
