"""Auditing a source tree of 2,000 files, and how the time grows with the tree."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / ".collections"))

from ansible_collections.optiinfra.platform.plugins.plugin_utils.lint import audit

COMPOSE = """services:
{services}
  db:
    image: postgres:16
    ports: ["127.0.0.1:{db}:5432"]
    healthcheck: {{test: ["CMD-SHELL", "pg_isready -U app"]}}
"""
SERVICE = """  web{number}:
    build: .
    environment:
      PORT: "3000"
      DATABASE_URL: postgres://app:secret@db:5432/app
      API_URL: http://web{other}:3000
    ports:
      - "{port}:3000"
    healthcheck:
      test: ["CMD", "curl", "-f", "http://localhost:3000/health"]
"""
NGINX = "upstream web {{ server web0:3000; }}\nserver {{\n  listen 80;\n  location / {{ proxy_pass http://web; }}\n}}\n"
PROMETHEUS = "scrape_configs:\n  - job_name: web\n    static_configs:\n      - targets: [{targets}]\n"
KUBERNETES = """apiVersion: apps/v1
kind: Deployment
metadata: {{name: web{n}}}
spec:
  template:
    metadata: {{labels: {{app: web{n}}}}}
    spec:
      containers: [{{name: web, image: web, ports: [{{name: http, containerPort: 3000}}]}}]
---
apiVersion: v1
kind: Service
metadata: {{name: web{n}}}
spec: {{selector: {{app: web{n}}}, ports: [{{port: 80, targetPort: http}}]}}
"""
CODE = "def function_{n}(value):\n    return value + {n}\n\n\n" * 40


def project(folder, number):
    """Write ten files of a project: seven that are looked at and parsed, and three that are not."""
    first = 10000 + number * 10
    names = range(8)
    services = "".join(SERVICE.format(number=n, other=(n + 1) % 8, port=first + n) for n in names)
    rows = "".join(f"| web{n} | {first + n} |\n" for n in names)
    files = {
        "docker-compose.yml": COMPOSE.format(services=services, db=first + 9),
        ".env.example": "".join(f"SETTING_{n}={n}\n" for n in range(30)),
        "Dockerfile": "FROM node:22\nENV PORT=3000\nEXPOSE 3000\nHEALTHCHECK CMD curl http://localhost:3000/\n",
        "nginx.conf": NGINX.format(),
        "prometheus.yml": PROMETHEUS.format(targets=", ".join(f"'web{n}:3000'" for n in names)),
        "k8s/web.yaml": KUBERNETES.format(n=number),
        "README.md": f"# Project {number}\n\n| Service | Port |\n|---|---|\n{rows}\n" + "Text about it.\n" * 100,
        "src/main.py": CODE.format(n=number),
        "src/other.py": CODE.format(n=number),
        "settings.yaml": "".join(f"key{n}: [1, 2, {{a: b}}]\n" for n in range(60)),
    }
    for name, text in files.items():
        path = folder / f"project{number}" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return len(files)


def main():
    print(f"{'files':>6} {'parsed':>7} {'findings':>9} {'seconds':>8} {'files/s':>8} {'growth':>7}")
    before = None
    for projects in (20, 60, 200):
        with tempfile.TemporaryDirectory() as folder:
            written = sum(project(Path(folder), number) for number in range(projects))
            seconds, result = None, None
            for _round in range(3):
                begin = time.perf_counter()
                result = audit.lint([folder], folder)
                taken = time.perf_counter() - begin
                seconds = taken if seconds is None else min(seconds, taken)
        growth = f"x{seconds / before:.1f}" if before else ""
        parsed, findings = sum(result["files"].values()), len(result["findings"])
        print(f"{written:6} {parsed:7} {findings:9} {seconds:8.3f} {written / seconds:8.0f} {growth:>7}")
        before = seconds


if __name__ == "__main__":
    main()
