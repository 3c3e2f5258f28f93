# Copyright: (c) 2026, The optiinfra.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""YAML as Compose reads it, with its tags, and without what would never end."""

from __future__ import annotations

import re

import yaml
from ansible_collections.optiinfra.platform.plugins.module_utils._stack import StackError

# A file of a few lines can stand for billions of nodes by aliases; no project is as large as this, or as deep.
SIZE, NODES, DEPTH = 250_000, 200_000, 60
MERGE = "tag:yaml.org,2002:merge"


class Tagged:
    """A value with !reset or !override: says what becomes of the value of earlier files."""

    def __init__(self, tag, value):
        self.tag, self.value = tag, value


class _Loader(yaml.SafeLoader):
    """YAML as Compose reads it: 1.2's booleans and numbers (22:22 is a text), and no key twice."""

    def __init__(self, stream):
        super().__init__(stream)
        self._flat = {}

    def flatten_mapping(self, node):
        """Put in what ``<<`` merges; once a node, and each key once, since every level can double what is below."""
        if id(node) in self._flat:
            if not self._flat[id(node)]:
                raise yaml.constructor.ConstructorError(None, None, "a mapping merges itself", node.start_mark)
            return
        self._flat[id(node)] = False
        self._refuse_twice(node)
        super().flatten_mapping(node)
        last = {
            (key.tag, key.value) if isinstance(key, yaml.ScalarNode) else id(key): (key, v) for key, v in node.value
        }
        node.value = list(last.values())
        self._flat[id(node)] = True

    def _refuse_twice(self, node):
        seen = {}
        for key_node, _value in node.value:
            if key_node.tag == MERGE:
                continue
            if not isinstance(key_node, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(None, None, "a key is a text", key_node.start_mark)
            key = key_node.value
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key!r} is there twice, first in line {seen[key] + 1}", key_node.start_mark
                )
            seen[key] = key_node.start_mark.line

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


def documents(text, source):
    """Return the mappings that a Compose file holds, one for each document, with Tagged values where there are tags.

    :raises StackError: naming file and line
    """
    if len(text) > SIZE:
        raise StackError(f"{source}: {len(text)} characters are too many for a Compose file")
    try:
        found = [data for data in yaml.load_all(text, Loader=_Loader) if data is not None]
    except yaml.MarkedYAMLError as exc:
        mark = exc.problem_mark or exc.context_mark
        line = f", line {mark.line + 1}" if mark else ""
        raise StackError(f"{source}{line}: not YAML: {exc.problem or exc.context}") from None
    except RecursionError:
        raise StackError(f"{source}: too deep for a Compose file") from None
    except (yaml.YAMLError, ValueError) as exc:
        raise StackError(f"{source}: not YAML: {' '.join(str(exc).split())[:200]}") from None
    for data in found or [None]:
        if not isinstance(data, dict):
            raise StackError(f"{source}: a stack is a mapping with the key services, not {type(data).__name__}")
    return found


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
            return {k: self.copy(v, depth + 1) for k, v in value.items() if not is_reset(v)}
        if isinstance(value, list):
            return [self.copy(item, depth + 1) for item in value if not is_reset(item)]
        return value


def is_reset(value):
    return isinstance(value, Tagged) and value.tag == "!reset"


def plain(value, source):
    """Return a copy of a value without tags.

    :raises StackError: when it is larger or deeper than any project
    """
    return _Walk(source).copy(value)
