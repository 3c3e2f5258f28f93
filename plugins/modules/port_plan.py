#!/usr/bin/python
# Copyright: (c) 2026, The optiinfra.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: port_plan
short_description: Assign host ports to the endpoints of stacks, without conflict
version_added: 0.1.0
author:
  - The optiinfra.platform maintainers (@optiinfra)
description:
  - Reads one or more stacks (Compose projects) and assigns a host port to each port that they publish.
  - Order of strength is a fixed port, the earlier assignment, the preferred port by priority (C(x-catalog.priority))
    and stack order, and last a moved one.
  - Assignments are kept in a lock on the host, so that a later plan never moves them. Adding a stack never moves what
    is already assigned.
  - A moved endpoint never gets a port of the ephemeral range, a reserved port, a port below 1024, one that browsers
    refuse, or one that somebody listens on now. A preferred port is assigned even if a stranger listens on it, since
    that is for M(optiinfra.platform.port_assert) to report.
extends_documentation_fragment:
  - optiinfra.platform.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
options:
  stacks:
    description:
      - The stacks, in order. Each is the name of a stack that this collection carries, the path of a
        Compose file or of a folder with one on the controller, a list of files that are merged, a mapping with C(files)
        (any of these), C(profiles) (those that are active) and C(name), or the project itself as a mapping with
        C(services).
    type: list
    elements: raw
    required: true
  lock:
    description: The file on the host that keeps the assignments of all its stacks.
    type: path
    default: /var/lib/optiinfra/ports.json
  environment:
    description: Variables for C(${NAME}) in ports, container names and health paths. Values are used as text.
    type: dict
    default: {}
  overrides:
    description:
      - Ports of your choice by endpoint, as V(service.name) or V(stack/service.name). They are fixed, so a clash is an
        error and never a move.
    type: dict
    default: {}
  avoid_listeners:
    description: Whether endpoints that have to move avoid ports that somebody listens on now.
    type: bool
    default: true
  peers:
    description:
      - Hosts on which every endpoint has to have the same port, as O(state=looked) returned them, the same list on each
        of them and this host among them. They are planned as if they were one.
    type: list
    elements: dict
    default: []
  state:
    description:
      - V(present) assigns; V(absent) releases what the stacks had; V(looked) only tells what hosts that are planned
        with this one have to know.
    type: str
    choices: [present, absent, looked]
    default: present
"""

EXAMPLES = r"""
- name: Plan the platform and a Compose project of yours together
  optiinfra.platform.port_plan:
    stacks:
      - optiinfra
      - "{{ playbook_dir }}/compose.yaml"
  register: plan

- name: Show where everything goes and why
  ansible.builtin.debug:
    msg: "{{ item.id }} -> {{ item.published }} ({{ item.explain }})"
  loop: "{{ plan.assignments }}"

- name: Have the portal on a port of our choice
  optiinfra.platform.port_plan:
    stacks: [optiinfra]
    overrides:
      portal.http: 8443

- name: Look at the hosts that shall have a stack at the same ports
  optiinfra.platform.port_plan:
    stacks: [vultr_demo]
    state: looked
  register: look

- name: Plan them as if they were one
  optiinfra.platform.port_plan:
    stacks: [vultr_demo]
    peers: "{{ ansible_play_hosts | map('extract', hostvars, ['look', 'host']) }}"
"""

RETURN = r"""
assignments:
  description: One for each port that the stacks publish, in their order.
  returned: success
  type: list
  elements: dict
  contains:
    id: {description: "C(stack/service.name)", type: str}
    stack: {description: Name of the stack, type: str}
    service: {description: Name of the Compose service, type: str}
    endpoint: {description: "C(service.name)", type: str}
    container: {description: Name of the container when the stack gives one, type: str}
    published: {description: The host's port, type: int}
    target: {description: The container's port, type: int}
    host_ip: {description: The host's address. Empty means every address, type: str}
    protocol: {description: tcp or udp, type: str}
    app_protocol: {description: What is spoken there, type: str}
    health: {description: HTTP path that answers below 400 when all is well, type: str}
    exposure: {description: "loopback, private or public", type: str}
    preferred: {description: The port that the stack asks for, type: int}
    reason: {description: "fixed, sticky, preferred or moved", type: str}
    explain: {description: Why it has this port, type: str}
    title: {description: The service's title, type: str}
    layer: {description: The service's layer, type: str}
    purpose: {description: The service's purpose, type: str}
  sample:
    - {id: optiinfra/portal.http, published: 3001, target: 3000, host_ip: 127.0.0.1, reason: preferred}
moves:
  description: Endpoints that are not where they were or wanted to be.
  returned: success
  type: list
  elements: dict
  sample:
    - endpoint: ollamamax/postgres.sql
      from: 5432
      to: 5433
      why: 5432 belongs to optiinfra/postgres.sql (earlier in the order)
      because_of: optiinfra/postgres.sql
host:
  description: What hosts that are planned with this one have to know, for O(peers).
  returned: with O(state=looked)
  type: dict
lock:
  description: The file that keeps the assignments.
  returned: success
  type: str
"""

import contextlib
import platform

from ansible_collections.optiinfra.platform.plugins.module_utils import _base, _lock, _peers, _plan, _sockets, _stack
from ansible_collections.optiinfra.platform.plugins.module_utils._binding import port_number


def _overrides(values):
    checked = {}
    for name, port in values.items():
        try:
            checked[name] = port_number(port)
        except ValueError as exc:
            raise _stack.StackError("overrides.{0}: {1!r}: {2}".format(name, port, exc)) from None
    return checked


def _stacks(items):
    """Return ([name], [Endpoint]) of the stacks as the action plugin resolved them."""
    names, endpoints = [], []
    for item in items:
        name, found = _stack.parse_stack(item["definition"], item["source"], item["environment"])
        if name in names:
            raise _stack.StackError("{0}: name: the stack {1!r} is given twice".format(item["source"], name))
        names.append(name)
        endpoints.extend(found)
    return names, endpoints


def _host(avoid_listeners):
    ephemeral, reserved = _sockets.host_ports()
    listeners = tuple(found.binding for found in _sockets.listeners()) if avoid_listeners else ()
    return _plan.Host(ephemeral, reserved, listeners)


def work(module):
    params = module.params
    path = params["lock"]
    names, endpoints = _stacks(params["stacks"])
    overrides = _overrides(params["overrides"])
    if params["state"] == "looked":
        lock = _lock.parse(_lock.read(path), path)
        return {"changed": False, "host": _peers.seen(platform.node(), _host(True), lock), "lock": path}
    with contextlib.nullcontext() if module.check_mode else _lock.exclusive(path):
        before = _lock.read(path)
        lock = _lock.parse(before, path)
        others = {key: entry for key, entry in lock.items() if key.split("/", 1)[0] not in names}
        if params["state"] == "absent":
            assignments, moves, after = [], [], _lock.render(others)
        else:
            given = (_host(params["avoid_listeners"]), lock, ())
            host, known, elsewhere = _peers.together(params["peers"], names) if params["peers"] else given
            assignments, moves = _plan.plan(endpoints, known, overrides, host, names, elsewhere, lock)
            after = _lock.render({**others, **_plan.locked(assignments)})
        if after != before and not module.check_mode:
            _lock.write(path, after)
    return {
        "changed": after != before,
        "assignments": assignments,
        "moves": moves,
        "lock": path,
        "diff": {"before_header": path, "after_header": path, "before": before, "after": after},
    }


def main():
    _base.run(
        {
            "stacks": {"type": "list", "elements": "raw", "required": True},
            "lock": {"type": "path", "default": "/var/lib/optiinfra/ports.json"},
            "environment": {"type": "dict", "default": {}},
            "overrides": {"type": "dict", "default": {}},
            "avoid_listeners": {"type": "bool", "default": True},
            "peers": {"type": "list", "elements": "dict", "default": []},
            "state": {"type": "str", "choices": ["present", "absent", "looked"], "default": "present"},
        },
        work,
    )


if __name__ == "__main__":
    main()
