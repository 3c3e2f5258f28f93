# Copyright: (c) 2026, The optiinfra.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Every open port of a host once, with its owner: listeners joined with what the engine publishes. Pure."""

from __future__ import annotations

import re

from ._binding import is_loopback
from ._filters import NONE, UNKNOWN, families, firewall
from ._view import KEEPERS

# What follows such a word on a command line may be a secret.
_SECRET = re.compile(r"(?i)((?:pass(?:word|wd|phrase)?|secret|token|api[-_]?key|credentials?)[\w-]*[= ]\s*)(\S+)")


class Open(dict):
    """An open port as a row of the report, with its Binding, Container and processes for the judgement."""

    def __init__(self, binding, container=None, processes=(), published=False, uid=None):
        process = processes[0] if processes else None
        super().__init__(
            address=binding.address or "*",
            port=binding.port,
            protocol=binding.protocol,
            families=["ipv{0}".format(family) for family in families(binding, published)],
            exposure="loopback" if is_loopback(binding.address) else "reachable",
            process=process.name if process else "",
            pid=process.pid if process else None,
            pids=[p.pid for p in processes],
            user=process.user if process else uid or "",
            command=_SECRET.sub(r"\1***", process.command)[:200] if process else "",
            unit=process.unit if process else "",
            container=container.name if container else "",
            project=container.project if container else "",
            service=container.service if container else "",
            declared="",
            firewall={"ipv4": NONE, "ipv6": NONE, "rule": "", "sources": []},
        )
        self.binding = binding
        self.of = container
        self.published = published

    @property
    def owner(self):
        """Say who it is."""
        if self["container"]:
            return "container {0}".format(self["container"])
        user = "user {0}".format(self["user"])
        if self["pid"]:
            unit = ", unit {0}".format(self["unit"]) if self["unit"] else ""
            return "{0} (pid {1}, {2}{3})".format(self["process"], self["pid"], user, unit)
        return "a process {0}that cannot be seen".format("of {0} ".format(user) if self["user"] else "")

    def judged(self, filters):
        """Note what the firewall does with it."""
        self["firewall"] = firewall(filters, self.binding, self.published)

    @property
    def denied(self):
        """Tell whether the firewall lets nobody outside get to it."""
        states = {self["firewall"]["ipv4"], self["firewall"]["ipv6"]} - {NONE}
        return states == {"denied"}

    @property
    def unknown(self):
        """Tell whether the firewall's answer is not known."""
        return UNKNOWN in (self["firewall"]["ipv4"], self["firewall"]["ipv6"])


def open_ports(view):
    """Return [Open]: every listener and every published port of the host, once each, in order of port.

    Sockets that several processes of one kind share, or bind each by SO_REUSEPORT, are one row with several pids.
    """
    by_id = {container.id: container for container in view.containers}
    rows = [Open(p.binding, c, published=True) for c in view.containers for p in c.published]
    published = {row.binding[:3] for row in rows}
    owners = view.owners([listener.inode for listener in view.listeners])
    groups = {}
    for listener in view.listeners:
        process = owners.get(listener.inode)
        if listener.binding[:3] in published and (process is None or process.name in KEEPERS):
            continue
        kind = (process.name, process.user, process.unit, process.container) if process else listener.uid
        groups.setdefault((listener.binding, kind), []).append((process, listener))
    for (binding, _kind), found in groups.items():
        processes = sorted({p.pid: p for p, _listener in found if p}.values(), key=lambda p: p.pid)
        container = by_id.get(processes[0].container) if processes and processes[0].container else None
        rows.append(Open(binding, container, processes, uid=view.user_of(found[0][1].uid)))
    unique = {(row.binding, row["pid"], row["container"]): row for row in rows}
    return sorted(unique.values(), key=lambda row: (row["port"], row["protocol"], row["address"], row["pid"] or 0))


def shared(rows):
    """Yield [Open] of different owners that listen on one and the same address and port.

    The kernel hands each new connection to any of them.
    """
    groups = {}
    for row in rows:
        if row["pid"] and not row.published:
            groups.setdefault(row.binding, []).append(row)
    return [found for found in groups.values() if len(found) > 1]
