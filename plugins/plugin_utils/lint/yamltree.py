# Copyright: (c) 2026, The optiinfra.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""YAML as a tree of nodes that know their line: no types, no tags resolved, nothing executed, no recursion."""

from __future__ import annotations

import yaml

from .model import Unreadable

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
MAX_DEPTH = 200
_NOTHING = ("", "~", "null", "Null", "NULL")


class Node:
    """A mapping (``pairs``), sequence (``items``) or scalar (``text``) of a document."""

    __slots__ = ("_merged", "kind", "line", "plain", "tag", "value")

    def __init__(self, kind, value, line, tag="", plain=False):
        self.kind = kind
        self.value = value
        self.line = line
        self.tag = tag
        self.plain = plain
        self._merged = None

    @property
    def empty(self):
        """Tell whether it is null."""
        return self.kind == "text" and self.plain and self.value in _NOTHING

    @property
    def text(self):
        """Return a scalar's text, "" for null and for what is no scalar."""
        return "" if self.kind != "text" or self.empty else self.value

    @property
    def items(self):
        """Return a sequence's nodes, [] for anything else."""
        return self.value if self.kind == "list" else []

    @property
    def pairs(self):
        """Return {key: (key node, value node)} of a mapping with its merge keys applied, {} for anything else."""
        return self._merged or {}

    def merge(self):
        """Apply a finished mapping's merge keys. What it merges was finished before, so this never recurses."""
        own, inherited = {}, []
        for key, value in self.value:
            if key.plain and key.value == "<<":
                inherited.extend(value.items or [value])
            elif key.kind == "text":
                own[key.value] = (key, value)
        # The first of several merged mappings wins, and what is written wins over all.
        for other in inherited:
            for name, pair in other.pairs.items():
                own.setdefault(name, pair)
        self._merged = own

    def get(self, *names):
        """Return the node at a path of keys, a null node when there is none."""
        node = self
        for name in names:
            pair = node.pairs.get(name)
            if pair is None:
                return Node("text", "", self.line, plain=True)
            node = pair[1]
        return node

    def strings(self):
        """Return [(text, line)] of the scalars of a sequence, or of a single scalar."""
        nodes = self.items if self.kind == "list" else [self]
        return [(node.text, node.line) for node in nodes if node.kind == "text" and not node.empty]


def _error(text, exc):
    mark = getattr(exc, "problem_mark", None) or getattr(exc, "context_mark", None)
    line = mark.line + 1 if mark else text.count("\n", 0, getattr(exc, "position", 0) or 0) + 1
    problem = getattr(exc, "problem", None) or getattr(exc, "reason", None) or str(exc)
    return Unreadable(min(line, text.count("\n") + 1), f"not YAML: {' '.join(str(problem).split())[:200]}")


def _twice(pairs):
    """Raise for a key that a mapping has twice: tools refuse it, or silently drop one."""
    seen = {}
    for key, _value in pairs:
        if key.kind == "text" and key.value != "<<":
            if key.value in seen:
                raise Unreadable(key.line, f"the key {key.value!r} is there twice, first in line {seen[key.value]}")
            seen[key.value] = key.line


def load(text):
    """Return the documents of a YAML text as a list of nodes.

    :raises Unreadable: for anything that is not YAML, or nested absurdly deep
    """
    documents, anchors, stack = [], {}, []
    try:
        for event in yaml.parse(text, Loader=LOADER):
            line = event.start_mark.line + 1 if event.start_mark else 1
            kind = type(event).__name__
            if kind == "DocumentStartEvent":
                anchors = {}
            elif kind == "ScalarEvent":
                node = Node("text", event.value, line, event.tag or "", event.implicit[0] and not event.style)
                _place(event, node, anchors, stack, documents)
            elif kind in ("MappingStartEvent", "SequenceStartEvent"):
                node = Node("map" if kind.startswith("M") else "list", [], line, event.tag or "")
                _place(event, node, anchors, stack, documents)
                stack.append(node)
                if len(stack) > MAX_DEPTH:
                    raise Unreadable(line, f"nested deeper than {MAX_DEPTH} levels")
            elif kind in ("MappingEndEvent", "SequenceEndEvent"):
                node = stack.pop()
                if node.kind == "map":
                    flat = node.value
                    node.value = list(zip(flat[::2], flat[1::2], strict=False))
                    _twice(node.value)
                    node.merge()
            elif kind == "AliasEvent":
                if event.anchor not in anchors:
                    raise Unreadable(line, f"the alias *{event.anchor} has no anchor before it")
                stack[-1].value.append(anchors[event.anchor])
    except yaml.YAMLError as exc:
        raise _error(text, exc) from None
    return documents


def _place(event, node, anchors, stack, documents):
    if event.anchor:
        anchors[event.anchor] = node
    if stack:
        stack[-1].value.append(node)
    else:
        documents.append(node)
