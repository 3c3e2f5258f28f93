# Copyright: (c) 2026, The optiinfra.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the container engine publishes, from its API. Read only; the standard library speaks to its socket.

Source: https://docs.docker.com/reference/api/engine/ (ContainerList, ContainerInspect); Podman serves the same.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import socket
from typing import NamedTuple, Tuple
from urllib.parse import quote

from ._binding import Binding, normal_address

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


class _Connection(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class Engine:
    """The engine at a ``unix://`` address."""

    def __init__(self, host=None, timeout=10):
        self.host = host or os.environ.get("DOCKER_HOST") or DEFAULT_HOST
        self._timeout = timeout
        if not self.host.startswith("unix://"):
            raise EngineError("docker_host {0!r}: only unix:// sockets of this host can be asked".format(self.host))

    def _get(self, path):
        connection = _Connection(self.host[len("unix://") :], self._timeout)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            body = response.read()
            if response.status >= 400:
                raise EngineError("the engine at {0} answers {1} to {2}".format(self.host, response.status, path))
            return json.loads(body)
        except (FileNotFoundError, ConnectionRefusedError):
            raise EngineError("no engine runs at {0}".format(self.host), absent=True) from None
        except PermissionError:
            raise EngineError("no permission to ask the engine at {0}: use become".format(self.host)) from None
        except (OSError, ValueError, http.client.HTTPException) as exc:
            raise EngineError("the engine at {0} cannot be asked: {1}".format(self.host, exc)) from None
        finally:
            connection.close()

    def containers(self, project=None):
        """Return [Container], stopped ones included, of one Compose project or of all.

        :raises EngineError: when the engine cannot be asked
        """
        path = "/containers/json?all=1"
        if project:
            path += "&filters=" + quote(json.dumps({"label": ["{0}={1}".format(PROJECT, project)]}))
        return [read_container(item) for item in self._get(path)]

    def last_words(self, container_id, length=300):
        """Return what the last health check of a container printed, or why it exited; "" when that is not known."""
        try:
            state = self._get("/containers/{0}/json".format(container_id)).get("State") or {}
        except EngineError:
            return ""
        log = (state.get("Health") or {}).get("Log") or []
        text = (log[-1].get("Output") or "") if log else ""
        if state.get("Status") == "exited" or not text.strip():
            code = state.get("ExitCode")
            text = state.get("Error") or (
                "exit status {0}{1}".format(code, ", out of memory" if state.get("OOMKilled") else "") if code else ""
            )
        return " ".join(text.split())[:length]


def read_container(item):
    """Return the Container of one element of ContainerList."""
    labels = item.get("Labels") or {}
    health = _HEALTH.search(item.get("Status") or "")
    published = []
    for port in item.get("Ports") or []:
        if port.get("PublicPort"):
            address = normal_address(port.get("IP") or "")
            published.append(
                Published(Binding(address, port["PublicPort"], port.get("Type", "tcp")), port["PrivatePort"])
            )
    return Container(
        id=item["Id"],
        name=(item.get("Names") or [item["Id"][:12]])[0].lstrip("/"),
        project=labels.get(PROJECT, ""),
        service=labels.get(SERVICE, ""),
        state=item.get("State", ""),
        health=health.group(1).replace("health: ", "") if health else "",
        stand_in=labels.get(STAND_IN, ""),
        network=(item.get("HostConfig") or {}).get("NetworkMode", ""),
        published=tuple(sorted(set(published))),
        config=labels.get(CONFIG, ""),
        hash=labels.get(HASH, ""),
        files=labels.get(FILES, ""),
    )
