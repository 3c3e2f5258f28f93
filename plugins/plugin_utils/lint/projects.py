# Copyright: (c) 2026, The optiinfra.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which Compose files make one project: overrides, variants, companions, includes and profiles."""

from __future__ import annotations

import dataclasses
import functools
import posixpath
import re
from dataclasses import dataclass, field

from .texts import listed

BASES = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")
_OVERRIDE = re.compile(r"^(?:docker-)?compose\.override\.ya?ml$")
_WORDS = re.compile(r"[a-z0-9]+")
# Files of these names are started beside the project of their folder; others are taken for variants of it.
COMPANIONS = listed(
    """monitoring monitor observability metrics logging logs elk efk tracing tools tooling admin infra
    infrastructure extras addons deps dependencies backing db database databases"""
)
# Files of these names are for a developer's machine or a test.
DEVELOPMENT = listed(
    """dev develop development local test tests testing ci e2e integration debug override example sample demo bench
    benchmark playground sandbox"""
)
_EXAMPLES = listed(
    """example examples sample samples demo demos test tests testing testdata fixtures e2e docs doc tutorial
    tutorials templates molecule benchmark benchmarks playground sandbox contrib"""
)
_MAX_DEPTH = 20


@dataclass
class View:
    """Services that run together: the files of one start of Compose."""

    files: tuple
    services: dict


@dataclass
class Family:
    """The Compose files of one folder, with every way in which they make a project."""

    folder: str
    files: dict = field(default_factory=dict)  # {path: ComposeFile}
    views: list = field(default_factory=list)

    @functools.cached_property
    def label(self):
        """Return what to call it: the project's name, or the folder's."""
        names = [item.name for item in self.files.values() if item.name]
        return names[0] if names else posixpath.basename(self.folder) or "project"

    @property
    def named(self):
        """Tell whether a file gives the project a name of its own."""
        return any(item.name for item in self.files.values())

    @property
    def catalogued(self):
        """Tell whether these are stacks that the collection plans."""
        return all(item.catalogued for item in self.files.values())

    @functools.cached_property
    def example(self):
        """Tell whether its folder says that it is an example or a test."""
        return in_examples(self.folder)

    def definitions(self, host):
        """Return every Service that answers to a host name in the network, over all files."""
        return self._by_host.get(host, [])

    def services(self):
        """Return every Service of every view."""
        return self._services

    @functools.cached_property
    def _services(self):
        return [service for view in self.views for service in view.services.values()]

    @functools.cached_property
    def _by_host(self):
        found = {}
        for service in self._services:
            for name in service.names:
                found.setdefault(name, []).append(service)
        return found


def qualifier(path):
    """Return the words of a Compose file's name beyond ``docker-compose``."""
    base = posixpath.basename(path).lower()
    return set(_WORDS.findall(base)) - {"docker", "compose", "stack", "yml", "yaml"}


def for_development(path):
    """Tell whether a file is for a developer's machine, an example or a test, by its name or folder."""
    return bool(DEVELOPMENT & qualifier(path)) or in_examples(posixpath.dirname(path))


def in_examples(folder):
    """Tell whether a folder's path says that it holds examples or tests."""
    return bool(_EXAMPLES & set(folder.lower().split("/")))


def _joined(base, over, key):
    """Return a list of the base with the other's behind it, or the other's alone when the file says so."""
    first = [] if key in over.replaced else getattr(base, key)
    return first + [item for item in getattr(over, key) if item not in first]


def merge(base, over):
    """Return the Service that two files give together, the second above the first."""
    environment = {} if "environment" in over.replaced else base.environment
    ports = [] if "ports" in over.replaced else list(base.ports)
    known = {port[:4] for port in ports}
    ports += [port for port in over.ports if port[:4] not in known]
    return dataclasses.replace(
        over,
        place=base.place,
        image=over.image or base.image,
        build=over.build or base.build,
        ports=ports,
        expose=_joined(base, over, "expose"),
        environment={**environment, **over.environment},
        env_files=_joined(base, over, "env_files"),
        command=over.command or base.command,
        labels=base.labels + over.labels,
        health=over.health or base.health,
        volumes=_joined(base, over, "volumes"),
        configs=_joined(base, over, "configs"),
        names=base.names | over.names,
        profiles=over.profiles or base.profiles,
        network_mode=over.network_mode or base.network_mode,
        container=over.container or base.container,
        title=over.title or base.title,
        layer=over.layer or base.layer,
        vague=base.vague or over.vague,
        replaced=frozenset(),
    )


def _extended(service, path, files, depth=0):
    """Return a service with what it extends below it."""
    if not service.extends or depth > _MAX_DEPTH:
        return service
    other, name = service.extends
    source = posixpath.normpath(posixpath.join(posixpath.dirname(path), other)) if other else path
    base = files[source].services.get(name) if source in files else None
    if base is None or base is service:
        # What cannot be read may publish anything.
        return dataclasses.replace(service, vague=True)
    base = _extended(base, source, files, depth + 1)
    merged = merge(base, service)
    # The extending service is another one: it has its own name, profiles and container.
    names = service.names | (base.names - {base.name.lower(), base.container.lower()})
    return dataclasses.replace(merged, place=service.place, names=names, container=service.container)


def _view(paths, files):
    services, done = {}, []

    def add(path, depth):
        if path in done or path not in files or depth > _MAX_DEPTH:
            return
        done.append(path)
        for other, _line in files[path].includes:
            add(posixpath.normpath(posixpath.join(posixpath.dirname(path), other)), depth + 1)
        for name, service in files[path].services.items():
            service = _extended(service, path, files)
            services[name] = merge(services[name], service) if name in services else service

    for path in paths:
        add(path, 0)
    return View(tuple(done), services)


def _views(folder, own, files, environment):
    """Return [View] of the files of one folder, which are ``own``."""
    here = {posixpath.basename(path): path for path in own}
    chosen = environment.get("COMPOSE_FILE", "")
    first = [posixpath.normpath(posixpath.join(folder, name)) for name in re.split("[:;,]", chosen) if name.strip()]
    first = [path for path in first if path in files]
    if len(first) > 1:
        left = [path for path in here.values() if path not in first]
        return [_view(first, files), *_others(first[:1], left, files)]
    bases = [here[name] for name in BASES if name in here][:1]
    overrides = [path for name, path in here.items() if _OVERRIDE.match(name)]
    others = [path for path in here.values() if path not in bases + overrides]
    views = [_view(bases, files)] if bases else []
    if overrides:
        views.append(_view(bases + overrides, files))
    return views + _others(bases, others, files)


def _others(bases, others, files):
    """Return the View of each further file: alone when it is complete, else on top of the base."""
    views = []
    for path in others:
        alone = files[path].services
        below = {name for base in bases for name in files[base].services}
        if any(not service.complete for name, service in alone.items() if name in below):
            views.append(_view([*bases, path], files))
        else:
            views.append(_view([path], files))
    return views


def families(files, environments):
    """Return [Family], one for each folder with Compose files.

    :arg files: {path: ComposeFile}
    :arg environments: {folder: {NAME: text}} of the .env files
    """
    found = {}
    for path, item in sorted(files.items()):
        folder = posixpath.dirname(path)
        found.setdefault(folder, Family(folder)).files[path] = item
    for family in found.values():
        family.views = _views(family.folder, family.files, files, environments.get(family.folder, {}))
    return list(found.values())


def together(one, two):
    """Tell whether two services of a project can be started by one command, going by their profiles."""
    return not one.profiles or not two.profiles or bool(one.profiles & two.profiles)


def variants(one, two):
    """Tell whether two sets of services are versions of one project: most names of the smaller one are shared."""
    smaller = min(len(one), len(two))
    return bool(smaller) and 2 * len(set(one) & set(two)) > smaller
