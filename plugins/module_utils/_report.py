# Copyright: (c) 2026, The optiinfra.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Views of assignments and verdicts for people: URLs and the table of services. Pure and standard library only."""

from __future__ import annotations

import re

from ._binding import ANY6, host_port, is_wildcard

HTTP = ("http", "https")
_SCHEME = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]*$")


def reachable_address(host_ip):
    """Return an address of this host at which a binding answers."""
    if not is_wildcard(host_ip):
        return host_ip
    return "::1" if host_ip == ANY6 else "127.0.0.1"


def url(assignment, host=None):
    """Return an assignment's URL, as seen from the host itself or by the name ``host``."""
    address = host or reachable_address(assignment["host_ip"])
    scheme = assignment.get("app_protocol") or ""
    # Anybody may write anything there.
    scheme = scheme if _SCHEME.match(scheme) else assignment["protocol"]
    return "{0}://{1}".format(scheme, host_port(address, assignment["published"]))


def table(rows, headings):
    """Return rows of texts as aligned columns under headings, without trailing blanks."""
    rows = [list(headings)] + [[str(cell) for cell in row] for row in rows]
    widths = [max(len(row[i]) for row in rows) for i in range(len(headings))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows)


def service_table(verdict):
    """Return the closing table of a deploy: each service with its URLs and state, and the stand-ins that run.

    :arg verdict: what port_assert returns for state serving
    """
    urls = {}
    for endpoint in verdict.get("endpoints", []):
        urls.setdefault(endpoint["service"], []).append(endpoint["url"])
    rows = []
    for service in verdict.get("services", []):
        state = service["health"] or service["state"]
        for index, address in enumerate(urls.get(service["service"], ["-"])):
            rows.append((service["service"], address, state) if index == 0 else ("", address, ""))
    text = table(rows, ("SERVICE", "URL", "STATE"))
    stand_ins = verdict.get("stand_ins") or {}
    if stand_ins:
        text += "\n\nStand-ins are running:\n" + "\n".join("- {0}: {1}".format(*item) for item in stand_ins.items())
    return text + "\n"
