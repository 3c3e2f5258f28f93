"""A run that changes nothing: site.yml against `docker compose up -d --wait` on the same project.

Needs the platform to be running (make up).

    python tests/benchmarks/bench_site.py [RUNS]
"""

from __future__ import annotations

import sys
from pathlib import Path

from common import alternate, command

PROJECT = Path("/etc/optiinfra/optiinfra")


def main() -> None:
    if not (PROJECT / "compose.yaml").exists():
        sys.exit(f"{PROJECT}/compose.yaml: not there; run make up first")
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    site, compose = alternate(
        runs,
        lambda: command("ansible-playbook", "site.yml"),
        lambda: command("docker", "compose", "up", "-d", "--wait", cwd=PROJECT),
    )
    print(f"no-change run, medians of {runs} runs, seconds")
    print(f"site.yml {site:.2f}   docker compose up -d --wait {compose:.2f}   beyond compose {site - compose:.2f}")


if __name__ == "__main__":
    main()
