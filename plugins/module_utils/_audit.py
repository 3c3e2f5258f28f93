# Copyright: (c) 2026, The optiinfra.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is open on a host, joined with what is declared and filtered, as findings. Pure functions over a view of it."""

from __future__ import annotations

from ._accept import split
from ._binding import Binding, is_loopback, overlap, wider
from ._drift import container_drift, file_drift
from ._filters import bypass, families, openings
from ._open_ports import Open, open_ports, shared
from ._view import binding_of

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
    "drift-file": ("warning", "Deploy the stack again"),
    "drift-container": ("warning", "Deploy the stack again"),
    "stack-not-running": ("warning", "Deploy the stack, or release its ports with port_plan state=absent"),
    "public-denied": ("warning", "Run the role firewall, or declare the endpoint private or loopback"),
    "undeclared-listener": ("warning", "Declare it, stop it, or accept it"),
    "shared-port": ("warning", "Let one of them have the port"),
    "rule-unused": ("warning", "Delete the rule, or declare what it is for"),
    "ephemeral-port": ("warning", "Reserve it in net.ipv4.ip_local_reserved_ports, or plan another port"),
    "acceptance-expired": ("warning", "Mend what it accepts, or accept it anew with a later day"),
    "acceptance-unused": ("info", "Delete the entry"),
    "namespace-listener": ("info", "Nothing, if you know it"),
    "local-listener": ("info", "Nothing, if you know it"),
    "stand-in": ("info", "Give the service's own image, see the role images"),
}
# What an audit tells of each assignment that it was given or found in the lock.
DECLARED = (
    "id", "stack", "service", "endpoint", "published", "target", "host_ip", "protocol", "app_protocol", "exposure",
)  # fmt: skip

__all__ = ["CODES", "DECLARED", "SEVERITIES", "Open", "audit", "declared_by_lock", "open_ports", "report"]


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


def _judge_declared(assignment, rows, running, blind):
    """Yield the findings about one assignment, and mark its rows.

    :arg blind: that containers cannot be seen, so that a holder who is not seen may be the right one
    """
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
            if blind and not row["pid"]:
                continue
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
    yield from _bypassed(rows, filters)
    yield from _unused_rules(assignments, rows, filters)


def _drift_of(assignments, view):
    """Yield the findings where plan, file and containers of a stack differ."""
    for stack, project in sorted(view.projects.items()):
        planned = [(a["service"], binding_of(a)) for a in assignments if a["stack"] == stack]
        running = [c for c in view.containers if c.project == stack and c.state == "running"]
        for code, found in (
            ("drift-file", file_drift(project, planned)),
            ("drift-container", container_drift(project, running)),
        ):
            for service, text in found:
                text = "{0} ({1})".format(text, project.path)
                yield _finding(code, "{0}/{1}".format(stack, service), text)


def namespaces(view):
    """Return [{name, container, pids, listeners}] of the other network namespaces, with the owners of the sockets."""
    out = []
    for space in view.namespaces:
        listeners = []
        for listener in sorted(space.listeners, key=lambda item: (item.binding.port, item.binding)):
            process = space.owners.get(listener.inode)
            listeners.append(
                {
                    "address": listener.binding.address or "*",
                    "port": listener.binding.port,
                    "protocol": listener.binding.protocol,
                    "process": process.name if process else "",
                    "pid": process.pid if process else None,
                }
            )
        out.append(
            {"name": space.name, "container": space.container, "pids": list(space.pids[:20]), "listeners": listeners}
        )
    return out


def _in_namespaces(spaces):
    """Yield a note about each namespace that somebody listens in."""
    for space in spaces:
        told = [
            "{0} by {1}".format(
                Binding(i["address"].strip("*"), i["port"], i["protocol"]), i["process"] or "nobody seen"
            )
            for i in space["listeners"]
        ]
        more = "" if len(told) < 6 else " and {0} more".format(len(told) - 5)
        where = " of container {0}".format(space["container"][:12]) if space["container"] else ""
        text = "open in a network namespace{2}, so no port of this host unless it forwards there: {0}{1}"
        yield _finding("namespace-listener", space["name"], text.format(", ".join(told[:5]), more, where))


def _stacks(assignments, rows, view, ephemeral, reserved):
    """Yield the findings about what is declared, marking its rows, and then those about the other rows."""
    projects = {a["stack"] for a in assignments}
    running = {c.project for c in view.containers if c.state == "running"} & projects
    blind = bool(view.engine_problem)
    for stack in sorted(projects - running) if not blind else ():
        count = sum(1 for a in assignments if a["stack"] == stack)
        yield _finding("stack-not-running", stack, "{0} endpoints are declared, no container runs".format(count))
    for assignment in assignments:
        yield from _judge_declared(assignment, rows, assignment["stack"] in running, blind)
        port = assignment["published"]
        if ephemeral[0] <= port <= ephemeral[1] and port not in reserved:
            yield _finding("ephemeral-port", assignment["id"], "{0} is inside {1}-{2}".format(port, *ephemeral))
    for row in rows:
        if not row["declared"]:
            yield _undeclared(row, projects)
    for container in sorted(view.containers, key=lambda c: c.name):
        if container.project in projects and (container.state != "running" or container.health == "unhealthy"):
            yield _finding("unhealthy", container.name, "it is {0}".format(container.health or container.state))
        if container.stand_in:
            yield _finding("stand-in", container.name, container.stand_in)


def _shared_ports(rows):
    """Yield a finding for each address and port that several owners listen on."""
    for group in shared(rows):
        # Many listen for the same datagrams by design, such as those of mDNS.
        severity = "info" if group[0]["protocol"] == "udp" else None
        text = "open by {0}".format(" and by ".join(row.owner for row in group))
        yield _finding("shared-port", str(group[0].binding), text, severity)


def audit(assignments, view, ephemeral, reserved=frozenset(), accept=(), today="", filters=None):
    """Return {open_ports, findings, accepted, namespaces}.

    :arg assignments: what is declared: [{id, stack, service, published, host_ip, protocol}]
    :arg ephemeral: (low, high) of the range that outgoing connections take their ports from
    :arg accept: [{code, subject, until, reason}] of findings that are known; ``until`` and ``today`` as YYYY-MM-DD
    :arg filters: the host's Filters; None leaves the firewall out
    """
    rows, spaces = open_ports(view), namespaces(view)
    for row in rows if filters is not None else ():
        row.judged(filters)
    findings = list(_stacks(assignments, rows, view, ephemeral, reserved))
    findings.extend(_shared_ports(rows))
    findings.extend(_drift_of(assignments, view))
    findings.extend(_in_namespaces(spaces))
    if filters is not None:
        findings.extend(_firewall(assignments, rows, filters))
    left, known, told = split(findings, accept, today)
    for code, item in told:
        text = "accepted until {0}".format(item["until"]) if item.get("until") else "accepted"
        text += " ({0})".format(item["reason"]) if item.get("reason") else ""
        text += ", and it is there again" if code == "acceptance-expired" else ", and there is no such finding"
        left.append(_finding(code, "{0} {1}".format(item["code"], item["subject"]), text))
    order = {severity: index for index, severity in enumerate(reversed(SEVERITIES))}
    left.sort(key=lambda f: order[f["severity"]])
    return {"open_ports": [dict(row) for row in rows], "findings": left, "accepted": known, "namespaces": spaces}


def report(result):
    """Return the lines of a report: findings above notes in columns, what to do, what was not seen, and the numbers."""
    shown = [f for f in result["findings"] if f["severity"] != "info"]
    widths = [max([len(f[key]) for f in shown] or [0]) for key in ("severity", "code", "subject")]
    lines = [
        "{0:{3}}  {1:{4}}  {2:{5}}  ".format(f["severity"], f["code"], f["subject"], *widths) + f["evidence"]
        for f in shown
    ]
    lines.extend("{0}: {1}.".format(code, CODES[code][1]) for code in dict.fromkeys(f["code"] for f in shown))
    lines.extend("not seen: {0}".format(text) for text in result.get("unseen", ()))
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
            "endpoint": identity.split("/", 1)[1],
            **{key: entry[key] for key in DECLARED if key in entry},
        }
        for identity, entry in entries.items()
    ]
