# Copyright: (c) 2026, The optiinfra.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Find and read stack files on the controller, where YAML can be read."""

from __future__ import annotations

import os
import re
from pathlib import Path

import yaml
from ansible_collections.optiinfra.platform.plugins.module_utils._stack import StackError

ROLES = Path(__file__).resolve().parents[2] / "roles"


class _ComposeLoader(yaml.SafeLoader):
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


_ComposeLoader.yaml_implicit_resolvers = {
    first: [
        (tag, pattern)
        for tag, pattern in resolvers
        if tag.rsplit(":", 1)[1] not in ("bool", "int", "float", "timestamp")
    ]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_ComposeLoader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)
_ComposeLoader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"^[-+]?[0-9]+$"), list("-+0123456789"))
_ComposeLoader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?$"),
    list("-+.0123456789"),
)
# 0123 is a text or a number by taste, never octal.
_ComposeLoader.add_constructor("tag:yaml.org,2002:int", lambda loader, node: int(loader.construct_scalar(node), 10))


def known_stacks():
    """Return the names of the stacks that this collection carries."""
    return sorted(path.parent.parent.name for path in ROLES.glob("*/files/compose.yaml"))


def read_yaml(text, source):
    """Return the mapping that a Compose file holds.

    :raises StackError: naming file and line
    """
    try:
        data = yaml.load(text, Loader=_ComposeLoader)  # noqa: S506 - derived from SafeLoader
    except yaml.MarkedYAMLError as exc:
        mark = exc.problem_mark or exc.context_mark
        line = f", line {mark.line + 1}" if mark else ""
        raise StackError(f"{source}{line}: not YAML: {exc.problem or exc.context}") from None
    except (yaml.YAMLError, RecursionError, ValueError) as exc:
        raise StackError(f"{source}: not YAML: {' '.join(str(exc).split())[:200]}") from None
    if not isinstance(data, dict):
        raise StackError(f"{source}: a stack is a mapping with the key services, not {type(data).__name__}")
    return data


def read_env(path):
    """Return {NAME: value} of the .env file beside a Compose file, {} when there is none."""
    values = {}
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
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


def _project_name(path):
    """Return Compose's default name of a project: its folder's, in the letters that a name may have."""
    return re.sub(r"^[^a-z0-9]+", "", re.sub(r"[^a-z0-9_-]", "", path.resolve().parent.name.lower())) or "stack"


def load_stack(item, basedir="."):
    """Return {definition, source, environment} of a stack given by name, path or as the project itself.

    :arg basedir: folder on the controller that relative paths begin at
    :raises StackError: naming what was given
    """
    if isinstance(item, dict):
        return {"definition": dict(item), "source": f"stack {item.get('name', '(inline)')}", "environment": {}}
    if not isinstance(item, (str, os.PathLike)) or not str(item):
        raise StackError(f"stacks: {item!r} is neither a name, a path nor a mapping")
    own = ROLES / str(item) / "files" / "compose.yaml"
    path = (
        own if re.match(r"^[a-z0-9_]+$", str(item)) and own.is_file() else Path(basedir) / Path(str(item)).expanduser()
    )
    if not path.is_file():
        raise StackError(
            f"stacks: {str(item)!r} is no stack of this collection ({', '.join(known_stacks())}) and no file at {path}"
        )
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise StackError(f"{path}: cannot be read: {exc}") from None
    definition = read_yaml(text, str(path))
    definition.setdefault("name", _project_name(path))
    return {"definition": definition, "source": str(path), "environment": read_env(path.parent / ".env")}
