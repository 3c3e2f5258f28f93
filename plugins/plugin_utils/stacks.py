# Copyright: (c) 2026, The optiinfra.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Find and read stack files on the controller, where YAML can be read."""

from __future__ import annotations

import os
import re
from pathlib import Path

from ansible_collections.optiinfra.platform.plugins.module_utils._stack import StackError
from ansible_collections.optiinfra.platform.plugins.plugin_utils import compose

ROLES = Path(__file__).resolve().parents[2] / "roles"


def known_stacks():
    """Return the names of the stacks that this collection carries."""
    return sorted(path.parent.parent.name for path in ROLES.glob("*/files/compose.yaml"))


def read_yaml(text, source):
    """Return the mapping that a Compose file by itself holds.

    :raises StackError: naming file and line
    """
    return compose.plain(compose.parse_yaml(text, source), source)


def _paths(item, basedir):
    """Return the files of a stack that is given by name, by a file or folder, or by several files."""
    if isinstance(item, list):
        if not item:
            raise StackError("stacks: an empty list names no file")
        return [path for one in item for path in _paths(one, basedir)]
    if not isinstance(item, (str, os.PathLike)) or not str(item):
        raise StackError(f"stacks: {item!r} is neither a name, a path nor a mapping")
    own = ROLES / str(item) / "files" / "compose.yaml"
    if re.match(r"^[a-z0-9_]+$", str(item)) and own.is_file():
        return [own]
    path = Path(basedir) / Path(str(item)).expanduser()
    if path.is_dir():
        found = compose.files_of(path)
        if not found:
            raise StackError(f"stacks: there is no {', '.join(compose.NAMES)} in {path}")
        return found
    if not path.is_file():
        raise StackError(
            f"stacks: {str(item)!r} is no stack of this collection ({', '.join(known_stacks())}) and no file at {path}"
        )
    return [path]


def load_stack(item, basedir="."):
    """Return {definition, source, environment} of a stack.

    :arg item: a name of this collection's stacks, a Compose file, a folder with one, a list of files that are merged,
        {files: one of these, profiles: [name]}, or the project itself as a mapping with services
    :arg basedir: folder on the controller that relative paths begin at
    :raises StackError: naming what was given
    """
    profiles = []
    if isinstance(item, dict):
        if "files" not in item or "services" in item:
            return {"definition": dict(item), "source": f"stack {item.get('name', '(inline)')}", "environment": {}}
        unknown = sorted(set(item) - {"files", "profiles", "name"})
        if unknown:
            raise StackError(f"stacks: unknown key {unknown[0]!r} beside files; known are files, name and profiles")
        profiles = item.get("profiles") or []
        if not isinstance(profiles, list) or not all(isinstance(one, str) for one in profiles):
            raise StackError(f"stacks: profiles: a list of names is expected, not {profiles!r}")
    paths = _paths(item["files"] if isinstance(item, dict) else item, basedir)
    source = ", ".join(str(path) for path in paths)
    environment = compose.read_env(paths[0].parent / ".env")
    definition = compose.without_inactive(compose.Project(environment).load(paths), profiles, source)
    if isinstance(item, dict) and item.get("name"):
        definition["name"] = item["name"]
    definition.setdefault("name", compose.project_name(paths[0]))
    return {"definition": definition, "source": source, "environment": environment}
