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
from pathlib import Path

import yaml
from ansible_collections.optiinfra.platform.plugins.module_utils._interpolate import InterpolationError, interpolate
from ansible_collections.optiinfra.platform.plugins.module_utils._stack import StackError

NAMES = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")
OVERRIDES = tuple(name.replace("compose.y", "compose.override.y") for name in NAMES)
# A file of a few lines can stand for billions of nodes by aliases; no project has as many as these, or as deep.
NODES, DEPTH = 200_000, 60
# Lists that a later file replaces, and those that are mappings in disguise.
REPLACED = ("command", "entrypoint", "test")
MAPPED = ("environment", "labels", "annotations", "sysctls", "args")
NAMED = ("depends_on", "networks")


class Tagged:
    """A value with !reset or !override: says what becomes of the value of earlier files."""

    def __init__(self, tag, value):
        self.tag, self.value = tag, value


class _Loader(yaml.SafeLoader):
    """YAML as Compose reads it: 1.2's booleans and numbers (22:22 is a text), and no key twice."""

    def construct_mapping(self, node, deep=False):
        seen = {}
        for key_node, _value in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":
                continue
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, (dict, list)):
                raise yaml.constructor.ConstructorError(None, None, "a key is a text", key_node.start_mark)
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key!r} is there twice, first in line {seen[key] + 1}", key_node.start_mark
                )
            seen[key] = key_node.start_mark.line
        return super().construct_mapping(node, deep)

    def construct_tagged(self, node):
        if isinstance(node, yaml.MappingNode):
            value = self.construct_mapping(node, deep=True)
        elif isinstance(node, yaml.SequenceNode):
            value = self.construct_sequence(node, deep=True)
        else:
            plain = yaml.ScalarNode(self.resolve(yaml.ScalarNode, node.value, (True, False)), node.value)
            value = self.construct_object(plain)
        return Tagged(node.tag, value)


_Loader.yaml_implicit_resolvers = {
    first: [
        (tag, pattern)
        for tag, pattern in resolvers
        if tag.rsplit(":", 1)[1] not in ("bool", "int", "float", "timestamp")
    ]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)
_Loader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"^[-+]?[0-9]+$"), list("-+0123456789"))
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?$"),
    list("-+.0123456789"),
)
# 0123 is a text or a number by taste, never octal.
_Loader.add_constructor("tag:yaml.org,2002:int", lambda loader, node: int(loader.construct_scalar(node), 10))
_Loader.add_constructor("!reset", _Loader.construct_tagged)
_Loader.add_constructor("!override", _Loader.construct_tagged)


def parse_yaml(text, source):
    """Return the mapping that a Compose file holds, with Tagged values where there are tags.

    :raises StackError: naming file and line
    """
    try:
        data = yaml.load(text, Loader=_Loader)  # noqa: S506 - derived from SafeLoader
    except yaml.MarkedYAMLError as exc:
        mark = exc.problem_mark or exc.context_mark
        line = f", line {mark.line + 1}" if mark else ""
        raise StackError(f"{source}{line}: not YAML: {exc.problem or exc.context}") from None
    except (yaml.YAMLError, RecursionError, ValueError) as exc:
        raise StackError(f"{source}: not YAML: {' '.join(str(exc).split())[:200]}") from None
    if not isinstance(data, dict):
        raise StackError(f"{source}: a stack is a mapping with the key services, not {type(data).__name__}")
    return data


class _Walk:
    """Copies values, so that none is shared by aliases, and ends when there are too many."""

    def __init__(self, source):
        self.source, self.left = source, NODES

    def copy(self, value, depth=0):
        """Return the value without tags: what !reset stands before is gone, what !override stands before stays."""
        self.left -= 1
        if self.left < 0 or depth > DEPTH:
            raise StackError(f"{self.source}: too large or too deep for a Compose file (aliases that contain aliases?)")
        if isinstance(value, Tagged):
            return None if value.tag == "!reset" else self.copy(value.value, depth + 1)
        if isinstance(value, dict):
            return {k: self.copy(v, depth + 1) for k, v in value.items() if not _is_reset(v)}
        if isinstance(value, list):
            return [self.copy(item, depth + 1) for item in value if not _is_reset(item)]
        return value


def _is_reset(value):
    return isinstance(value, Tagged) and value.tag == "!reset"


def plain(value, source):
    """Return a copy of a value without tags.

    :raises StackError: when it is larger or deeper than any project
    """
    return _Walk(source).copy(value)


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


def merge(earlier, later, key="", depth=0):
    """Return what two files say together: mappings key by key, lists one after the other, else the later one.

    :arg key: the name below which the values stand, which decides how lists are merged
    :arg later: may hold Tagged values
    """
    if depth > DEPTH:
        raise StackError("too deep for a Compose file")
    if isinstance(later, Tagged):
        return None if later.tag == "!reset" else later.value
    if key in MAPPED and {type(earlier), type(later)} == {dict, list}:
        earlier, later = _mapping(earlier), _mapping(later)
    if key in NAMED and {type(earlier), type(later)} == {dict, list}:
        earlier, later = (dict.fromkeys(v) if isinstance(v, list) else v for v in (earlier, later))
    if isinstance(earlier, dict) and isinstance(later, dict):
        merged = dict(earlier)
        for name, value in later.items():
            if _is_reset(value):
                merged.pop(name, None)
            elif name in merged:
                merged[name] = merge(merged[name], value, str(name), depth + 1)
            else:
                merged[name] = value.value if isinstance(value, Tagged) else value
        return merged
    if isinstance(earlier, list) and isinstance(later, list) and key not in REPLACED:
        if key in MAPPED:
            return [f"{k}={v}" if v is not None else k for k, v in {**_mapping(earlier), **_mapping(later)}.items()]
        found = {_item_key(key, item): item for item in earlier}
        found.update((_item_key(key, item), item) for item in later if not isinstance(item, Tagged))
        return list(found.values())
    return earlier if later is None and isinstance(earlier, (dict, list)) else later


class Project:
    """Reads the files of one project.

    :arg environment: {NAME: value} for paths in ``extends`` and ``include``
    """

    def __init__(self, environment, seen=()):
        self.environment = environment
        self._seen = seen

    def load(self, paths):
        """Return the project that the files make, the later ones over the earlier ones."""
        whole = {}
        for path in paths:
            one = self._file(path)
            whole = merge(whole, one) if whole else one
        return plain(whole, str(paths[0]))

    def _text(self, value, where):
        if not isinstance(value, str):
            raise StackError(f"{where}: a text is expected, not {type(value).__name__}")
        try:
            return interpolate(value, self.environment)
        except InterpolationError as exc:
            raise StackError(f"{where}: {exc}") from None

    def _read(self, path):
        try:
            return parse_yaml(path.read_text(encoding="utf-8"), str(path))
        except (OSError, UnicodeDecodeError) as exc:
            raise StackError(f"{path}: cannot be read: {exc}") from None

    def _file(self, path):
        """Return a file with what it extends and includes."""
        data = self._read(path)
        plain(data, str(path))  # Ends here when it is a bomb.
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
        if (path, name) in chain:
            raise StackError(
                f"{here}.extends: {' -> '.join(n for _p, n in (*chain, (path, name)))} goes round in a circle"
            )
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
            if not where.is_file():
                raise StackError(f"{here}.extends.file: there is no file {where}")
            others = self._read(where).get("services")
        if not isinstance(others, dict) or base not in others:
            raise StackError(f"{here}.extends.service: there is no service {base!r} in {where}")
        below = self._extended(base, others, where, (*chain, (path, name)))
        return merge(below, {key: value for key, value in service.items() if key != "extends"}, name)

    def _included(self, data, item, path, where):
        """Return a project with another one beside its own services."""
        item = {"path": item} if isinstance(item, (str, list)) else item
        if not isinstance(item, dict) or not item.get("path"):
            raise StackError(f"{where}: a path, or a mapping with path, is expected")
        paths = [path.parent / self._text(one, f"{where}.path") for one in _listed(item["path"], f"{where}.path")]
        for one in paths:
            if not one.is_file():
                raise StackError(f"{where}.path: there is no file {one}")
            if one.resolve() in self._seen or one.resolve() == path.resolve():
                raise StackError(f"{where}.path: {one} includes itself")
        folder = path.parent / item["project_directory"] if item.get("project_directory") else paths[0].parent
        files = _listed(item.get("env_file"), f"{where}.env_file")
        own = {}
        for name in files or [folder / ".env"]:
            own.update(read_env(path.parent / name))
        environment = {**own, **self.environment}
        seen = (*self._seen, path.resolve())
        included = replaced(Project(environment, seen).load(paths), environment, str(paths[0]))
        for kind in ("services", "networks", "volumes", "configs", "secrets"):
            theirs, ours = included.get(kind) or {}, data.get(kind) or {}
            clash = sorted(set(theirs) & set(ours)) if isinstance(theirs, dict) and isinstance(ours, dict) else []
            if clash and any(theirs[name] != ours[name] for name in clash):
                raise StackError(f"{where}: {kind}.{clash[0]} is there already; an include cannot change it")
            if theirs:
                data[kind] = {**theirs, **ours}
        return data


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
            kept[name] = service
    return {**definition, "services": kept}


def read_env(path):
    """Return {NAME: value} of a .env file, {} when there is none.

    :raises StackError: when it cannot be read
    """
    values = {}
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return values
    except (OSError, UnicodeDecodeError) as exc:
        raise StackError(f"{path}: cannot be read: {exc}") from None
    for line in lines:
        match = re.match(r"^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*?)\s*$", line)
        if match:
            value = match.group(2)
            quoted = re.match(r"""^(['"])(.*)\1(?:\s+#.*)?$""", value)
            values[match.group(1)] = quoted.group(2) if quoted else re.sub(r"\s+#.*$", "", value)
    return values


def files_of(folder):
    """Return the files that Compose takes in a folder: the project and its override, [] when there is none."""
    found = [next((folder / name for name in names if (folder / name).is_file()), None) for names in (NAMES, OVERRIDES)]
    return [path for path in found if path] if found[0] else []


def project_name(path):
    """Return Compose's default name of a project: its folder's, in the letters that a name may have."""
    folder = os.path.basename(os.path.dirname(os.path.abspath(path)))
    return re.sub(r"^[^a-z0-9]+", "", re.sub(r"[^a-z0-9_-]", "", folder.lower())) or "stack"
