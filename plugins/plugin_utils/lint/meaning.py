# Copyright: (c) 2026, The optiinfra.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which services a document means: by the names of its rows, nearest projects first."""

from __future__ import annotations

import posixpath

from .names import alike, words

_NAMED_ENOUGH = 3


class Index:
    """The services of a tree by what documents call them, so that a big tree is not walked for every row."""

    def __init__(self, tree):
        self.tree = tree
        self.by_word, self.by_words, self.by_container, self._levels = {}, {}, {}, {}
        for family in tree.families:
            for service in family.services():
                names = {words(name) for name in (service.title, service.name, service.container) if name}
                containers = {service.container, service.name, *default_names(family, service)} - {""}
                for index, keys in (
                    (self.by_words, names),
                    (self.by_word, frozenset().union(*names)),
                    (self.by_container, containers),
                ):
                    for key in keys:
                        index.setdefault(key, {}).setdefault(family.folder, (family, []))[1].append(service)

    def levels(self, path):
        """Return groups of Families' folders, from those nearest to a document to all of them."""
        own = posixpath.dirname(path)
        if own not in self._levels:
            # An example is meant by documents in and above its own folder, not by those of the whole tree.
            known = [f.folder for f in self.tree.families if not f.example or (own and _within(f.folder, own))]
            folder, groups = own, []
            while folder:
                groups += [{folder} & set(known), {name for name in known if _within(name, folder)}]
                folder = posixpath.dirname(folder)
            groups += [{""} & set(known), set(known)]
            self._levels[own] = [group for group in groups if group]
        return self._levels[own]

    @staticmethod
    def pick(index, key, folders=None):
        """Return [(Family, [Service])] of a key, of all folders or of some."""
        found = index.get(key, {})
        if folders is not None and len(folders) < len(found):
            return [found[folder] for folder in sorted(folders) if folder in found]
        return [found[folder] for folder in sorted(found) if folders is None or folder in folders]

    def matching(self, name, folders=None):
        """Return [(Family, [Service])] of the services that a name means, those of the best agreement only."""
        found, seen = {}, set()
        for word in sorted(words(name)):
            for family, services in self.pick(self.by_word, word, folders):
                for service in services:
                    agreement = 0 if id(service) in seen else likeness(service, name)
                    seen.add(id(service))
                    if agreement:
                        found.setdefault(agreement, {}).setdefault(family.folder, (family, []))[1].append(service)
        return [found[max(found)][folder] for folder in sorted(found[max(found)])] if found else []

    def containers(self, name):
        """Return [(Family, [Service])] of the services whose container has a name."""
        return self.pick(self.by_container, name)


def index_of(tree):
    """Return the index of a tree, made once."""
    if tree.index is None:
        tree.index = Index(tree)
    return tree.index


def _within(folder, other):
    return (folder + "/").startswith(other + "/")


def likeness(service, name):
    """Return how well a name agrees with a service's: see alike."""
    return max(alike(name, own) for own in (service.title, service.name, service.container))


def default_names(family, service):
    """Return the names that Compose gives a container by itself."""
    return (f"{family.label}-{service.name}-1", f"{family.label}_{service.name}_1")


def meant_by(tree, path, row):
    """Return ([(Family, [Service])], whether by container) of what a row is about, ([], False) when that is unclear."""
    if row.container and "," not in row.container:
        exact = index_of(tree).containers(row.container)
        if exact:
            return exact, True
    found, index = [], index_of(tree)
    for name in row.names:
        match = next((m for level in index.levels(path) if (m := index.matching(name, level))), [])
        if not match:
            return [], False
        found.extend(match)
    return found, False


def described_by(tree, path, document):
    """Return [(Family, names)] of the nearest Families of which a document's tables name at least a few services."""
    index = index_of(tree)
    rows = [row for row in document.rows if row.table is not None]
    for level in index.levels(path) if rows else ():
        named = {}
        for row in rows:
            hits = [hit for name in row.names for hit in index.pick(index.by_words, words(name), level)]
            for family, services in hits + index.pick(index.by_container, row.container, level):
                names = named.setdefault(family.folder, (family, set()))[1]
                names.update(service.name for service in services)
        found = [
            (family, names)
            for _folder, (family, names) in sorted(named.items(), key=lambda item: item[0])
            if len(names) >= _NAMED_ENOUGH and 2 * len(names) >= len({s.name for s in family.services()})
        ]
        if found:
            return found
    return []


def title_of(family):
    """Return what people call a project."""
    return next((item.title for item in family.files.values() if item.title), family.label)
