#!/usr/bin/python
# Copyright: (c) 2026, The optiinfra.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: port_assert
short_description: Fail unless planned ports can be had, or are served as planned
version_added: 0.1.0
author:
  - The optiinfra.platform maintainers (@optiinfra)
description:
  - Before a deploy, O(state=available) fails when a planned port is held by anybody but the stack's own containers. It
    names the port, who wants it, who holds it (process and pid, or container) and a command to look with.
  - After a deploy, O(state=serving) fails unless every endpoint is published by its own container, on the declared
    address only, and healthy.
  - All ports are checked in one pass, by the kernel's socket tables and the container engine's API. Nothing is changed.
  - Without a container engine O(state=available) works as well.
extends_documentation_fragment:
  - optiinfra.platform.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
options:
  assignments:
    description: What M(optiinfra.platform.port_plan) returns as RV(optiinfra.platform.port_plan#module:assignments).
    type: list
    elements: dict
    required: true
  state:
    description: What to check.
    type: str
    choices: [available, serving]
    default: available
  project:
    description: The Compose project whose containers are the stack's own. Each assignment's stack by default.
    type: str
  services:
    description: Services that must run, besides those that publish ports.
    type: list
    elements: str
    default: []
  timeout:
    description: Seconds that endpoints are given to be served.
    type: int
    default: 0
  docker_host:
    description: The engine's socket on the host. Defaults to E(DOCKER_HOST), then C(unix:///var/run/docker.sock).
    type: str
"""

EXAMPLES = r"""
- name: Plan
  optiinfra.platform.port_plan:
    stacks: [optiinfra]
  check_mode: true
  register: plan

- name: Stop here if somebody else has one of the ports
  optiinfra.platform.port_assert:
    assignments: "{{ plan.assignments }}"

- name: Wait until every endpoint is served by its own container and nowhere else
  optiinfra.platform.port_assert:
    assignments: "{{ plan.assignments }}"
    state: serving
    timeout: 60
"""

RETURN = r"""
endpoints:
  description: Each assignment with what was found there.
  returned: success or failure
  type: list
  elements: dict
  contains:
    endpoint: {description: "C(service.name)", type: str}
    service: {description: The Compose service, type: str}
    url: {description: Its URL on the host, type: str}
    address: {description: The host's address. Empty means every address, type: str}
    published: {description: The host's port, type: int}
    protocol: {description: tcp or udp, type: str}
    state: {description: "available: free, own or held; serving: serving, down, foreign or exposed", type: str}
    owner: {description: Who has it, type: str}
    problem: {description: What is wrong and how to look. Empty when nothing is, type: str}
services:
  description: Each service's container, its state and health. Only for O(state=serving).
  returned: when state is serving
  type: list
  elements: dict
  sample:
    - {service: postgres, title: PostgreSQL, container: optiinfra-postgres, state: running, health: healthy}
problems:
  description: Everything that is wrong, one text each.
  returned: success or failure
  type: list
  elements: str
stand_ins:
  description: Containers that stand in for something else, with what they say of themselves.
  returned: when state is serving
  type: dict
"""

import time

from ansible_collections.optiinfra.platform.plugins.module_utils import _base, _engine, _judge, _probe, _sockets

PAUSE = 0.5
# Seconds in which a container that is restarting has its ports again, or has given them up.
SETTLE = 15


def _view(docker_host, needs_engine):
    """Look at the host once."""
    containers, problem = (), ""
    try:
        containers = tuple(_engine.Engine(docker_host).containers())
    except _engine.EngineError as exc:
        # Before a deploy, no engine means no containers; one that cannot be asked is worth a word.
        problem = "" if exc.absent and not needs_engine else str(exc)
    return _judge.View(tuple(_sockets.listeners()), containers, _sockets.owners, problem)


def _serving(params, assignments):
    of = {}
    for assignment in assignments:
        of.setdefault(params["project"] or assignment["stack"], []).append(assignment)
    if params["project"]:
        of.setdefault(params["project"], [])
    deadline = time.monotonic() + params["timeout"]
    while True:
        view = _view(params["docker_host"], needs_engine=True)

        def last_words(container):
            return _engine.Engine(params["docker_host"]).last_words(container.id)

        result = {"endpoints": [], "services": [], "problems": [], "stand_ins": {}}
        for project, own in of.items():
            found = _judge.serving(own, project, view, params["services"], _probe.ask_all, last_words)
            for key in ("endpoints", "services", "problems"):
                result[key] += found[key]
            result["stand_ins"].update(found["stand_ins"])
        if not result["problems"] or time.monotonic() >= deadline:
            return result
        time.sleep(PAUSE)


def work(module):
    params = module.params
    assignments = _base.checked_assignments(params["assignments"])
    if params["state"] == "available":
        view = _view(params["docker_host"], needs_engine=False)
        deadline = time.monotonic() + SETTLE
        while _judge.in_transition(assignments, view) and time.monotonic() < deadline:
            time.sleep(PAUSE)
            view = _view(params["docker_host"], needs_engine=False)
        rows = _judge.available(assignments, params["project"], view, _probe.missing_address)
        result = {"endpoints": rows, "problems": [row["problem"] for row in rows if row["problem"]]}
        headline = "{0} of {1} planned ports cannot be had"
    elif assignments or params["project"]:
        result = _serving(params, assignments)
        headline = "{0} things are not as planned, of {1} endpoints"
    else:
        return {"changed": False, "endpoints": [], "services": [], "problems": [], "stand_ins": {}}
    if result["problems"]:
        text = headline.format(len(result["problems"]), len(assignments))
        module.fail_json(msg="\n".join([text + ":"] + ["- " + problem for problem in result["problems"]]), **result)
    return dict(result, changed=False)


def main():
    _base.run(
        {
            "assignments": _base.ASSIGNMENTS,
            "state": {"type": "str", "choices": ["available", "serving"], "default": "available"},
            "project": {"type": "str"},
            "services": {"type": "list", "elements": "str", "default": []},
            "timeout": {"type": "int", "default": 0},
            "docker_host": {"type": "str"},
        },
        work,
    )


if __name__ == "__main__":
    main()
