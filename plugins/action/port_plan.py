# Copyright: (c) 2026, The optiinfra.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reads the stacks on the controller and hands them to the module."""

from __future__ import annotations

from ansible.plugins.action import ActionBase
from ansible_collections.optiinfra.platform.plugins.module_utils._stack import StackError
from ansible_collections.optiinfra.platform.plugins.plugin_utils.stacks import load_stack


class ActionModule(ActionBase):
    """Action plugin of port_plan."""

    _supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        args = dict(self._task.args)
        given = args.get("stacks")
        items = given.split(",") if isinstance(given, str) else given
        environment = args.get("environment") or {}
        try:
            if not isinstance(items, list) or not items:
                raise StackError("stacks: a list of names, paths or mappings is expected")
            if not isinstance(environment, dict):
                raise StackError(f"environment: a mapping is expected, not {type(environment).__name__}")
            stacks = [
                load_stack(item.strip() if isinstance(item, str) else item, self._loader.get_basedir(), environment)
                for item in items
            ]
        except StackError as exc:
            return {**result, "failed": True, "msg": str(exc)}
        # What is given wins over the .env file beside the stack.
        args["stacks"] = [{**stack, "environment": {**stack["environment"], **environment}} for stack in stacks]
        result.update(self._execute_module("optiinfra.platform.port_plan", module_args=args, task_vars=task_vars))
        return result
