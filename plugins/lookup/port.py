# Copyright: (c) 2026, The optiinfra.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
name: port
short_description: Tell the port of an endpoint
version_added: 0.1.0
author:
  - The optiinfra.platform maintainers (@optiinfra)
description:
  - Returns the host port that was assigned to an endpoint, or its address, URL or the container's port.
  - Ports are what was assigned on a host, so a plan of that host is needed. Without O(assignments) it is what the role
    P(optiinfra.platform.stack#role) planned for this host earlier in the run (C(stack_together), C(stack_plan)).
options:
  _terms:
    description: Endpoints, as C(stack/service.name), or as C(service.name) where only one stack has it.
    required: true
  assignments:
    description:
      - What M(optiinfra.platform.port_plan) or M(optiinfra.platform.port_audit) returned, or the list of assignments in
        it, or the text or content of the lock of a host (C(/var/lib/optiinfra/ports.json)).
    type: raw
  what:
    description: What to tell of the endpoint.
    type: str
    choices: [port, url, address, target]
    default: port
  host:
    description: The host's name or address for V(url) and V(address), when seen from elsewhere.
    type: str
"""

EXAMPLES = r"""
- name: Read what was assigned on the host
  ansible.builtin.slurp:
    src: /var/lib/optiinfra/ports.json
  register: lock

- name: Use it
  ansible.builtin.debug:
    msg: >-
      {{ lookup('optiinfra.platform.port', 'optiinfra/clickhouse.native', assignments=lock.content | b64decode) }}

- name: After a role has deployed the stack
  ansible.builtin.uri:
    url: "{{ lookup('optiinfra.platform.port', 'grafana.http', what='url') }}/api/health"
"""

RETURN = r"""
_raw:
  description: Ports, or what O(what) says, in the order of the endpoints.
  type: list
  elements: raw
"""

from collections.abc import Mapping

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase
from ansible_collections.optiinfra.platform.plugins.module_utils import _audit, _base, _endpoints, _lock
from ansible_collections.optiinfra.platform.plugins.module_utils._stack import StackError


def _assignments(given):
    """Return the assignments in what was given.

    :raises StackError: when there are none in it
    """
    if isinstance(given, str):
        return _audit.declared_by_lock(_lock.parse(given, "assignments"))
    if isinstance(given, Mapping):
        if isinstance(given.get("assignments"), Mapping):
            return _assignments(_lock.render(dict(given["assignments"])))
        given = given.get("assignments", given.get("declared"))
    if not isinstance(given, (list, tuple)) or not all(isinstance(item, Mapping) for item in given):
        raise StackError("assignments: what port_plan or port_audit returned or the text of a lock is expected")
    return _base.checked_assignments(given)


def _planned(variables):
    """Return what was planned for this host in this run: all stacks together, then each again."""
    found = {}
    for name in ("stack_together", "stack_plan"):
        plan = variables.get(name)
        for assignment in (plan.get("assignments") if isinstance(plan, Mapping) else None) or ():
            found[assignment["id"]] = assignment
    if not found:
        raise StackError("no plan of this host is known here; give assignments")
    return list(found.values())


class LookupModule(LookupBase):
    """Lookup of ports."""

    def run(self, terms, variables=None, **kwargs):
        self.set_options(var_options=variables, direct=kwargs)
        given, what, host = (self.get_option(name) for name in ("assignments", "what", "host"))
        try:
            assignments = _planned(variables or {}) if given is None else _assignments(given)
            return [_endpoints.value(_endpoints.find(assignments, str(term)), what, host) for term in terms]
        except StackError as exc:
            raise AnsibleLookupError(str(exc)) from None
