# Copyright: (c) 2026, The optiinfra.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is open on a host, joined with what is declared, as findings. Pure functions over a view of the host."""

from __future__ import annotations

from ._binding import is_loopback, overlap, wider
from ._judge import PROXIES, binding_of

SEVERITIES = ("info", "warning", "error")
# code -> (severity, remedy)
CODES = {
    "squatter": ("error", "Stop it, or plan the endpoint elsewhere with overrides"),
    "declared-silent": ("error", "Deploy the stack again, and look at the container's log"),
    "unhealthy": ("error", "Look at the container's log"),
    "wider-exposure": ("error", "Deploy the stack again; until then guard the port in the firewall"),
    "undeclared-published": ("error", "Declare the port in the stack file, or do not publish it"),
    "stack-not-running": ("warning", "Deploy the stack, or release its ports with port_plan state=absent"),
    "undeclared-listener": ("warning", "Declare it, stop it, or accept it"),
    "ephemeral-port": ("warning", "Reserve it in net.ipv4.ip_local_reserved_ports, or plan another port"),
    "local-listener": ("info", "Nothing, if you know it"),
    "stand-in": ("info", "Give the service's own image, see the role images"),
}


class Open(dict):
    """An open port as a row of the report, with its Binding and Container for the judgement."""

    def __init__(self, binding, container=None, process=None):
        super().__init__(
            address=binding.address or "*",
            port=binding.port,
            protocol=binding.protocol,
            exposure="loopback" if is_loopback(binding.address) else "reachable",
            process=process.name if process else "",
            pid=process.pid if process else None,
            user=process.user if process else "",
            command=process.command[:200] if process else "",
            unit=process.unit if process else "",
            container=container.name if container else "",
            project=container.project if container else "",
            service=container.service if container else "",
            declared="",
        )
        self.binding = binding
        self.of = container

    @property
    def owner(self):
        """Say who it is."""
        if self["container"]:
            return "container {0}".format(self["container"])
        if self["pid"]:
            unit = ", unit {0}".format(self["unit"]) if self["unit"] else ""
            return "{0} (pid {1}, user {2}{3})".format(self["process"], self["pid"], self["user"], unit)
        return "a process that this user may not see"


def open_ports(view):
    """Return [Open]: every listener and every published port of the host, once each, in order of port."""
    by_id = {container.id: container for container in view.containers}
    rows = [Open(p.binding, container) for container in view.containers for p in container.published]
    published = {row.binding[:3] for row in rows}
    owners = view.owners([listener.inode for listener in view.listeners])
    for listener in view.listeners:
        process = owners.get(listener.inode)
        if listener.binding[:3] in published and (process is None or process.name in PROXIES):
            continue
        container = by_id.get(process.container) if process and process.container else None
        rows.append(Open(listener.binding, container, process))
    unique = {(row.binding[:3], row["pid"], row["container"]): row for row in rows}
    return sorted(unique.values(), key=lambda row: (row["port"], row["protocol"], row["address"], row["pid"] or 0))


def _finding(code, subject, evidence):
    severity, remedy = CODES[code]
    return {"code": code, "severity": severity, "subject": subject, "evidence": evidence, "remedy": remedy}


def _judge_declared(assignment, rows, running):
    """Yield the findings about one assignment, and mark its rows."""
    declared = binding_of(assignment)
    found = [row for row in rows if overlap(row.binding, declared)]
    own = [row for row in found if (row["project"], row["service"]) == (assignment["stack"], assignment["service"])]
    for row in own:
        row["declared"] = assignment["id"]
        if wider(row.binding.address, declared.address):
            yield _finding(
                "wider-exposure", assignment["id"], "declared on {0}, open on {1}".format(declared, row.binding)
            )
    for row in found:
        if row not in own:
            row["declared"] = assignment["id"]
            yield _finding("squatter", assignment["id"], "{0} is held by {1}".format(row.binding, row.owner))
    if not found and running:
        yield _finding("declared-silent", assignment["id"], "nobody has {0}".format(declared))


def _undeclared(row, projects):
    if row["project"] in projects:
        subject = "{0}/{1}".format(row["project"], row["service"])
        return _finding("undeclared-published", subject, "{0} publishes {1}".format(row.owner, row.binding))
    code = "local-listener" if row["exposure"] == "loopback" else "undeclared-listener"
    return _finding(code, str(row.binding), "open by {0}".format(row.owner))


def audit(assignments, view, ephemeral, reserved=frozenset(), accept=(), today=""):
    """Return {open_ports, findings, accepted}.

    :arg assignments: what is declared: [{id, stack, service, published, host_ip, protocol}]
    :arg ephemeral: (low, high) of the range that outgoing connections take their ports from
    :arg accept: [{code, subject, until?}] of findings that are known; ``until`` and ``today`` as YYYY-MM-DD
    """
    rows = open_ports(view)
    projects = {a["stack"] for a in assignments}
    running = {c.project for c in view.containers if c.state == "running"} & projects
    findings = []
    for stack in sorted(projects - running):
        count = sum(1 for a in assignments if a["stack"] == stack)
        findings.append(
            _finding("stack-not-running", stack, "{0} endpoints are declared, no container runs".format(count))
        )
    for assignment in assignments:
        findings.extend(_judge_declared(assignment, rows, assignment["stack"] in running))
        port = assignment["published"]
        if ephemeral[0] <= port <= ephemeral[1] and port not in reserved:
            findings.append(
                _finding("ephemeral-port", assignment["id"], "{0} is inside {1}-{2}".format(port, *ephemeral))
            )
    findings.extend(_undeclared(row, projects) for row in rows if not row["declared"])
    for container in sorted(view.containers, key=lambda c: c.name):
        if container.project in projects and (container.state != "running" or container.health == "unhealthy"):
            findings.append(
                _finding("unhealthy", container.name, "it is {0}".format(container.health or container.state))
            )
        if container.stand_in:
            findings.append(_finding("stand-in", container.name, container.stand_in))
    order = {severity: index for index, severity in enumerate(reversed(SEVERITIES))}
    findings.sort(key=lambda f: order[f["severity"]])
    known, left = [], []
    for finding in findings:
        (known if any(_accepts(item, finding, today) for item in accept) else left).append(finding)
    return {"open_ports": [dict(row) for row in rows], "findings": left, "accepted": known}


def _accepts(item, finding, today):
    if item.get("until") and str(item["until"]) < today:
        return False
    return item["code"] == finding["code"] and item["subject"] == finding["subject"]


def report(result):
    """Return the lines of a report: findings by severity, or that there are none."""
    lines = [
        "{0:7} {1:20} {2}: {3}. {4}.".format(f["severity"], f["code"], f["subject"], f["evidence"], f["remedy"])
        for f in result["findings"]
        if f["severity"] != "info"
    ]
    counts = {severity: sum(1 for f in result["findings"] if f["severity"] == severity) for severity in SEVERITIES}
    total = "open ports: {0}; errors: {1}, warnings: {2}, notes: {3}, accepted: {4}".format(
        len(result["open_ports"]), counts["error"], counts["warning"], counts["info"], len(result["accepted"])
    )
    return [*lines, total]


def declared_by_lock(entries):
    """Return assignments of a lock: what was planned on this host, when no stack file is given."""
    return [
        {
            "id": identity,
            "stack": identity.split("/", 1)[0],
            "service": identity.split("/", 1)[1].rpartition(".")[0],
            "published": entry["published"],
            "host_ip": entry["host_ip"],
            "protocol": entry["protocol"],
        }
        for identity, entry in entries.items()
    ]
