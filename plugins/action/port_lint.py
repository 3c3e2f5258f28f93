# Copyright: (c) 2026, The optiinfra.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Audits files on the controller, where YAML can be read with its lines. No module runs on the host."""

from __future__ import annotations

import datetime
import json
import os
import tempfile
from pathlib import Path

from ansible.plugins.action import ActionBase
from ansible_collections.optiinfra.platform.plugins.module_utils import _accept
from ansible_collections.optiinfra.platform.plugins.module_utils._stack import StackError
from ansible_collections.optiinfra.platform.plugins.plugin_utils.lint import audit, baseline, codes, sarif

ACCEPT = {
    "code": {"type": "str", "required": True},
    "subject": {"type": "str", "required": True},
    "file": {"type": "str"},
    "until": {"type": "str"},
    "reason": {"type": "str"},
}
SPEC = {
    "paths": {"type": "list", "elements": "path", "required": True},
    "root": {"type": "path"},
    "exclude": {"type": "list", "elements": "str", "default": []},
    "accept": {"type": "list", "elements": "dict", "default": [], "options": ACCEPT},
    "baseline": {"type": "path"},
    "update_baseline": {"type": "bool", "default": False},
    "fail_on": {"type": "str", "choices": ["never", *codes.SEVERITIES], "default": "never"},
    "sarif": {"type": "path"},
}


def _write(path, text, check):
    """Write a file whole when it differs, and tell whether it did."""
    try:
        if path.is_file() and path.read_bytes() == text.encode():
            return False
        if check:
            return True
        # A reader never sees half a file.
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=path.parent, delete=False) as handle:
            handle.write(text)
        os.chmod(handle.name, 0o644)
        os.replace(handle.name, path)
    except OSError as exc:
        raise StackError(f"{path} cannot be written: {exc.strerror or exc}") from None
    return True


class ActionModule(ActionBase):
    """Action plugin of port_lint."""

    _supports_check_mode = True
    _supports_async = False
    _requires_connection = False

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        _validation, args = self.validate_argument_spec(argument_spec=SPEC)
        try:
            found, changed = self._lint(args)
        except StackError as exc:
            return {**result, "failed": True, "msg": str(exc)}
        result.update(found, changed=changed, report=audit.report(found))
        least = args["fail_on"]
        if least != "never" and any(
            codes.SEVERITIES.index(f["severity"]) >= codes.SEVERITIES.index(least) for f in found["findings"]
        ):
            result.update(failed=True, msg="\n".join(result["report"]))
        return result

    def _path(self, text):
        return Path(os.path.abspath(Path(self._loader.get_basedir(), text)))

    def _lint(self, args):
        """Return (result of the audit, whether a file was written)."""
        paths = [self._path(text) for text in args["paths"]]
        for text, path in zip(args["paths"], paths, strict=True):
            if not path.exists():
                raise StackError(f"paths: there is no {text!r} on the controller ({path})")
        if not paths:
            raise StackError("paths: at least one file or folder is expected")
        folders = [str(path if path.is_dir() else path.parent) for path in paths]
        root = self._path(args["root"]) if args["root"] else Path(os.path.commonpath(folders))
        for path in paths:
            if not path.is_relative_to(root):
                raise StackError(f"root: {path} is not below {root}")
        accept = baseline.checked(args["accept"])
        file = self._path(args["baseline"]) if args["baseline"] else None
        if args["update_baseline"] and not file:
            raise StackError("update_baseline: needs the option baseline, the file to write")
        known, lines = baseline.read(file) if file and (file.exists() or not args["update_baseline"]) else ([], [])
        names = [str(path) for path in paths]
        today = "" if args["update_baseline"] else datetime.date.today().isoformat()
        found = audit.lint(names, str(root), args["exclude"], [*accept, *known], today)
        unneeded = found.pop("unneeded")
        changed = False
        if args["update_baseline"]:
            # What the option accepts need not be in the file as well.
            rest = [f for f in found["accepted"] if _accept.split([f], accept, "")[0]] + found["findings"]
            text = baseline.text_of(baseline.updated(known, rest))
            changed = _write(file, text, self._task.check_mode)
            found["accepted"] += found["findings"]
            found["findings"] = []
        elif file:
            name = os.path.relpath(file, root).replace(os.sep, "/")
            found["findings"] += audit.about_baseline(name, known, lines, unneeded)
            found["findings"].sort(key=lambda f: -codes.SEVERITIES.index(f["severity"]))
        if args["sarif"]:
            text = json.dumps(sarif.to_sarif(found), indent=2) + "\n"
            changed = _write(self._path(args["sarif"]), text, self._task.check_mode) or changed
        return {**found, "root": str(root)}, changed
