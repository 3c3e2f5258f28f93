# Copyright: (c) 2026, The optiinfra.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether assignments can be deployed, and whether they are served: pure judgements over a view of the host."""

from __future__ import annotations

from typing import NamedTuple, Optional

from ._binding import Binding, is_wildcard, overlap, wider
from ._engine import Container
from ._report import url
from ._sockets import Process
from ._view import KEEPERS, PROXIES, View, binding_of

__all__ = ["Holder", "View", "available", "binding_of", "holders", "in_transition", "serving"]


class Holder(NamedTuple):
    """Who has a binding: a container or a process (None when it cannot be seen)."""

    binding: Binding
    container: Optional[Container] = None
    process: Optional[Process] = None

    def __str__(self):
        if self.container:
            text = self.container.label
            if self.container.project:
                text += " (service {0} of project {1})".format(self.container.service, self.container.project)
        elif self.process:
            text = "{0} (pid {1}, user {2}".format(self.process.name, self.process.pid, self.process.user)
            if self.process.container:
                text += ", in container {0}".format(self.process.container[:12])
            elif self.process.unit:
                text += ", unit {0}".format(self.process.unit)
            text += ")"
        else:
            text = "a process that this user may not see (use become)"
        return "{0} on {1}".format(text, self.binding)

    @property
    def look(self):
        """A command that shows it."""
        if self.container:
            return "docker ps --filter publish={0}/{1}".format(self.binding.port, self.binding.protocol)
        return "ss -Hl{0}np 'sport = :{1}'".format("u" if self.binding.protocol == "udp" else "t", self.binding.port)


def holders(binding, view, owners):
    """Return [Holder] of everything that excludes ``binding``: published by the engine or listening."""
    found = []
    for container in view.containers:
        for published in container.published:
            if overlap(published.binding, binding):
                found.append(Holder(published.binding, container))
    by_id = {container.id: container for container in view.containers}
    published = {holder.binding for holder in found}
    for listener in view.listeners:
        if not overlap(listener.binding, binding):
            continue
        process = owners.get(listener.inode)
        same = any(listener.binding[:3] == other[:3] for other in published)
        # With the proxy switched off a stranger can listen where the engine publishes: only a proxy is the container's.
        if same and (process is None or process.name in KEEPERS):
            continue
        container = by_id.get(process.container) if process and process.container else None
        found.append(Holder(listener.binding, container, process))
    return found


def _owners(assignments, view):
    bindings = {}
    for assignment in assignments:
        binding = binding_of(assignment)
        bindings.setdefault((binding.protocol, binding.port), []).append(binding)
    inodes = [
        listener.inode
        for listener in view.listeners
        if any(
            overlap(listener.binding, b) for b in bindings.get((listener.binding.protocol, listener.binding.port), ())
        )
    ]
    return view.owners(inodes)


def _row(assignment, state, owner="", problem=""):
    return {
        "endpoint": assignment["endpoint"],
        "service": assignment["service"],
        "url": url(assignment),
        "address": assignment["host_ip"],
        "published": assignment["published"],
        "protocol": assignment["protocol"],
        "state": state,
        "owner": owner,
        "problem": problem,
    }


def in_transition(assignments, view):
    """Tell whether a proxy of the engine holds a port that no container publishes, as while a container restarts."""
    owners = _owners(assignments, view)
    found = [holder for a in assignments for holder in holders(binding_of(a), view, owners)]
    return any(holder.process and not holder.container and holder.process.name in PROXIES for holder in found)


def available(assignments, project, view, missing_address=lambda address: False):
    """Return [row]: state free, own or held; ``problem`` says who holds what this stack wants, and how to look.

    :arg project: the Compose project whose containers are the stack's own; None for the name of each one's stack
    :arg missing_address: tells that an address is none of this host's
    """
    owners = _owners(assignments, view)
    rows = []
    for assignment in assignments:
        binding = binding_of(assignment)
        mine = project or assignment["stack"]
        found = holders(binding, view, owners)
        strangers = [h for h in found if not (h.container and h.container.project == mine)]
        if strangers:
            holder = strangers[0]
            text = "port {0} (wanted by {1}) is held by {2}. Look: {3}".format(
                binding, assignment["id"], holder, holder.look
            )
            if holder.container is None and holder.process is None and view.engine_problem:
                text += " ({0})".format(view.engine_problem)
            rows.append(_row(assignment, "held", str(holder), text))
        elif found:
            rows.append(_row(assignment, "own", found[0].container.name))
        elif not is_wildcard(binding.address) and missing_address(binding.address):
            text = "port {0} (wanted by {1}): {2} is no address of this host. Look: ip -brief address".format(
                binding, assignment["id"], binding.address
            )
            rows.append(_row(assignment, "held", "", text))
        else:
            rows.append(_row(assignment, "free"))
    return rows


def _container_problem(service, container, last_words):
    """Return what is wrong with a service's container, "" when nothing is."""
    if container is None:
        return "{0}: no container of this project. Look: docker compose ls".format(service)
    logs = "Look: docker logs --tail 50 {0}".format(container.name)
    if container.state != "running":
        words = last_words(container)
        return "{0}: {1} is {2}{3}. {4}".format(
            service, container.label, container.state, words and " (" + words + ")", logs
        )
    if container.health in ("unhealthy", "starting"):
        words = last_words(container)
        word = "unhealthy" if container.health == "unhealthy" else "not healthy yet"
        return "{0}: {1} is {2}{3}. {4}".format(service, container.label, word, words and ": " + words, logs)
    return ""


def _endpoint_problem(assignment, container, view, owners, probe):
    """Return (state, problem) of an endpoint whose container runs."""
    declared = binding_of(assignment)
    name = "{0}: port {1}".format(assignment["id"], declared)
    if container.network == "host":
        published = [h.binding for h in holders(declared, view, owners) if h.container == container]
    else:
        published = [
            p.binding
            for p in container.published
            if p.target == assignment["target"]
            and p.binding.protocol == declared.protocol
            and p.binding.port == declared.port
        ]
    exposed = [binding for binding in published if wider(binding.address, declared.address)]
    if exposed:
        return "exposed", "{0} is published on {1}, wider than declared. Look: docker port {2}".format(
            name, exposed[0], container.name
        )
    for holder in holders(declared, view, owners):
        if holder.container != container:
            return "foreign", "{0} is answered by {1}, not by {2}. Look: {3}".format(
                name, holder, container.label, holder.look
            )
    if not any(overlap(binding, declared) for binding in published):
        return "down", "{0} is not published by {1}. Look: docker port {2}".format(
            name, container.label, container.name
        )
    problem = probe(assignment)
    if problem:
        return "down", "{0}: {1}. Look: docker logs --tail 50 {2}".format(name, problem, container.name)
    return "serving", ""


def _undeclared(assignments, containers):
    """Return a problem for each port that a container of the project publishes and nobody declares."""
    declared = {(a["service"], a["published"], a["protocol"]) for a in assignments}
    seen = {}
    for container in containers:
        for published in container.published:
            key = (container.service, published.binding.port, published.binding.protocol)
            if key not in declared:
                seen.setdefault(
                    key,
                    "{0}: {1} publishes {2}, which its stack does not declare".format(
                        container.service, container.label, published.binding
                    ),
                )
    return list(seen.values())


def serving(assignments, project, view, services=(), probes=lambda items: {}, last_words=lambda container: ""):
    """Return {endpoints, services, problems, stand_ins}: whether each endpoint is served as declared.

    :arg services: names that must run, besides those with assignments
    :arg probes: function of [assignment] that returns {id: problem} of those that do not answer
    :arg last_words: function of a Container that returns what its health check or its end said
    """
    owners = _owners(assignments, view)
    own = [container for container in view.containers if container.project == project]
    by_service = {container.service: container for container in own}
    names = list(dict.fromkeys([*services, *(a["service"] for a in assignments)]))
    problems = {name: _container_problem(name, by_service.get(name), last_words) for name in names}
    alive = [a for a in assignments if not problems[a["service"]]]
    silent = probes(alive)
    rows = []
    for assignment in assignments:
        container = by_service.get(assignment["service"])
        if problems[assignment["service"]]:
            rows.append(_row(assignment, "down", container.name if container else "", problems[assignment["service"]]))
            continue
        state, problem = _endpoint_problem(assignment, container, view, owners, lambda a: silent.get(a["id"], ""))
        rows.append(_row(assignment, state, container.name, problem))
    texts = [text for text in problems.values() if text]
    texts += [row["problem"] for row in rows if row["problem"] and row["problem"] not in texts]
    texts += _undeclared(assignments, own)
    if view.engine_problem:
        texts = [view.engine_problem]
    titles = {a["service"]: a["title"] for a in assignments}
    return {
        "endpoints": rows,
        "services": [_service_row(name, by_service.get(name), titles.get(name, name)) for name in names],
        "problems": texts,
        "stand_ins": {c.service: c.stand_in for c in sorted(own, key=lambda c: c.service) if c.stand_in},
    }


def _service_row(name, container, title):
    return {
        "service": name,
        "title": title,
        "container": container.name if container else "",
        "state": container.state if container else "absent",
        "health": container.health if container else "",
        "stand_in": container.stand_in if container else "",
    }
