# Copyright: (c) 2026, The optiinfra.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is open on a host, joined with what is declared and filtered, as findings. Pure functions over a view of it."""

from __future__ import annotations

from ._binding import is_loopback, overlap, wider
from ._filters import bypass, families, openings
from ._judge import binding_of
from ._open_ports import Open, open_ports, shared

SEVERITIES = ("info", "warning", "error")
# code -> (severity, remedy)
CODES = {
    "squatter": ("error", "Stop it, or plan the endpoint elsewhere with overrides"),
    "declared-silent": ("error", "Deploy the stack again, and look at the container's log"),
    "unhealthy": ("error", "Look at the container's log"),
    "wider-exposure": ("error", "Deploy the stack again; until then guard the port in the firewall"),
    "firewall-bypassed": ("error", "Publish it on 127.0.0.1, or guard DOCKER-USER with the role firewall"),
    "firewall-not-loaded": ("error", "Run ufw reload, and look why it was not loaded at boot"),
    "undeclared-published": ("error", "Declare the port in the stack file, or do not publish it"),
    "stack-not-running": ("warning", "Deploy the stack, or release its ports with port_plan state=absent"),
    "public-denied": ("warning", "Run the role firewall, or declare the endpoint private or loopback"),
    "undeclared-listener": ("warning", "Declare it, stop it, or accept it"),
    "shared-port": ("warning", "Let one of them have the port"),
    "rule-unused": ("warning", "Delete the rule, or declare what it is for"),
    "ephemeral-port": ("warning", "Reserve it in net.ipv4.ip_local_reserved_ports, or plan another port"),
    "local-listener": ("info", "Nothing, if you know it"),
    "stand-in": ("info", "Give the service's own image, see the role images"),
}

__all__ = ["CODES", "SEVERITIES", "Open", "audit", "declared_by_lock", "open_ports", "report"]


def _finding(code, subject, evidence, severity=None):
    usual, remedy = CODES[code]
    return {"code": code, "severity": severity or usual, "subject": subject, "evidence": evidence, "remedy": remedy}


def _exposed(code, row, subject, evidence, milder):
    """Return a finding about an open port, milder and with the rule where the firewall denies it."""
    if row.denied:
        return _finding(
            code, subject, "{0}; the firewall denies it ({1})".format(evidence, row["firewall"]["rule"]), milder
        )
    return _finding(code, subject, evidence)


def _judge_declared(assignment, rows, running):
    """Yield the findings about one assignment, and mark its rows."""
    declared = binding_of(assignment)
    found = [row for row in rows if overlap(row.binding, declared)]
    own = [row for row in found if (row["project"], row["service"]) == (assignment["stack"], assignment["service"])]
    for row in own:
        row["declared"] = assignment["id"]
        if wider(row.binding.address, declared.address):
            text = "declared on {0}, open on {1}".format(declared, row.binding)
            yield _exposed("wider-exposure", row, assignment["id"], text, "warning")
        elif assignment.get("exposure") == "public" and row.denied:
            text = "{0} is declared public, and the firewall denies it ({1})".format(
                row.binding, row["firewall"]["rule"]
            )
            yield _finding("public-denied", assignment["id"], text)
    for row in found:
        if row not in own:
            row["declared"] = assignment["id"]
            yield _finding("squatter", assignment["id"], "{0} is held by {1}".format(row.binding, row.owner))
    if not found and running:
        yield _finding("declared-silent", assignment["id"], "nobody has {0}".format(declared))


def _undeclared(row, projects):
    if row["project"] in projects:
        subject = "{0}/{1}".format(row["project"], row["service"])
        text = "{0} publishes {1}".format(row.owner, row.binding)
        return _exposed("undeclared-published", row, subject, text, "warning")
    text = "open by {0}".format(row.owner)
    if row["exposure"] == "loopback":
        return _finding("local-listener", str(row.binding), text)
    return _exposed("undeclared-listener", row, str(row.binding), text, "info")


def _bypassed(rows, filters):
    """Yield a finding for each port that the firewall denies and that is reached past it."""
    for row in rows:
        for family in families(row.binding, row.published):
            found = bypass(filters, family, row.binding)
            if found:
                text = '{0} of {1} is reachable over IPv{2} by "{3}", which is asked before "{4}"'.format(
                    row.binding, row.owner, family, *found
                )
                yield _finding("firewall-bypassed", row["declared"] or str(row.binding), text)
                break


def _unused_rules(assignments, rows, filters):
    """Yield a finding for each rule that lets in what nobody declares and nobody outside could reach."""
    ports = {row["port"] for row in rows if row["exposure"] != "loopback"}
    ports.update(a["published"] for a in assignments if not is_loopback(a["host_ip"]))
    comments = {(r["protocol"], r["port"]): r["comment"] for r in filters.ufw.get("rules", ())}
    for (low, high), opening in sorted(openings(filters).items()):
        if any(low <= port <= high for port in ports):
            continue
        protocols = sorted(opening["protocols"])
        name = str(low) if low == high else "{0}-{1}".format(low, high)
        comment = next(
            (
                comments[p, name.replace("-", ":")]
                for p in (*protocols, "any")
                if comments.get((p, name.replace("-", ":")))
            ),
            "",
        )
        text = '"{0}"{1} lets it in, and nobody declares it or listens beyond loopback'.format(
            opening["rule"], comment and " ({0})".format(comment)
        )
        yield _finding("rule-unused", "{0}/{1}".format(name, protocols[0] if len(protocols) == 1 else "any"), text)


def _firewall(assignments, rows, filters):
    """Yield the findings about the firewall as a whole."""
    if not filters.judges:
        return
    if filters.ufw.get("enabled") and not any(judge.has_chain("ufw") for judge in filters.judges.values()):
        yield _finding(
            "firewall-not-loaded", "ufw", "ufw is enabled in /etc/ufw/ufw.conf, the kernel has none of its rules"
        )
    for finding in _bypassed(rows, filters):
        yield finding
    for finding in _unused_rules(assignments, rows, filters):
        yield finding


def audit(assignments, view, ephemeral, reserved=frozenset(), accept=(), today="", filters=None):
    """Return {open_ports, findings, accepted}.

    :arg assignments: what is declared: [{id, stack, service, published, host_ip, protocol}]
    :arg ephemeral: (low, high) of the range that outgoing connections take their ports from
    :arg accept: [{code, subject, until?}] of findings that are known; ``until`` and ``today`` as YYYY-MM-DD
    :arg filters: the host's Filters; None leaves the firewall out
    """
    rows = open_ports(view)
    if filters is not None:
        for row in rows:
            row.judged(filters)
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
    for group in shared(rows):
        # Many listen for the same datagrams by design, such as those of mDNS.
        severity = "info" if group[0]["protocol"] == "udp" else None
        text = "open by {0}".format(" and by ".join(row.owner for row in group))
        findings.append(_finding("shared-port", str(group[0].binding), text, severity))
    if filters is not None:
        findings.extend(_firewall(assignments, rows, filters))
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
