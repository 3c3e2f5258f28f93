#!/usr/bin/python
# Copyright: (c) 2026, The optiinfra.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: port_audit
short_description: Compare the ports that are declared with those that are open on a host
version_added: 0.1.0
author:
  - The optiinfra.platform maintainers (@optiinfra)
description:
  - Finds every listener (TCP and UDP, IPv4 and IPv6) with its process, user, systemd unit and container, and every port
    that the container engine publishes, in one pass.
  - Joins them with what is declared, which is what the given stacks are planned to have, or else what the lock on the
    host says, and returns findings with code, severity, evidence and remedy.
  - Reads only. Runs without privileges as well, and then says what it could not see.
extends_documentation_fragment:
  - optiinfra.platform.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
options:
  assignments:
    description:
      - What is declared, as M(optiinfra.platform.port_plan) returns it. Without it, what O(lock) says.
    type: list
    elements: dict
  lock:
    description: The file on the host that keeps the assignments of all its stacks.
    type: path
    default: /var/lib/optiinfra/ports.json
  fail_on:
    description: The least severity of a finding that makes the task fail.
    type: str
    choices: [never, info, warning, error]
    default: never
  accept:
    description: Findings that are known and accepted.
    type: list
    elements: dict
    default: []
    suboptions:
      code:
        description: The finding's code.
        type: str
        required: true
      subject:
        description: The finding's subject.
        type: str
        required: true
      until:
        description: The last day on which it is accepted, as C(YYYY-MM-DD).
        type: str
      reason:
        description: Why it is accepted.
        type: str
  docker_host:
    description: The engine's socket on the host. Defaults to E(DOCKER_HOST), then C(unix:///var/run/docker.sock).
    type: str
notes:
  - Filter rules are not examined yet, so a finding of exposure tells what is bound, not what a firewall lets through.
"""

EXAMPLES = r"""
# ansible all -m optiinfra.platform.port_audit
- name: Fail when anything is open that should not be
  optiinfra.platform.port_audit:
    fail_on: warning
    accept:
      - {code: undeclared-listener, subject: "0.0.0.0:22/tcp", reason: administration, until: "2027-06-30"}
"""

RETURN = r"""
report:
  description: The findings above severity info, a line each, and a closing line with their number.
  returned: success or failure
  type: list
  elements: str
findings:
  description: What does not fit, the most severe first.
  returned: success or failure
  type: list
  elements: dict
  contains:
    code: {description: Stable name of the kind of finding, type: str}
    severity: {description: "info, warning or error", type: str}
    subject: {description: "An endpoint, stack, container or address:port/protocol", type: str}
    evidence: {description: What was seen, type: str}
    remedy: {description: What to do, type: str}
accepted:
  description: Findings that O(accept) covers.
  returned: success or failure
  type: list
  elements: dict
open_ports:
  description: Every open port with its owner.
  returned: success or failure
  type: list
  elements: dict
  sample:
    - {address: 127.0.0.1, port: 5432, protocol: tcp, container: optiinfra-postgres, declared: optiinfra/postgres.sql}
unseen:
  description: What could not be examined, and why.
  returned: success or failure
  type: list
  elements: str
"""

import datetime
import os
import re

from ansible_collections.optiinfra.platform.plugins.module_utils import _audit, _base, _engine, _judge, _lock, _sockets
from ansible_collections.optiinfra.platform.plugins.module_utils._stack import StackError

ACCEPT = {
    "code": {"type": "str", "required": True},
    "subject": {"type": "str", "required": True},
    "until": {"type": "str"},
    "reason": {"type": "str"},
}


def _declared(params):
    if params["assignments"] is not None:
        return _base.checked_assignments(params["assignments"])
    return _audit.declared_by_lock(_lock.parse(_lock.read(params["lock"]), params["lock"]))


def _accepted(items):
    for index, item in enumerate(items):
        if item["code"] not in _audit.CODES:
            raise StackError(
                "accept[{0}].code: {1!r} is not one of {2}".format(index, item["code"], ", ".join(_audit.CODES))
            )
        if item["until"] and not re.match(r"^\d{4}-\d\d-\d\d$", item["until"]):
            raise StackError("accept[{0}].until: {1!r} is no day such as 2027-06-30".format(index, item["until"]))
    return items


def work(module):
    params = module.params
    assignments, accept = _declared(params), _accepted(params["accept"])
    unseen, containers = [], ()
    if os.geteuid() != 0:
        unseen.append("processes of other users: their listeners have no owner here (use become)")
    try:
        containers = tuple(_engine.Engine(params["docker_host"]).containers())
    except _engine.EngineError as exc:
        if not exc.absent:
            unseen.append("containers: {0}".format(exc))
    view = _judge.View(tuple(_sockets.listeners()), containers, _sockets.owners)
    ephemeral, reserved = _sockets.host_ports()
    today = datetime.date.today().isoformat()
    result = _audit.audit(assignments, view, ephemeral, reserved, accept, today)
    result.update(changed=False, unseen=unseen, report=_audit.report(result))
    if params["fail_on"] != "never":
        least = _audit.SEVERITIES.index(params["fail_on"])
        if any(_audit.SEVERITIES.index(f["severity"]) >= least for f in result["findings"]):
            module.fail_json(msg="\n".join(result["report"]), **result)
    return result


def main():
    _base.run(
        {
            "assignments": {"type": "list", "elements": "dict"},
            "lock": {"type": "path", "default": "/var/lib/optiinfra/ports.json"},
            "fail_on": {"type": "str", "choices": ["never", "info", "warning", "error"], "default": "never"},
            "accept": {"type": "list", "elements": "dict", "default": [], "options": ACCEPT},
            "docker_host": {"type": "str"},
        },
        work,
    )


if __name__ == "__main__":
    main()
