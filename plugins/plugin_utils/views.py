# Copyright: (c) 2026, The optiinfra.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Views of the audits of many hosts: one document (docs/schema/audit.schema.json), and what is made for people."""

from __future__ import annotations

import datetime
from pathlib import Path

from ansible_collections.optiinfra.platform.plugins.module_utils import _endpoints, _map, _metrics
from ansible_collections.optiinfra.platform.plugins.module_utils._markdown import code, plain, table, text
from ansible_collections.optiinfra.platform.plugins.module_utils._report import reachable_address, url
from ansible_collections.optiinfra.platform.plugins.plugin_utils import picture
from jinja2 import Environment, FileSystemLoader, StrictUndefined

SCHEMA = "optiinfra.platform/audit/1"
SEVERITIES = ("error", "warning", "info")
# Of a service that publishes nothing: whether it runs is no question of ports.
PORTLESS = "portless"
WORST = (*dict.fromkeys(_endpoints.STATES.values()), _endpoints.SERVED, _endpoints.UNKNOWN, PORTLESS)
EMPTY = ("findings", "accepted", "open_ports", "unseen", "endpoints", "stacks")


def _host(name, result, stacks):
    """Return a host's part of the document; one that could not be audited has a problem and nothing else."""
    if "open_ports" not in result:
        said = result.get("msg") or "it was not audited"
        return {"host": name, "problem": " ".join(str(said).split()), **{key: [] for key in EMPTY}}
    part = {key: result.get(key) or [] for key in EMPTY}
    states = _endpoints.states(result)
    part["endpoints"] = [
        {
            "id": a["id"],
            "stack": a["stack"],
            "service": a["service"],
            "address": reachable_address(a["host_ip"]),
            "port": a["published"],
            "target": a["target"],
            "protocol": a["protocol"],
            "url": url(a),
            "state": states[a["id"]],
        }
        for a in result.get("declared") or ()
    ]
    part["stacks"] = [_services(stack, result, states) for stack in stacks]
    return {"host": name, "problem": "", **part}


def _services(stack, result, states):
    """Return {name, title, services: [{name, state, ports}]} of a stack on a host."""
    found = {name: set() for name in stack["services"]}
    ports = {name: set() for name in stack["services"]}
    for a in result.get("declared") or ():
        if a["stack"] == stack["name"] and a["service"] in found:
            found[a["service"]].add(states[a["id"]])
            ports[a["service"]].add(a["published"])
    for row in result["open_ports"]:
        if row.get("project") == stack["name"] and row.get("service") in found:
            found[row["service"]].add(_endpoints.SERVED)
            ports[row["service"]].add(row["port"])
    return {
        "name": stack["name"],
        "title": _map.title_of(stack),
        "services": [
            {
                "name": name,
                "state": min(found[name] or {_unseen(service)}, key=WORST.index),
                "ports": sorted(ports[name]),
            }
            for name, service in stack["services"].items()
        ],
    }


def _unseen(service):
    """Return the state of a service of which no endpoint and no port was seen."""
    return _endpoints.UNKNOWN if (service or {}).get("ports") else PORTLESS


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


def markdown(report, stacks):
    """Return a document as Markdown.

    :arg stacks: as for ``document``
    """
    rows = [
        (
            host["host"],
            len(host["open_ports"]) if not host["problem"] else "not audited",
            *(_count(host, severity) for severity in SEVERITIES),
            len(host["accepted"]),
        )
        for host in report["hosts"]
    ]
    head = table(("Host", "Open ports", "Errors", "Warnings", "Notes", "Accepted"), rows)
    parts = ["# Port audit", report["generated"], head]
    for host in report["hosts"]:
        parts += _host_markdown(host, stacks.get(host["host"]) or [])
    return "\n\n".join(parts) + "\n"


def _host_markdown(host, stacks):
    """Yield the parts of a host's chapter."""
    yield f"## {text(host['host'])}"
    if host["problem"]:
        yield f"It was not audited: {text(host['problem'])}"
        return
    for line in host["unseen"]:
        yield f"Not seen: {text(line)}"
    for title, key, more in (("Findings", "findings", "remedy"), ("Accepted", "accepted", "reason")):
        if host[key]:
            rows = [
                (f["severity"], code(f["code"]), f["subject"], f["evidence"], f.get(more) or "-") for f in host[key]
            ]
            headings = ("Severity", "Code", "About", "Seen", "What to do" if more == "remedy" else "Reason")
            yield f"### {title}\n\n{table(headings, rows)}"
    assignments = [{**one, "published": one["port"]} for one in host["endpoints"]]
    for stack, seen in zip(stacks, host["stacks"], strict=False):
        states = {service["name"]: service["state"] for service in seen["services"]}
        yield f"### {plain(seen['title'])}\n\n{_map.services(stack, assignments, states)}"
    if host["endpoints"]:
        rows = [(one["id"], one["port"], code(one["url"]), one["state"]) for one in host["endpoints"]]
        yield f"### Endpoints\n\n{table(('Endpoint', 'Port', 'URL on the host', 'State'), rows)}"
    if host["open_ports"]:
        rows = [
            (
                f"{row['address']}:{row['port']}/{row['protocol']}",
                f"container {row['container']}" if row.get("container") else row.get("process") or "not seen",
                row.get("declared") or "-",
                _from_outside(row),
            )
            for row in host["open_ports"]
        ]
        yield f"### Open ports\n\n{table(('Open', 'Owner', 'Declared as', 'From outside'), rows)}"


def _from_outside(row):
    """Say whether a port is reached from outside, by family where they differ."""
    verdict = row.get("firewall") or {}
    found = dict.fromkeys(verdict[key] for key in ("ipv4", "ipv6") if verdict.get(key) not in (None, "none"))
    return "loopback" if row["exposure"] == "loopback" else " / ".join(found) or row["exposure"]


def metrics(results, now=None):
    """Return the audits of all hosts as metrics for Prometheus.

    :arg results: as for ``document``
    """
    moment = (now or datetime.datetime.now(datetime.timezone.utc)).timestamp()
    return _metrics.exposition({h: {**result, "audit_timestamp_seconds": int(moment)} for h, result in results.items()})


def completion(results):
    """Return the endpoints of all hosts for bash, as ``host/stack/service.name``.

    :arg results: as for ``document``
    """
    return _endpoints.completion(
        [{**a, "host": host} for host, result in sorted(results.items()) for a in result.get("declared") or ()]
    )


def _count(host, severity):
    return sum(finding["severity"] == severity for finding in host["findings"])
