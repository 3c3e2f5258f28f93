# Copyright: (c) 2026, The optiinfra.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reads Prometheus configuration: every static target, and every URL that it writes to or reads from."""

from __future__ import annotations

from dataclasses import dataclass, field

from .model import Place, Reference
from .texts import number, references
from .yamltree import load

_REMOTE = ("remote_write", "remote_read")


@dataclass
class Prometheus:
    """What one file says."""

    name: str
    targets: list = field(default_factory=list)  # [(job, Reference)]


def _target(text, place):
    """Return the Reference of ``host:port``, None for what has no port or is a URL to be probed."""
    host, colon, port = text.strip().rpartition(":")
    if not colon or "/" in text or not number(port):
        return None
    return Reference(host.strip("[]").lower(), number(port), place, text.strip())


def _static(node, name):
    for group in node.get("static_configs").items:
        for text, line in group.get("targets").strings():
            yield _target(text, Place(name, line))


def _relabelled(job, name):
    """Return (whether the address is replaced, the Reference that replaces it or None)."""
    for rule in job.get("relabel_configs").items:
        if rule.get("target_label").text == "__address__":
            node = rule.get("replacement")
            # A replacement made of matched parts changes the port of what is scraped to anything.
            return True, None if "$" in node.text else _target(node.text, Place(name, node.line))
    return False, None


def parse(text, name):
    """Return the Prometheus of a configuration file, None when it is none.

    :raises Unreadable: for a file that is not YAML
    """
    documents = load(text)
    if not documents or documents[0].kind != "map":
        return None
    root, found = documents[0], Prometheus(name)
    for job in root.get("scrape_configs").items:
        label = job.get("job_name").text
        replaced, instead = _relabelled(job, name)
        targets = [instead] if replaced else _static(job, name)
        found.targets.extend((label, target) for target in targets if target)
    for manager in root.get("alerting", "alertmanagers").items:
        found.targets.extend(("alertmanager", target) for target in _static(manager, name) if target)
    for kind in _REMOTE:
        for entry in root.get(kind).items:
            node = entry.get("url")
            found.targets.extend((kind, reference) for reference in references(node.text, Place(name, node.line)))
    return found
