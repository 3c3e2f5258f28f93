#!/usr/bin/python
# Copyright: (c) 2026, The optiinfra.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: port_probe
short_description: See from outside which ports of a host answer, and compare with the plan
version_added: 0.1.0
author:
  - The optiinfra.platform maintainers (@optiinfra)
description:
  - Run it where the users are, on the controller (C(delegate_to)) or any other host, not on the host that is probed.
  - Tries many TCP ports at once and returns for each whether it is reachable, refused or filtered, with its latency.
  - With O(assignments), every public endpoint has to be reachable and every other one must not be. Ports of
    O(unreachable) must not be reachable either. Changes nothing.
extends_documentation_fragment:
  - optiinfra.platform.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
options:
  address:
    description: The address or name of the host that is probed.
    type: str
    required: true
  assignments:
    description: What M(optiinfra.platform.port_plan) returns for that host. TCP endpoints are probed.
    type: list
    elements: dict
    default: []
  reachable:
    description: Further ports that have to be reachable, such as that of SSH.
    type: list
    elements: int
    default: []
  unreachable:
    description: Further ports that must not be reachable, such as those that C(port_audit) finds open.
    type: list
    elements: int
    default: []
  ports:
    description: Further ports to look at, whatever they are.
    type: list
    elements: int
    default: []
  timeout:
    description: Seconds after which a connection counts as filtered.
    type: float
    default: 3
  concurrency:
    description: How many ports are tried at once; fewer where the machine allows fewer open files.
    type: int
    default: 1024
"""

EXAMPLES = r"""
- name: Nothing but the five public endpoints and SSH answers, seen from here
  optiinfra.platform.port_probe:
    address: "{{ ansible_host }}"
    assignments: "{{ plan.assignments }}"
    reachable: [22]
  delegate_to: localhost
"""

RETURN = r"""
results:
  description: Each port with what was found.
  returned: success or failure
  type: list
  elements: dict
  contains:
    address: {description: What was probed, type: str}
    port: {description: The port, type: int}
    id: {description: The endpoint. Empty for ports that are given by number, type: str}
    expect: {description: "reachable, unreachable or empty", type: str}
    state: {description: "reachable, refused, filtered or failed", type: str}
    milliseconds: {description: Time to the answer, type: float}
    health: {description: The HTTP path that was asked for, type: str}
    http: {description: The HTTP status that answered, type: str}
problems:
  description: Everything that is not as expected, one text each.
  returned: success or failure
  type: list
  elements: str
"""

from ansible_collections.optiinfra.platform.plugins.module_utils import _base, _reach
from ansible_collections.optiinfra.platform.plugins.module_utils._binding import port_number
from ansible_collections.optiinfra.platform.plugins.module_utils._error import StackError


def _targets(params):
    """Return what to probe, each port once; what the plan says of a port counts."""
    found = {}
    for expect in ("reachable", "unreachable", "ports"):
        for port in params[expect]:
            try:
                number = port_number(port)
            except ValueError as exc:
                raise StackError("{0}: {1!r}: {2}".format(expect, port, exc)) from None
            wanted = "" if expect == "ports" else expect
            found.setdefault(number, {"port": number, "id": "", "expect": wanted, "health": None})
    for assignment in _base.checked_assignments(params["assignments"]):
        if assignment["protocol"] == "tcp":
            public = assignment.get("exposure") == "public"
            found[assignment["published"]] = {
                "port": assignment["published"],
                "id": assignment["id"],
                "expect": "reachable" if public else "unreachable",
                "health": assignment["health"] if public else None,
            }
    return [dict(target, address=params["address"]) for _port, target in sorted(found.items())]


def work(module):
    params = module.params
    if not params["address"].strip():
        raise StackError("address: the host to probe is missing")
    if params["timeout"] <= 0 or not 1 <= params["concurrency"] <= 4096:
        raise StackError("timeout has to be above 0, and concurrency from 1 to 4096")
    results = _reach.probe(_targets(params), params["timeout"], params["concurrency"])
    problems = _reach.judge(results)
    if problems:
        text = "{0} of {1} ports of {2} are not as expected:".format(len(problems), len(results), params["address"])
        module.fail_json(msg="\n".join([text] + ["- " + p for p in problems]), results=results, problems=problems)
    return {"changed": False, "results": results, "problems": []}


def main():
    _base.run(
        {
            "address": {"type": "str", "required": True},
            "assignments": {"type": "list", "elements": "dict", "default": []},
            "reachable": {"type": "list", "elements": "int", "default": []},
            "unreachable": {"type": "list", "elements": "int", "default": []},
            "ports": {"type": "list", "elements": "int", "default": []},
            "timeout": {"type": "float", "default": 3},
            "concurrency": {"type": "int", "default": 1024},
        },
        work,
    )


if __name__ == "__main__":
    main()
