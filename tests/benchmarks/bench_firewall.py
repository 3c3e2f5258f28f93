"""50 allow rules for a new host: our firewall module against a loop of community.general.ufw; then runs without change.

Both act on hosts of their own: containers with ufw and a network namespace, made and removed here.

    python tests/benchmarks/bench_firewall.py [RUNS]
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import uuid

from common import CHECKOUT, playbook

RULES = 50
ASSIGNMENTS = [
    {
        "id": f"bench/web.p{port}",
        "stack": "bench",
        "service": "web",
        "endpoint": f"web.p{port}",
        "published": port,
        "target": 80,
        "host_ip": "",
        "protocol": "tcp",
        "exposure": "public",
    }
    for port in range(8100, 8100 + RULES)
]
OURS = f"""
- hosts: all
  gather_facts: false
  tasks:
    - optiinfra.platform.firewall:
        ssh_ports: [22]
        assignments: {json.dumps(ASSIGNMENTS)}
"""
LOOP = f"""
- hosts: all
  gather_facts: false
  tasks:
    - community.general.ufw: {{rule: allow, port: 22, proto: tcp}}
    - community.general.ufw: {{rule: allow, port: "{{{{ item }}}}", proto: tcp, comment: "bench {{{{ item }}}}"}}
      loop: "{{{{ range(8100, {8100 + RULES}) | list }}}}"
    - community.general.ufw: {{state: enabled, policy: deny, direction: incoming}}
"""
NOTHING = """
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.command: "true"
"""


def docker(*words: str) -> str:
    return subprocess.run(["docker", *words], check=True, capture_output=True, text=True).stdout.strip()


class Host:
    """A container that is a host with its own firewall; gone at the end."""

    def __enter__(self) -> str:
        made = subprocess.run([CHECKOUT / "tests/ci/molecule-images.sh"], check=True, capture_output=True, text=True)
        self.name = "it-bench-" + uuid.uuid4().hex[:8]
        image = json.loads(made.stdout)["debian12"]
        docker("run", "--detach", "--init", "--cap-add", "NET_ADMIN", "--name", self.name, image, "sleep", "infinity")
        return f"{self.name} ansible_connection=community.docker.docker ansible_python_interpreter=/usr/bin/python3\n"

    def __exit__(self, *_error) -> None:
        docker("rm", "--force", "--volumes", self.name)


def measure(text: str) -> tuple[float, float]:
    """Return the seconds of a first run on a new host and of a run without change."""
    with Host() as inventory:
        return playbook(text, inventory), playbook(text, inventory)


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    with Host() as inventory:
        bare = statistics.median(playbook(NOTHING, inventory) for _run in range(runs))
    ours, loop = [], []
    for _run in range(runs):
        ours.append(measure(OURS))
        loop.append(measure(LOOP))
    print(f"{RULES} rules, whole plays, medians of {runs} runs, seconds (a play with one command: {bare:.2f})")
    print(f"{'':>12} {'firewall':>9} {'ufw loop':>9} {'ratio':>6} {'without the play itself':>25}")
    for index, title in enumerate(("first run", "no change")):
        one, other = (statistics.median(found[index] for found in several) for several in (ours, loop))
        net = f"{(other - bare) / max(one - bare, 0.01):.0f}"
        print(f"{title:>12} {one:>9.2f} {other:>9.2f} {other / one:>6.1f} {net:>25}")


if __name__ == "__main__":
    main()
