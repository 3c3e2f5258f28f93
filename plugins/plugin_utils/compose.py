# Copyright: (c) 2026, The optiinfra.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One Compose project out of its files: YAML as Compose reads it, merging, extends, include, profiles.

Source: https://github.com/compose-spec/compose-spec, files 13-merge.md, 05-services.md (extends), 14-include.md and
15-profiles.md.
Compared with ``docker compose config`` by tests/integration/test_compose_corpus.py.
"""

from __future__ import annotations

import os
import re

from ansible_collections.optiinfra.platform.plugins.module_utils._interpolate import InterpolationError, interpolate
from ansible_collections.optiinfra.platform.plugins.module_utils._stack import StackError
from ansible_collections.optiinfra.platform.plugins.plugin_utils import dotenv
from ansible_collections.optiinfra.platform.plugins.plugin_utils.compose_yaml import (
    DEPTH,
    Tagged,
    documents,
    is_reset,
    plain,
)

NAMES = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")
OVERRIDES = tuple(name.replace("compose.y", "compose.override.y") for name in NAMES)
# Files may include files that include files: none has as many as this.
FILES = 500
# Lists that a later file replaces, and those that are mappings in disguise.
REPLACED = ("command", "entrypoint", "test")
MAPPED = ("environment", "labels", "annotations", "sysctls", "args")
NAMED = ("depends_on", "networks")


def _mapping(value):
    """Return a list of NAME=VALUE, or of names, as a mapping."""
    if not isinstance(value, list):
        return value
    return {str(item).partition("=")[0]: str(item).partition("=")[2] if "=" in str(item) else None for item in value}


def _port_key(port):
    """Return what makes two port entries the same: address, published and container port, protocol."""
    if isinstance(port, dict):
        return tuple(
            str(port.get(k) or d) for k, d in (("host_ip", ""), ("published", ""), ("target", ""), ("protocol", "tcp"))
        )
    text, _slash, protocol = str(port).partition("/")
    rest, _colon, target = text.rpartition(":")
    host_ip, _colon, published = rest.rpartition(":")
    return host_ip.strip("[]"), published, target, protocol or "tcp"


def _item_key(key, item):
    if key == "ports":
        return _port_key(item)
    if key in ("volumes", "configs", "secrets") and isinstance(item, dict):
        return str(item.get("target") or item.get("source"))
    if key == "volumes":
        parts = str(item).split(":")
        return parts[1] if len(parts) > 1 else parts[0]
    return str(item)


def merge(earlier, later, key="", depth=0, tags=False):
    """Return what two files say together: mappings key by key, lists one after the other, else the later one.

    :arg key: the name below which the values stand, which decides how lists are merged
    :arg later: may hold Tagged values
    :arg tags: whether these stay, for what they are about comes later (a service and the one it extends)
    """
    if depth > DEPTH:
        raise StackError("too deep for a Compose file")
    if isinstance(later, Tagged):
        return later if tags else None if later.tag == "!reset" else later.value
    if key in MAPPED and {type(earlier), type(later)} == {dict, list}:
        earlier, later = _mapping(earlier), _mapping(later)
    if key in NAMED and {type(earlier), type(later)} == {dict, list}:
        earlier, later = (dict.fromkeys(v) if isinstance(v, list) else v for v in (earlier, later))
    if isinstance(earlier, dict) and isinstance(later, dict):
        merged = dict(earlier)
        for name, value in later.items():
            if is_reset(value) and not tags:
                merged.pop(name, None)
            else:
                merged[name] = merge(merged.get(name), value, str(name), depth + 1, tags)
        return merged
    if isinstance(earlier, list) and isinstance(later, list) and key not in REPLACED:
        if key in MAPPED:
            return [f"{k}={v}" if v is not None else k for k, v in {**_mapping(earlier), **_mapping(later)}.items()]
        found = {_item_key(key, item): item for item in earlier}
        found.update((_item_key(key, item), item) for item in later if not isinstance(item, Tagged))
        return list(found.values())
    return earlier if later is None and isinstance(earlier, (dict, list)) else later


def parse(text, source):
    """Return the project in a file's text, its documents merged, with Tagged values.

    :raises StackError: naming file and line
    """
    whole = {}
    for data in documents(text, source):
        plain(data, source)  # Ends here when it is a bomb.
        whole = merge(whole, data) if whole else data
    return whole


class Project:
    """Reads the files of one project.

    :arg environment: {NAME: value} for paths in ``extends`` and ``include``
    """

    def __init__(self, environment, seen=(), cache=None):
        self.environment = environment
        self._seen = seen
        self._cache = {} if cache is None else cache

    def load(self, paths):
        """Return the project that the files make, the later ones over the earlier ones."""
        whole = {}
        for path in paths:
            # Counted, not only cached: files that include each other twice double with each level.
            self._cache["loaded"] = self._cache.get("loaded", 0) + 1
            if self._cache["loaded"] > FILES:
                raise StackError(f"{path}: more than {FILES} files are too many for one project")
            one = self._resolved(dict(self._read(path)), path)
            whole = merge(whole, one) if whole else one
        return plain(whole, str(paths[0]))

    def inline(self, definition, path):
        """Return the project given as a mapping, as if it were read from ``path``."""
        return plain(self._resolved(plain(definition, path.name), path), path.name)

    def _text(self, value, where):
        if not isinstance(value, str):
            raise StackError(f"{where}: a text is expected, not {type(value).__name__}")
        try:
            return interpolate(value, self.environment)
        except InterpolationError as exc:
            raise StackError(f"{where}: {exc}") from None

    def _read(self, path):
        """Return the project in a file, which is read once."""
        key = path.resolve()
        if key not in self._cache:
            try:
                self._cache[key] = parse(path.read_text(encoding="utf-8"), str(path))
            except (OSError, ValueError) as exc:
                if isinstance(exc, StackError):
                    raise
                raise StackError(f"{path}: cannot be read: {exc}") from None
        return self._cache[key]

    def _resolved(self, data, path):
        """Return a project with what it extends and includes."""
        services = data.get("services")
        if isinstance(services, dict):
            # As it was in the file: a service may extend one that extends another.
            data["services"] = {
                name: self._extended(str(name), services, path, ()) if isinstance(service, dict) else service
                for name, service in services.items()
            }
        for index, item in enumerate(_listed(data.pop("include", None), f"{path}: include")):
            data = self._included(data, item, path, f"{path}: include[{index}]")
        return data

    def _extended(self, name, services, path, chain):
        """Return a service with those that it extends merged below it."""
        here = f"{path}: services.{name}"
        service = services.get(name)
        link = (path.resolve(), name)
        if link in chain:
            raise StackError(f"{here}.extends: {' -> '.join(n for _p, n in (*chain, link))} goes round in a circle")
        if len(chain) > DEPTH:
            raise StackError(f"{here}.extends: a chain of more than {DEPTH} services is too long")
        if not isinstance(service, dict):
            raise StackError(f"{here}: a mapping is expected")
        extends = service.get("extends")
        if extends is None or isinstance(extends, Tagged):
            return {key: value for key, value in service.items() if key != "extends"}
        if isinstance(extends, str):
            extends = {"service": extends}
        if not isinstance(extends, dict) or not extends.get("service"):
            raise StackError(f"{here}.extends: the name of a service, or a mapping with service and file, is expected")
        base = self._text(extends["service"], f"{here}.extends.service")
        where, others = path, services
        if extends.get("file"):
            where = path.parent / self._text(extends["file"], f"{here}.extends.file")
            if not is_file(where):
                raise StackError(f"{here}.extends.file: there is no file {where}")
            others = self._read(where).get("services")
        if not isinstance(others, dict) or base not in others:
            raise StackError(f"{here}.extends.service: there is no service {base!r} in {where}")
        # Tags there are about the files before that one, not about this service.
        below = plain(self._extended(base, others, where, (*chain, link)), str(where))
        return merge(below, {key: value for key, value in service.items() if key != "extends"}, tags=True)

    def _included(self, data, item, path, where):
        """Return a project with another one beside its own services."""
        item = {"path": item} if isinstance(item, (str, list)) else item
        if not isinstance(item, dict) or not item.get("path"):
            raise StackError(f"{where}: a path, or a mapping with path, is expected")
        paths = [path.parent / self._text(one, f"{where}.path") for one in _listed(item["path"], f"{where}.path")]
        for one in paths:
            if not is_file(one):
                raise StackError(f"{where}.path: there is no file {one}")
            if one.resolve() in self._seen or one.resolve() == path.resolve():
                raise StackError(f"{where}.path: {one} includes itself")
        folder = paths[0].parent
        if item.get("project_directory"):
            folder = path.parent / self._text(item["project_directory"], f"{where}.project_directory")
        names = [self._text(name, f"{where}.env_file") for name in _listed(item.get("env_file"), f"{where}.env_file")]
        own = {}
        for file in [path.parent / name for name in names] or [folder / ".env"]:
            own.update(dotenv.read(file, self.environment))
        environment = {**own, **self.environment}
        seen = (*self._seen, path.resolve())
        if len(seen) > DEPTH:
            raise StackError(f"{where}: more than {DEPTH} files that include each other are too many")
        included = replaced(Project(environment, seen, self._cache).load(paths), environment, str(paths[0]))
        for kind in ("services", "networks", "volumes", "configs", "secrets"):
            theirs, ours = included.get(kind) or {}, data.get(kind) or {}
            for value, source in ((theirs, paths[0]), (ours, path)):
                if not isinstance(value, dict):
                    raise StackError(f"{source}: {kind}: a mapping is expected, not {value!r}"[:300])
            clash = sorted(set(theirs) & set(ours), key=str)
            if clash and any(theirs[name] != ours[name] for name in clash):
                raise StackError(f"{where}: {kind}.{clash[0]} is there already; an include cannot change it")
            if theirs:
                data[kind] = {**theirs, **ours}
        return data


def is_file(path):
    """Tell whether it is one; a name that no file can have is none either."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def _listed(value, where):
    if value is None:
        return []
    if isinstance(value, list):
        return value
    if isinstance(value, (str, dict)):
        return [value]
    raise StackError(f"{where}: a list is expected, not {type(value).__name__}")


def replaced(value, environment, source):
    """Return a value with the variables in its texts replaced."""
    if isinstance(value, dict):
        return {key: replaced(item, environment, source) for key, item in value.items()}
    if isinstance(value, list):
        return [replaced(item, environment, source) for item in value]
    if isinstance(value, str) and "$" in value:
        try:
            # An escaped dollar stays escaped for the reader that comes after.
            return interpolate(value, environment).replace("$", "$$")
        except InterpolationError as exc:
            raise StackError(f"{source}: {value!r}: {exc}") from None
    return value


def without_inactive(definition, profiles, source):
    """Return the project without the services whose profiles are not active.

    :arg profiles: active ones; ``*`` stands for all
    """
    services = definition.get("services")
    if not isinstance(services, dict):
        return definition
    kept = {}
    for name, service in services.items():
        wanted = service.get("profiles") if isinstance(service, dict) else None
        if wanted is not None and (not isinstance(wanted, list) or not all(isinstance(one, str) for one in wanted)):
            raise StackError(f"{source}: services.{name}.profiles: a list of names is expected")
        if not wanted or "*" in profiles or set(wanted) & set(profiles):
            # Without the word, so that it stays active wherever the project is handed to.
            kept[name] = {key: value for key, value in service.items() if key != "profiles"} if wanted else service
    return {**definition, "services": kept}


def files_of(folder):
    """Return the files that Compose takes in a folder: the project and its override, [] when there is none."""
    found = [next((folder / name for name in names if (folder / name).is_file()), None) for names in (NAMES, OVERRIDES)]
    return [path for path in found if path] if found[0] else []


def project_name(path):
    """Return Compose's default name of a project: its folder's, in the letters that a name may have."""
    folder = os.path.basename(os.path.dirname(os.path.abspath(path)))
    return re.sub(r"^[^a-z0-9]+", "", re.sub(r"[^a-z0-9_-]", "", folder.lower())) or "stack"
