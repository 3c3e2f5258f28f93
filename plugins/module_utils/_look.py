# Copyright: (c) 2026, The optiinfra.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Looks at this host and judges what is there. Reads only, without Ansible: whoever calls says how to run a tool."""

from __future__ import annotations

import datetime
import os
from typing import Callable, NamedTuple, Optional, Tuple

from . import _audit, _drift, _engine, _filters, _lock, _namespaces, _sockets, _topology, _view
from ._error import StackError


class Tools(NamedTuple):
    """How tools are run: ``path`` finds one by its name, ``run`` returns (exit code, output, errors) of a command."""

    path: Callable[[str], Optional[str]]
    run: Callable[[list], tuple]


class Options(NamedTuple):
    """Where to look; the names are those of port_audit's options."""

    lock: str = "/var/lib/optiinfra/ports.json"
    stack_root: str = "/etc/optiinfra"
    docker_host: Optional[str] = None
    external_interfaces: Tuple[str, ...] = ()


def _text(path):
    """Return a file's text, "" when there is none or it may not be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as handle:
            return handle.read()
    except OSError:
        return ""


def _read_filters(options, tools, unseen):
    """Return the Filters of this host; what they cannot tell goes to ``unseen``."""

    def run(tool, *arguments):
        path = tools.path(tool)
        if not path:
            return None
        rc, out, _err = tools.run([path, *arguments])
        return out if rc == 0 else ""

    given = options.external_interfaces
    try:
        topology = _topology.topology(given)
    except OSError as exc:
        problem = "addresses of this host, so what the firewall does is not known: {0}".format(exc)
        filters = _filters.Filters({}, _topology.Topology({}, ()), (problem,), "", _filters.ufw_files(_text))
    else:
        strange = sorted(set(given) - set(topology.interfaces))
        if strange:
            raise StackError(
                "external_interfaces: {0}: no interface of this host; there is {1}".format(
                    ", ".join(strange), ", ".join(sorted(topology.interfaces))
                )
            )
        filters = _filters.read(topology, run, _text)
    unseen.extend(filters.problems)
    return filters


def _projects(options, tools, assignments, unseen):
    """Return {stack: Project} of the declared stacks that were written to this host."""
    found = {}
    for stack in sorted({a["stack"] for a in assignments}):
        folder = os.path.join(options.stack_root, stack)
        path = os.path.join(folder, "compose.yaml")
        text = _text(path)
        if not text:
            continue
        try:
            services = _drift.read(text)
        except ValueError as exc:
            unseen.append("drift of {0}: {1} is not as the role stack writes it: {2}".format(stack, path, exc))
            continue
        found[stack] = _drift.Project(path, services, _hashes(tools, folder, stack))
    return found


def _hashes(tools, folder, stack):
    """Return {service: hash of its definition}, as Compose would start it now; {} where it cannot be asked."""
    docker = tools.path("docker")
    if not docker or not os.access(os.path.join(folder, ".env"), os.R_OK):
        return {}
    # A variable of this session must not take the place of one of the project's.
    clean = ["/usr/bin/env", "-i", "PATH={0}".format(os.environ.get("PATH", "")), "HOME=/root"]
    ask = [docker, "compose", "--project-directory", folder, "--project-name", stack, "config", "--hash", "*"]
    rc, out, _err = tools.run(clean + ask)
    words = [line.split() for line in out.splitlines()] if rc == 0 else []
    return {line[0]: line[1] for line in words if len(line) == 2}


def _look(options, tools, assignments, unseen):
    """Return the View of this host; what it cannot see goes to ``unseen``."""
    containers, problem = (), ""
    if os.geteuid() != 0:
        unseen.append("processes of other users: their listeners have a user and no process here (use become)")
        unseen.append("network namespaces: only root may look into them (use become)")
    try:
        containers = tuple(_engine.Engine(options.docker_host).containers())
    except _engine.EngineError as exc:
        if not exc.absent:
            problem = str(exc)
            unseen.append("containers, so whether a stack runs and holds its ports: {0}".format(problem))
    spaces = ()
    if os.geteuid() == 0:
        spaces, closed = _namespaces.others(container.id for container in containers)
        if closed:
            unseen.append("network namespaces: {0} of them could not be looked into".format(closed))
    return _view.View(
        listeners=tuple(_sockets.listeners()),
        containers=containers,
        owners=_sockets.owners,
        engine_problem=problem,
        user_of=_sockets.user_name,
        namespaces=tuple(spaces),
        projects=_projects(options, tools, assignments, unseen),
    )


def declared(options):
    """Return what the lock of this host declares.

    :raises StackError: when there is a lock that cannot be read
    """
    return _audit.declared_by_lock(_lock.parse(_lock.read(options.lock), options.lock))


def audit(options, tools, assignments, accept=()):
    """Return the audit of this host, as port_audit returns it.

    :arg assignments: what is declared, and :arg accept: findings that are known, both checked
    :raises StackError: naming option and value
    """
    unseen = []
    view = _look(options, tools, assignments, unseen)
    filters = _read_filters(options, tools, unseen)
    ephemeral, reserved = _sockets.host_ports()
    today = datetime.date.today().isoformat()
    result = _audit.audit(assignments, view, ephemeral, reserved, accept, today, filters)
    result["declared"] = [
        {key: assignment[key] for key in _audit.DECLARED if key in assignment} for assignment in assignments
    ]
    result["firewall"] = {
        "backend": filters.backend,
        "outside": sorted(filters.topology.outside),
        "ufw": {key: filters.ufw[key] for key in ("enabled", "incoming")},
    }
    result.update(changed=False, unseen=unseen)
    result["report"] = _audit.report(result)
    return result
