"""The platform's services with their real stores, started once for all tests that need them."""

from __future__ import annotations

import json

from services import WORD, Platform, healthy, images, until

KINDS = {"vllm": "vllm", "chat": "chat", "dcgm": "dcgm", "prometheus": "federate"}
BAD = ("garbage", "endless", "silent")
TARGETS = [{"name": kind, "kind": kind, "url": f"http://customer:8100/{path}"} for kind, path in KINDS.items()]
TARGETS += [{"name": name, "kind": "vllm", "url": f"http://customer:8100/{name}"} for name in BAD]
IMAGES = ("postgres", "clickhouse", "redis", "qdrant", "orchestrator", "prometheus", "portal")
AGENTS = {"cost": 8001, "performance": 8002, "resource": 8003, "application": 8004}
# Tables as they were before there were migrations, with a row that must not be lost.
BEFORE = """
CREATE TABLE orchestrator_requests (id uuid PRIMARY KEY, created_at timestamptz NOT NULL DEFAULT now(),
    question text NOT NULL, status text NOT NULL, results jsonb NOT NULL);
INSERT INTO orchestrator_requests VALUES ('11111111-1111-1111-1111-111111111111', now(), 'old', 'complete', '[]')
RETURNING question
"""
AGENT_PORTS = {f"{kind}-agent": port for kind, port in AGENTS.items()}
JOBS = {"orchestrator": 8080, "data-collector": 8005, "portal": 3000, **AGENT_PORTS, "away": 9}
PORTAL = {"AUTH_SECRET": WORD * 2, "PORTAL_PASSWORD": WORD, "PORT_MAP": "/app/map.json"}


def _service(name, layer, port):
    endpoints = [{"name": f"{name}.http", "published": port, "target": port, "address": "127.0.0.1"}]
    return {"name": name, "title": name.title(), "layer": layer, "purpose": f"is {name}", "endpoints": endpoints}


MAP = {
    "name": "it",
    "title": "A platform for tests",
    "layers": {"agent": "Agents", "other": "Others"},
    "services": [_service(name, "agent" if name in AGENT_PORTS else "other", port) for name, port in JOBS.items()],
    "flows": [
        {
            "name": "Asking",
            "steps": [
                {"from": "customer", "to": "portal", "label": "request"},
                {"from": "portal", "to": "orchestrator", "label": "request"},
                {"from": "orchestrator", "to": "cost-agent", "label": "task"},
            ],
        }
    ],
}


def start():
    """Yield the platform, well and with everything registered."""
    with Platform(images(*IMAGES)) as found:
        found.start_stores()
        found.start_customer()
        assert until(lambda: found.sql(BEFORE, check=False) == "old")
        ours, targets = "ORCHESTRATOR_IMAGE", json.dumps(TARGETS)
        # All at once, so that they meet at the tables.
        found.start("orchestrator", ours, "optiinfra-orchestrator", REDIS_ADDR="redis:6379")
        for kind in AGENTS:
            url = f"redis://:{WORD}@redis:6379/1"
            found.start(f"{kind}-agent", ours, "optiinfra-agent", AGENT_TYPE=kind, REDIS_URL=url)
        for role in ("api", "worker", "beat"):
            name = "data-collector" + ("" if role == "api" else f"-{role}")
            found.start(name, ours, f"optiinfra-collector-{role}", OPTIINFRA_TARGETS=targets)
        jobs = [{"job_name": one, "static_configs": [{"targets": [f"{one}:{port}"]}]} for one, port in JOBS.items()]
        config = json.dumps({"global": {"scrape_interval": "2s", "scrape_timeout": "2s"}, "scrape_configs": jobs})
        command = ("--config.file=/prometheus.yml", "--storage.tsdb.path=/prometheus")
        found.start("prometheus", "PROMETHEUS_IMAGE", *command, files={"/prometheus.yml": config})
        found.start("portal", "PORTAL_IMAGE", files={"/app/map.json": json.dumps(MAP)}, **PORTAL)
        for service, port in {"orchestrator": 8080, "data-collector": 8005, **AGENT_PORTS}.items():
            healthy(found, service, port)
        healthy(found, "portal", 3000, "/api/health")
        yield found
