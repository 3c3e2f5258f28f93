# Copyright: (c) 2026, The optiinfra.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Views of the audits of many hosts: one JSON document (docs/schema/audit.schema.json) and one HTML page made of it."""

from __future__ import annotations

import datetime
from pathlib import Path

from ansible_collections.optiinfra.platform.plugins.plugin_utils import picture
from jinja2 import Environment, FileSystemLoader, StrictUndefined

SCHEMA = "optiinfra.platform/audit/1"
SEVERITIES = ("error", "warning", "info")
# What a finding says of the state of the service that it is about, the worst first.
STATES = {"squatter": "squatted", "wider-exposure": "wider", "firewall-bypassed": "wider", "declared-silent": "silent"}


def _host(name, result, stacks):
    """Return a host's part of the document; one that could not be audited has a problem and nothing else."""
    if "open_ports" not in result:
        said = result.get("msg") or "it was not audited"
        return {"host": name, "problem": " ".join(str(said).split()), "findings": [], "accepted": [], "open_ports": [],
                "unseen": [], "stacks": []}  # fmt: skip
    part = {key: result.get(key) or [] for key in ("findings", "accepted", "open_ports", "unseen")}
    return {"host": name, "problem": "", **part, "stacks": [_states(stack, part) for stack in stacks]}


def _states(stack, part):
    """Return {name, title, services: [{name, state, ports}]} of a stack on a host."""
    states, ports = {}, {}
    for row in part["open_ports"]:
        if row.get("project") == stack["name"] and row.get("service") in stack["services"]:
            states[row["service"]] = "served"
            ports.setdefault(row["service"], set()).add(row["port"])
    worst = list(STATES.values())
    for finding in part["findings"]:
        service = finding["subject"].partition("/")[2].rpartition(".")[0]
        if finding["subject"].startswith(stack["name"] + "/") and finding["code"] in STATES:
            found = STATES[finding["code"]]
            if states.get(service) not in worst or worst.index(found) < worst.index(states[service]):
                states[service] = found
    return {
        "name": stack["name"],
        "title": (stack.get("x-catalog") or {}).get("title") or stack["name"],
        "services": [
            {"name": name, "state": states.get(name, "unknown"), "ports": sorted(ports.get(name, ()))}
            for name in stack["services"]
        ],
    }


def document(results, stacks, now=None):
    """Return the audits of all hosts as one document.

    :arg results: {host: what port_audit returned there, or its failure}
    :arg stacks: {host: [stack as the lookup returns it]} of the stacks to draw
    """
    hosts = [_host(name, result, stacks.get(name) or []) for name, result in sorted(results.items())]
    counts = dict.fromkeys(SEVERITIES, 0)
    for host in hosts:
        for finding in host["findings"]:
            counts[finding["severity"]] += 1
    moment = now or datetime.datetime.now(datetime.timezone.utc)
    return {
        "schema": SCHEMA,
        "generated": moment.replace(microsecond=0).isoformat(),
        "summary": {
            "hosts": len(hosts),
            "not_audited": sum(bool(host["problem"]) for host in hosts),
            "open_ports": sum(len(host["open_ports"]) for host in hosts),
            "accepted": sum(len(host["accepted"]) for host in hosts),
            **counts,
        },
        "hosts": hosts,
    }


def page(report, stacks):
    """Return a document as a page that needs nothing but a browser.

    :arg stacks: as for ``document``
    """
    pictures = {}
    for host in report["hosts"]:
        drawn = []
        for stack, seen in zip(stacks.get(host["host"]) or [], host["stacks"], strict=False):
            states = {service["name"]: service["state"] for service in seen["services"]}
            ports = {service["name"]: service["ports"] for service in seen["services"]}
            drawn.append(picture.draw(stack, states, ports))
        pictures[host["host"]] = drawn
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    return environment.get_template("audit.html.j2").render(report=report, pictures=pictures, box=picture)


def summary(report):
    """Return the lines that a terminal is told: what was found, a host a line, the worst first."""
    lines = []
    for host in sorted(report["hosts"], key=lambda one: [-_count(one, severity) for severity in SEVERITIES]):
        if host["problem"]:
            lines.append(f"{host['host']}: not audited: {host['problem'][:200]}")
            continue
        found = ", ".join(f"{_count(host, severity)} {severity}" for severity in SEVERITIES)
        lines.append(f"{host['host']}: {len(host['open_ports'])} open ports; {found}; {len(host['accepted'])} accepted")
    return lines


def _count(host, severity):
    return sum(finding["severity"] == severity for finding in host["findings"])
