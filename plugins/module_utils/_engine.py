# Copyright: (c) 2026, The optiinfra.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the container engine publishes, from its API. Read only; the standard library speaks to its socket.

Source: https://docs.docker.com/reference/api/engine/ (ContainerList, ContainerInspect); Podman serves the same.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import time
from typing import NamedTuple, Tuple

from ._binding import Binding, normal_address, port_number

DEFAULT_HOST = "unix:///var/run/docker.sock"
PROJECT, SERVICE, STAND_IN = "com.docker.compose.project", "com.docker.compose.service", "io.optiinfra.stand-in"
CONFIG, HASH, FILES = (
    "io.optiinfra.config",
    "com.docker.compose.config-hash",
    "com.docker.compose.project.config_files",
)
_HEALTH = re.compile(r"\((healthy|unhealthy|health: starting)\)")


class Published(NamedTuple):
    """A port of a container that the engine publishes on a host binding."""

    binding: Binding
    target: int


class Container(NamedTuple):
    """A container with its Compose labels.

    ``state`` is the engine's word, ``health`` is healthy, unhealthy, starting or "". ``config`` is the digest of its
    configuration files, ``hash`` that of its definition and ``files`` those that it was made from.
    """

    id: str
    name: str
    project: str
    service: str
    state: str
    health: str
    stand_in: str
    network: str
    published: Tuple[Published, ...]
    config: str = ""
    hash: str = ""
    files: str = ""

    @property
    def label(self):
        return "container {0}".format(self.name)


class EngineError(Exception):
    """The engine cannot be asked; ``absent`` tells that there is none, rather than one that does not answer."""

    def __init__(self, message, absent=False):
        super().__init__(message)
        self.absent = absent


def _exchange(path, request, timeout):
    """Return what a socket of this host answers to a request until it closes.

    :raises OSError: when it cannot be asked, or does not end in time
    """
    deadline, parts = time.monotonic() + timeout, []
    with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as connected:
        connected.settimeout(timeout)
        connected.connect(path)
        connected.sendall(request)
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                raise OSError("it does not end its answer")
            connected.settimeout(left)
            part = connected.recv(1 << 16)
            if not part:
                return b"".join(parts)
            parts.append(part)


class Engine:
    """The engine at a ``unix://`` address."""

    def __init__(self, host=None, timeout=10):
        self.host = host or os.environ.get("DOCKER_HOST") or DEFAULT_HOST
        self._timeout = timeout
        if not self.host.startswith("unix://"):
            raise EngineError("docker_host {0!r}: only unix:// sockets of this host can be asked".format(self.host))

    def _get(self, path):
        # HTTP/1.0 asks for an answer in one piece. Importing an HTTP client costs more than the whole look at a host.
        request = "GET {0} HTTP/1.0\r\nHost: localhost\r\n\r\n".format(path).encode()
        try:
            answer = _exchange(self.host[len("unix://") :], request, self._timeout)
            status, body = read_answer(answer)
            if status >= 400:
                raise EngineError("the engine at {0} answers {1} to {2}".format(self.host, status, path))
            return json.loads(body)
        except (FileNotFoundError, ConnectionRefusedError):
            raise EngineError("no engine runs at {0}".format(self.host), absent=True) from None
        except PermissionError:
            raise EngineError("no permission to ask the engine at {0}: use become".format(self.host)) from None
        except (OSError, ValueError, RecursionError) as exc:
            raise EngineError("the engine at {0} cannot be asked: {1}".format(self.host, exc)) from None

    def containers(self, project=None):
        """Return [Container], stopped ones included, of one Compose project or of all.

        :raises EngineError: when the engine cannot be asked
        """
        path = "/containers/json?all=1"
        if project:
            from urllib.parse import quote

            path += "&filters=" + quote(json.dumps({"label": ["{0}={1}".format(PROJECT, project)]}))
        answer = self._get(path)
        try:
            return [read_container(item) for item in answer]
        except (TypeError, ValueError, KeyError, AttributeError, IndexError) as exc:
            problem = "it answers what is no list of containers ({0}: {1})".format(type(exc).__name__, exc)
            raise EngineError("the engine at {0} cannot be asked: {1}".format(self.host, problem)) from None

    def last_words(self, container_id, length=300):
        """Return what the last health check of a container printed, or why it exited; "" when that is not known."""
        try:
            state = self._get("/containers/{0}/json".format(container_id)).get("State") or {}
        except (EngineError, AttributeError):
            return ""
        log = (state.get("Health") or {}).get("Log") or []
        text = (log[-1].get("Output") or "") if log else ""
        if state.get("Status") == "exited" or not text.strip():
            code = state.get("ExitCode")
            text = state.get("Error") or (
                "exit status {0}{1}".format(code, ", out of memory" if state.get("OOMKilled") else "") if code else ""
            )
        return " ".join(text.split())[:length]


def read_answer(answer):
    """Return (status, body) of an answer in HTTP.

    :raises ValueError: when it is none
    """
    head, _empty, body = answer.partition(b"\r\n\r\n")
    words = head.split(None, 2)
    if len(words) < 2 or not words[0].startswith(b"HTTP/1.") or not words[1].isdigit():
        raise ValueError("it does not speak HTTP: {0!r}".format(answer[:40]))
    return int(words[1]), body


def _text(value):
    """Return a text of the engine's, "" for what is none.

    :raises ValueError: for anything else
    """
    if value is not None and not isinstance(value, str):
        raise ValueError("{0!r} is no text".format(value))
    return value or ""


def read_container(item):
    """Return the Container of one element of ContainerList.

    :raises ValueError, TypeError, KeyError, AttributeError: when it is none
    """
    labels = {key: _text(value) for key, value in (item.get("Labels") or {}).items()}
    health = _HEALTH.search(_text(item.get("Status")))
    published = []
    for port in item.get("Ports") or []:
        if port.get("PublicPort"):
            address = normal_address(_text(port.get("IP")))
            binding = Binding(address, port_number(port["PublicPort"]), _text(port.get("Type")) or "tcp")
            published.append(Published(binding, port_number(port["PrivatePort"])))
    return Container(
        id=_text(item["Id"]),
        name=_text((item.get("Names") or [item["Id"][:12]])[0]).lstrip("/"),
        project=labels.get(PROJECT, ""),
        service=labels.get(SERVICE, ""),
        state=_text(item.get("State")),
        health=health.group(1).replace("health: ", "") if health else "",
        stand_in=labels.get(STAND_IN, ""),
        network=_text((item.get("HostConfig") or {}).get("NetworkMode")),
        published=tuple(sorted(set(published))),
        config=labels.get(CONFIG, ""),
        hash=labels.get(HASH, ""),
        files=labels.get(FILES, ""),
    )
