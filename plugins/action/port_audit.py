# Copyright: (c) 2026, The optiinfra.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reads the baseline on the controller and hands the module what counts for this host."""

from __future__ import annotations

import fnmatch
from pathlib import Path

import yaml
from ansible.plugins.action import ActionBase
from ansible_collections.optiinfra.platform.plugins.module_utils import _accept, _audit
from ansible_collections.optiinfra.platform.plugins.module_utils._error import StackError


def baseline(path, names):
    """Return the entries of a baseline that count for a host.

    :arg names: the host's name and its groups'
    :raises StackError: naming file, entry, key and value
    """
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise StackError(f"baseline: there is no file {path}") from None
    except (OSError, UnicodeDecodeError) as exc:
        raise StackError(f"baseline: {path} cannot be read: {exc}") from None
    except (yaml.YAMLError, RecursionError, ValueError) as exc:
        raise StackError(f"baseline: {path} is not YAML: {' '.join(str(exc).split())[:200]}") from None
    items = data.get("accept") if isinstance(data, dict) else data
    if items is None:
        items = []
    hosts = []
    for index, item in enumerate(items if isinstance(items, list) else ()):
        if not isinstance(item, dict):
            continue
        if not item.get("reason"):
            raise StackError(f"{path}[{index}].reason: missing; say why it is accepted")
        patterns = item.pop("hosts", ["*"])
        patterns = [patterns] if isinstance(patterns, str) else patterns
        if not isinstance(patterns, list) or not all(isinstance(pattern, str) for pattern in patterns):
            raise StackError(f"{path}[{index}].hosts: {patterns!r} is no list of patterns")
        hosts.append(any(fnmatch.filter(names, pattern) for pattern in patterns))
    checked = _accept.checked(items, _audit.CODES, str(path))
    return [item for item, counts in zip(checked, hosts, strict=True) if counts]


class ActionModule(ActionBase):
    """Action plugin of port_audit."""

    _supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        args, task_vars = dict(self._task.args), task_vars or {}
        given = args.pop("baseline", None)
        if given:
            names = [task_vars.get("inventory_hostname", ""), *task_vars.get("group_names", [])]
            path = Path(self._loader.get_basedir()) / Path(str(given)).expanduser()
            accept = args.get("accept") or []
            try:
                if not isinstance(accept, list):
                    raise StackError(f"accept: a list of findings is expected, not {type(accept).__name__}")
                args["accept"] = [*accept, *baseline(path, names)]
            except StackError as exc:
                return {**result, "failed": True, "msg": str(exc)}
        result.update(self._execute_module("optiinfra.platform.port_audit", module_args=args, task_vars=task_vars))
        return result
