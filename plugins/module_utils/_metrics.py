# Copyright: (c) 2026, The optiinfra.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Audits as metrics in Prometheus' text format, for node_exporter's textfile collector. Pure, standard library only.

Source of the format: https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format
"""

from __future__ import annotations

from ._audit import SEVERITIES
from ._endpoints import SERVED, UNKNOWN, WIDER, states

PREFIX = "optiinfra_port_"
HELP = {
    "audit_success": "Whether the ports of the host could be audited.",
    "audit_timestamp_seconds": "When the ports were audited.",
    "audit_duration_seconds": "How long the audit took.",
    "audit_unseen": "What the audit could not examine, as a number of things.",
    "findings": "Findings that are not accepted, by severity.",
    "finding": "A warning or error that is not accepted; the value is how many there are of it.",
    "findings_accepted": "Findings that are known and accepted.",
    "open": "Open ports by protocol and by what they are bound to.",
    "endpoint_served": "Whether a declared endpoint is served by its own container; absent when that cannot be told.",
    "endpoint_wider": "Whether a declared endpoint is open to more than was declared.",
}


def _escaped(value):
    text = str(value).encode("utf-8", "replace").decode("utf-8")
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def _samples(result):
    """Yield (name, labels, value) of an audit."""
    yield "audit_success", {}, int("open_ports" in result)
    for name in ("audit_timestamp_seconds", "audit_duration_seconds"):
        if result.get(name) is not None:
            yield name, {}, result[name]
    if "open_ports" not in result:
        return
    yield "audit_unseen", {}, len(result.get("unseen") or ())
    yield "findings_accepted", {}, len(result["accepted"])
    for severity in SEVERITIES:
        yield "findings", {"severity": severity}, sum(f["severity"] == severity for f in result["findings"])
    counts = {}
    # Notes would be too many series, which come and go.
    for f in result["findings"]:
        if f["severity"] == "info":
            continue
        key = (f["severity"], f["code"], f["subject"])
        counts[key] = counts.get(key, 0) + 1
    for (severity, code, subject), count in sorted(counts.items()):
        yield "finding", {"severity": severity, "code": code, "subject": subject}, count
    counts = {("loopback", "tcp"): 0, ("loopback", "udp"): 0, ("reachable", "tcp"): 0, ("reachable", "udp"): 0}
    for row in result["open_ports"]:
        key = (row["exposure"], row["protocol"])
        counts[key] = counts.get(key, 0) + 1
    for (exposure, protocol), count in sorted(counts.items()):
        yield "open", {"exposure": exposure, "protocol": protocol}, count
    found = states(result)
    for a in result.get("declared") or ():
        state = found[a["id"]]
        keys = ("stack", "service", "endpoint", "published", "protocol")
        labels = {"port" if key == "published" else key: a[key] for key in keys}
        if state != UNKNOWN:
            yield "endpoint_served", labels, int(state in (SERVED, WIDER))
            yield "endpoint_wider", labels, int(state == WIDER)


def exposition(results):
    """Return the metrics of audits as text.

    :arg results: {host: what port_audit returned, or its failure}; a host "" has no label. A result may have
        ``audit_timestamp_seconds`` and ``audit_duration_seconds``
    """
    by_name = {}
    for host, result in sorted(results.items()):
        for name, labels, number in _samples(result):
            labels = {"host": host, **labels} if host else labels
            text = ",".join('{0}="{1}"'.format(key, _escaped(item)) for key, item in labels.items())
            sample = "{0}{1}{2} {3}".format(PREFIX, name, "{" + text + "}" if text else "", number)
            by_name.setdefault(name, []).append(sample)
    lines = []
    for name, about in HELP.items():
        if name in by_name:
            lines.append("# HELP {0}{1} {2}".format(PREFIX, name, about))
            lines.append("# TYPE {0}{1} gauge".format(PREFIX, name))
            lines.extend(by_name[name])
    return "\n".join(lines) + "\n"
