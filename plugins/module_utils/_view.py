# Copyright: (c) 2026, The optiinfra.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A host as it is looked at, and the bindings of assignments. Pure."""

from __future__ import annotations

from typing import Callable, NamedTuple, Tuple

from ._binding import Binding
from ._engine import Container

# Processes that hold a published port on behalf of a container.
PROXIES = ("docker-proxy", "rootlessport", "rootlesskit", "conmon", "pasta", "slirp4netns")
# Without a proxy, the engine itself keeps a published port from being taken.
KEEPERS = (*PROXIES, "dockerd")


class View(NamedTuple):
    """A host at one moment: [Listener], [Container] ([] with the reason in ``engine_problem``), owners of sockets.

    ``user_of`` names the user of a number. An audit sees more: [Namespace] besides the host's own, and {stack: Project}
    of those that were written to the host.
    """

    listeners: tuple = ()
    containers: Tuple[Container, ...] = ()
    owners: Callable = lambda inodes: {}
    engine_problem: str = ""
    user_of: Callable = str
    namespaces: tuple = ()
    projects: dict = {}


def binding_of(assignment):
    """Return the host binding of an assignment."""
    return Binding(assignment["host_ip"], assignment["published"], assignment["protocol"])
