# Copyright: (c) 2026, The optiinfra.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The one place where the ports code meets Ansible: assignments as an argument, failures and results."""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule

from ._binding import PROTOCOLS, normal_address, port_number
from ._error import StackError

ASSIGNMENTS = {"type": "list", "elements": "dict", "required": True}
_NEEDED = ("id", "stack", "service", "endpoint", "published", "target", "host_ip", "protocol")
_OPTIONAL = {"app_protocol": "", "health": None, "title": "", "container": ""}


def run(spec, work, **options):
    """Run a module: ``work(module)`` returns its result; a StackError becomes its one clear failure."""
    module = AnsibleModule(argument_spec=spec, supports_check_mode=True, **options)
    try:
        module.exit_json(**work(module))
    except StackError as exc:
        module.fail_json(msg=str(exc))


def checked_assignments(items):
    """Return assignments whose ports and addresses are what they should be, whoever wrote them.

    :raises StackError: naming item, key and value
    """
    out = []
    for index, item in enumerate(items):
        where = "assignments[{0}]".format(index)
        for key in _NEEDED:
            if item.get(key) is None:
                raise StackError("{0}.{1}: missing; give what port_plan returns".format(where, key))
        entry = {**_OPTIONAL, **item}
        try:
            for key in ("published", "target"):
                entry[key] = port_number(item[key])
            key = "host_ip"
            entry[key] = normal_address(item[key])
        except ValueError as exc:
            raise StackError("{0}.{1}: {2!r}: {3}".format(where, key, item[key], exc)) from None
        if entry["protocol"] not in PROTOCOLS:
            raise StackError(
                "{0}.protocol: {1!r} is not one of {2}".format(where, entry["protocol"], ", ".join(PROTOCOLS))
            )
        out.append(entry)
    return out
