# Copyright: (c) 2026, The optiinfra.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ask endpoints whether they answer: a TCP connection, and the HTTP health path where one is declared."""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
from concurrent.futures import ThreadPoolExecutor

from ._report import reachable_address

WORKERS = 16


def ask(assignment, timeout=3.0):
    """Return why an endpoint does not answer, "" when it does. UDP cannot be asked and counts as answering."""
    if assignment["protocol"] != "tcp":
        return ""
    address, port = reachable_address(assignment["host_ip"]), assignment["published"]
    path = assignment.get("health")
    try:
        if not path:
            with contextlib.closing(socket.create_connection((address, port), timeout)):
                return ""
        if assignment["app_protocol"] == "https":
            # Who it is, is not asked here; whether it is well, is.
            connection = http.client.HTTPSConnection(
                address,
                port,
                timeout=timeout,
                context=ssl._create_unverified_context(),  # noqa: S323
            )
        else:
            connection = http.client.HTTPConnection(address, port, timeout=timeout)
        with contextlib.closing(connection):
            connection.request("GET", path, headers={"User-Agent": "optiinfra.platform", "Connection": "close"})
            response = connection.getresponse()
            if response.status < 400:
                return ""
            words = " ".join(response.read(300).decode("utf-8", "replace").split())
            return "{0} answers {1}{2}".format(path, response.status, words and ": " + words)
    except (OSError, http.client.HTTPException) as exc:
        return "{0}: {1}".format(path or "no connection", str(exc) or type(exc).__name__)


def ask_all(assignments, timeout=3.0):
    """Return {id: problem} of the endpoints that do not answer; all are asked at once."""
    if not assignments:
        return {}
    with ThreadPoolExecutor(min(WORKERS, len(assignments))) as pool:
        answers = list(pool.map(lambda assignment: ask(assignment, timeout), assignments))
    return {a["id"]: problem for a, problem in zip(assignments, answers) if problem}


def missing_address(address):
    """Tell whether an address is none of this host's."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with contextlib.closing(socket.socket(family, socket.SOCK_DGRAM)) as probe:
            probe.bind((address, 0))
    except OSError:
        return True
    return False
