# Copyright: (c) 2026, The optiinfra.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Find and read stack files on the controller, where YAML can be read."""

from __future__ import annotations

import os
import re
from pathlib import Path

from ansible_collections.optiinfra.platform.plugins.module_utils._stack import StackError
from ansible_collections.optiinfra.platform.plugins.plugin_utils import compose, dotenv

ROLES = Path(__file__).resolve().parents[2] / "roles"


def known_stacks():
    """Return the names of the stacks that this collection carries."""
    return sorted(path.parent.parent.name for path in ROLES.glob("*/files/compose.yaml"))


def _file(path, where):
    if not compose.is_file(path):
        raise StackError(f"{where}: there is no file at {path}")
    return path


def _paths(item, basedir, given):
    """Return the files of a stack that is given by name, by a file or folder, or by several files."""
    if isinstance(item, list):
        if not item:
            raise StackError("stacks: an empty list names no file")
        return [path for one in item for path in _paths(one, basedir, given)]
    if not isinstance(item, (str, os.PathLike)) or not str(item):
        raise StackError(f"stacks: {item!r} is neither a name, a path nor a mapping")
    own = ROLES / str(item) / "files" / "compose.yaml"
    if re.match(r"^[a-z0-9_]+$", str(item)) and own.is_file():
        return [own]
    path = Path(basedir) / Path(str(item)).expanduser()
    if path.is_dir():
        named = {**dotenv.read(path / ".env", given), **given}.get("COMPOSE_FILE")
        if named:
            return [_file(path / name, f"{path}: COMPOSE_FILE") for name in str(named).split(":")]
        found = compose.files_of(path)
        if not found:
            raise StackError(f"stacks: there is no {', '.join(compose.NAMES)} in {path}")
        return found
    return [_file(path, f"stacks: {str(item)!r} is no stack of this collection ({', '.join(known_stacks())})")]


def load_stack(item, basedir=".", given=None):
    """Return {definition, source, environment} of a stack.

    :arg item: a name of this collection's stacks, a Compose file, a folder with one, a list of files that are merged,
        {files: one of these, profiles: [name]}, or the project itself as a mapping with services
    :arg basedir: folder on the controller that relative paths begin at
    :arg given: {NAME: value} that comes before the .env file
    :raises StackError: naming what was given
    """
    given = given or {}
    if isinstance(item, dict) and ("files" not in item or "services" in item):
        name = item.get("name")
        source = f"stack {name}" if re.match(r"^[a-z0-9][a-z0-9_-]*\Z", str(name)) else "stack (inline)"
        definition = compose.Project(given).inline(item, Path(basedir) / source)
        return {"definition": compose.without_inactive(definition, [], source), "source": source, "environment": {}}
    choice = item if isinstance(item, dict) else {"files": item}
    unknown = sorted(str(key) for key in choice if key not in ("files", "profiles", "name"))
    if unknown:
        raise StackError(f"stacks: unknown key {unknown[0]!r} beside files; known are files, name and profiles")
    paths = _paths(choice["files"], basedir, given)
    source = ", ".join(str(path) for path in paths)
    environment = {**dotenv.read(paths[0].parent / ".env", given), **given}
    profiles = choice.get("profiles")
    if profiles is None:
        profiles = [name for name in str(environment.get("COMPOSE_PROFILES", "")).split(",") if name]
    if not isinstance(profiles, list) or not all(isinstance(one, str) for one in profiles):
        raise StackError(f"stacks: profiles: a list of names is expected, not {profiles!r}")
    definition = compose.without_inactive(compose.Project(environment).load(paths), profiles, source)
    name = choice.get("name") or environment.get("COMPOSE_PROJECT_NAME")
    if name:
        definition["name"] = name
    definition.setdefault("name", compose.project_name(paths[0]))
    return {"definition": definition, "source": source, "environment": environment}
