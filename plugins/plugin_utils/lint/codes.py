# Copyright: (c) 2026, The optiinfra.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The stable codes of findings: severity, meaning and remedy of each. docs/port-lint.md is written from it."""

from __future__ import annotations

from typing import NamedTuple

SEVERITIES = ("info", "warning", "error")


class Code(NamedTuple):
    """A kind of finding. ``unless`` says when it is reported with another severity."""

    severity: str
    meaning: str
    remedy: str
    unless: str = ""


# In order of how sure a finding is; the most sure first.
CODES = {
    "port-clash": Code(
        "error",
        "Two services that run together publish the same host port",
        "Publish one of them on another port",
    ),
    "bad-port": Code("error", "A value where a port belongs is none", "Write [[host_ip:]published:]target[/protocol]"),
    "env-published-port": Code(
        "error",
        "A variable uses another service's published port inside the network, where its own port counts",
        "Use the service's name with the port that it listens on",
    ),
    "service-target-port": Code(
        "error",
        "A Kubernetes Service sends to a port that no selected container declares",
        "Correct targetPort, or declare the container's port",
        "warning when it is a number, which works without being declared; info when others of the Service are declared",
    ),
    "ingress-port": Code(
        "error", "An Ingress names a port that its Service does not have", "Use a port of the Service"
    ),
    "node-port-clash": Code(
        "error", "Two Services or containers take the same port of a node", "Give one of them another port"
    ),
    "health-port": Code(
        "warning",
        "A health check asks a port that the container is not known to listen on",
        "Check the port that the process listens on, or declare it with expose",
        "error when it is the published port; info when the image's ports are not known",
    ),
    "scrape-port": Code(
        "warning",
        "A Prometheus target is a port that the service is not known to listen on",
        "Scrape the service's name with the port that it listens on, or declare it with expose",
        "error when it is the published port; info when the image is not a well-known one",
    ),
    "upstream-port": Code(
        "warning",
        "nginx passes requests to a port that the service is not known to listen on",
        "Pass to the service's name with the port that it listens on, or declare it with expose",
        "error when it is the published port; info when the image's ports are not known",
    ),
    "env-wrong-port": Code(
        "warning",
        "A variable names another service with a port that it is not known to listen on",
        "Use a port that the service listens on, or declare it there with expose",
        "info when the image's ports are not known",
    ),
    "env-port": Code(
        "warning",
        "A variable sets the port that the process listens on, but another one is published",
        "Let the target of ports and the variable be the same number",
    ),
    "env-localhost": Code(
        "warning",
        "A variable looks for a store on localhost, which inside a container is the container itself",
        "Use the name of the store's service",
    ),
    "env-host-port": Code(
        "warning",
        "A .env file looks for a store on a localhost port that the Compose project beside it does not publish",
        "Use the published port",
    ),
    "clash-across-files": Code(
        "warning",
        "Compose files that are meant to run side by side publish the same host port",
        "Publish one of them on another port",
    ),
    "store-exposed": Code(
        "warning",
        "A database, cache or other store is published on every address of the host",
        "Publish it on 127.0.0.1, or not at all; containers reach it by its name",
        "info in files for development and tests",
    ),
    "expose-target": Code(
        "warning",
        "The target of a published port is not among those that the service's Dockerfile exposes",
        "Let EXPOSE and the target be the same number",
    ),
    "target-port": Code(
        "warning",
        "The target of a published port is none that the image listens on",
        "The right-hand number is the container's own port; move the left-hand one only",
    ),
    "listen-target": Code(
        "warning",
        "The target of a published port is none that the mounted nginx configuration listens on",
        "Let listen and the target be the same number",
    ),
    "probe-port": Code(
        "warning",
        "A Kubernetes probe names a port that its container does not declare",
        "Correct the probe, or declare the container's port",
        "info when the port is a number, which works without being declared",
    ),
    "doc-port": Code(
        "warning",
        "A document gives a service a port that the files do not",
        "Correct the document, or the files",
        "info in a fragment of a Compose file, and when a variable gives the host port",
    ),
    "doc-container": Code(
        "warning",
        "A document names a container that the files do not have, or that belongs to another service",
        "Correct the document",
    ),
    "doc-count": Code(
        "warning",
        "A document states a number of containers, ports or layers that is not what the files or its tables have",
        "Correct the number",
    ),
    "doc-variable": Code(
        "warning",
        "A variable in a document has the port that the document's own table gives to something else",
        "Correct the variable, or the table",
    ),
    "doc-clash": Code(
        "warning",
        "A document gives one port of the host to two services",
        "Correct the document",
        "info between documents",
    ),
    "unreadable": Code(
        "warning",
        "A file could not be parsed, so nothing is known about its ports",
        "Correct the file",
        "info in folders of tests and examples",
    ),
    "acceptance-expired": Code(
        "warning",
        "A baseline accepts a finding until a day that is over",
        "Mend what it accepts, or accept it anew with a later day",
    ),
    "port-shared": Code(
        "info",
        "Projects that need not run on one host want the same port of it",
        "If they do, give one another port, or plan them together with port_plan",
    ),
    "doc-missing": Code(
        "info", "A document's table has nearly every published service of a project, but not this one", "Add a row"
    ),
    "doc-layer": Code(
        "info", "A document lists a service under another layer than its stack file", "Correct the document"
    ),
    "acceptance-unused": Code("info", "A baseline accepts a finding that is not there", "Delete the entry"),
    "ignore-comment": Code(
        "info", "An ignore comment names no code, gives no reason, or hides nothing", "Correct or remove the comment"
    ),
}


def markdown_table():
    """Return the table of codes as Markdown."""
    lines = ["| code | severity | meaning | remedy |", "|---|---|---|---|"]
    for name, code in CODES.items():
        severity = code.severity + (f"; {code.unless}" if code.unless else "")
        lines.append(f"| `{name}` | {severity} | {code.meaning} | {code.remedy} |")
    return "\n".join(lines) + "\n"
