# Copyright: (c) 2026, The optiinfra.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""All that the parsers found in a tree, and what follows from it: who mounts a file, and what a service listens on."""

from __future__ import annotations

import functools
import posixpath
import re
from dataclasses import dataclass, field

from . import dockerfile, images
from .texts import UNKNOWN, command_references, is_local, number, numbers, references

_FOR_OTHERS = re.compile(r"(?i)(external|public|publish|host_port|hostport|node_port|forward|mapped)")
_OF_PORT = re.compile(r"(?i)(port|listen|addr|bind|url|endpoint|server)")
_CONFIGURATION = re.compile(r"(?i)(\.(conf|cnf|ya?ml|toml|ini|cfg|json|xml|properties)|\.d|^/etc/.*|/conf|/config)$")
# Mounts that say nothing of the ports that the process itself has.
_NO_PORTS = re.compile(r"/etc/(prometheus|alertmanager|localtime|timezone|ssl)|provision|dashboards|initdb\.d")
_CONFIGURATION_NAMED = re.compile(r"\.(sh|conf|cnf|toml|ini)\b|sentinel")
_NGINX_FOLDER = "/etc/nginx"


@dataclass
class Listens:
    """What is known of the ports of a service."""

    ports: set = field(default_factory=set)
    mentioned: set = field(default_factory=set)
    checked: set = field(default_factory=set)  # by its own health check
    published: dict = field(default_factory=dict)  # {host port: {target}}
    settled: bool = False
    built: bool = False  # settled by EXPOSE only, which often leaves out what is for metrics
    vague: bool = False

    def has(self, port):
        """Tell whether it may listen on a port, as far as is known."""
        return self.vague or not self.ports or port in self.ports | self.mentioned | self.checked

    def judge(self, port, aside=False):
        """Return (severity, reason) for a port that it is not known to listen on, None for one that is fine.

        :arg aside: whether it may be a port beside those that a service is there for
        """
        if self.has(port):
            return None
        own = ", ".join(str(known) for known in sorted(self.ports))
        if port in self.published:
            targets = ", ".join(str(target) for target in sorted(self.published[port]))
            return "error", f"{port} is its port on the host; in the network it is {targets}"
        sure = self.settled and not (aside and self.built)
        return ("warning" if sure else "info"), f"the service has {own}"

    def add(self, other):
        """Take in what is known of another definition of the service: any of them may be the one that runs."""
        self.settled = self.settled and other.settled
        self.built = self.built or other.built
        self.vague = self.vague or other.vague
        self.ports |= other.ports
        self.mentioned |= other.mentioned
        self.checked |= other.checked
        for port, targets in other.published.items():
            self.published.setdefault(port, set()).update(targets)


@dataclass
class Tree:
    """Everything found under the root, by path relative to it."""

    families: list = field(default_factory=list)
    stages: dict = field(default_factory=dict)  # {path: [Stage]}
    dotenvs: dict = field(default_factory=dict)  # {path: {NAME: Value}}
    nginx: dict = field(default_factory=dict)  # {path: Nginx}
    prometheus: dict = field(default_factory=dict)  # {path: Prometheus}
    manifests: dict = field(default_factory=dict)  # {path: Manifests}
    documents: dict = field(default_factory=dict)  # {path: Document}
    index: object = None  # of the rules about documents
    _mounts: dict | None = None
    _known: dict = field(default_factory=dict)

    @functools.cached_property
    def by_folder(self):
        """Return {folder: Family}."""
        return {family.folder: family for family in self.families}

    def environment(self, family, service):
        """Return ({NAME: Value}, whether it is all known) of a container: its files', then its own."""
        values, complete = {}, True
        for path in service.env_files:
            found = self.dotenvs.get(self.path_of(family.folder, path))
            complete = complete and found is not None
            values.update(found or {})
        return {**values, **service.environment}, complete

    @staticmethod
    def path_of(folder, path):
        """Return the path below the root of what a file in a folder calls a path."""
        path = posixpath.normpath(posixpath.join(folder, path))
        return "" if path == "." else path

    def stage(self, family, service):
        """Return (stage, path) of the Dockerfile that a service is built from, (None, "") when it is not here."""
        if not service.build or any(UNKNOWN in part for part in service.build):
            return None, ""
        context, name, target = service.build
        if "://" in context or context.startswith("git@"):
            return None, ""
        path = self.path_of(self.path_of(family.folder, context), name or "Dockerfile")
        return dockerfile.final(self.stages.get(path, []), target), path

    def families_of(self, path):
        """Return the Families that a configuration file belongs to: those that mount it, else the nearest above it."""
        if self._mounts is None:
            self._mounts = {}
            for family in self.families:
                sources = {source for service in family.services() for source, _target in service.volumes}
                sources |= {source for item in family.files.values() for source in item.configs.values() if source}
                for source in sources:
                    if source.startswith((".", "/")) or "/" in source:
                        self._mounts.setdefault(self.path_of(family.folder, source), []).append(family)
        folder = path
        while folder:
            if folder in self._mounts:
                return self._mounts[folder]
            folder = posixpath.dirname(folder)
        folder = posixpath.dirname(path)
        while folder and folder not in self.by_folder:
            folder = posixpath.dirname(folder)
        return [self.by_folder[folder]] if folder in self.by_folder else []

    def listens(self, family, definitions):
        """Return the Listens of a service over all its definitions."""
        key = tuple(id(service) for service in definitions)
        if key not in self._known:
            known = self._of(family, definitions[0])
            for service in definitions[1:]:
                known.add(self._of(family, service))
            self._known[key] = known
        return self._known[key]

    def _of(self, family, service):
        known = self._alone(family, service)
        mode = service.network_mode
        if mode.startswith("service:"):
            partners = family.definitions(mode.partition(":")[2].lower())
        else:
            partners = [s for s in family.services() if s.network_mode == "service:" + service.name]
        for partner in partners:
            if partner is not service:
                known.add(self._alone(family, partner))
        return known

    def _alone(self, family, service):
        known = Listens(vague=service.vague or service.network_mode in ("host", "none"))
        known.vague = known.vague or service.network_mode.startswith("container:")
        for port in service.ports:
            known.ports.add(port.target)
            for host in port.host:
                known.published.setdefault(host, set()).add(port.target)
        known.ports.update(port for port, _place in service.expose)
        values, complete = self.environment(family, service)
        self._mention(known, service, values)
        image = images.known(service.image) if not service.build else None
        stage, _path = self.stage(family, service)
        if stage:
            image = images.known(stage.base)
            known.vague = known.vague or stage.vague
            known.ports.update(port for port, _protocol, _place in stage.exposed)
            for text in stage.environment.values():
                known.mentioned |= _own_ports(text, service.names)
            for command in stage.command:
                known.mentioned |= numbers(command.text)
            known.settled = known.built = bool(stage.exposed) and not service.command
        elif image and not service.build:
            known.settled = image.settled and not configured(service)
        if image:
            known.ports.update(image.ports)
        listens = self.nginx_listens(family, service)
        if listens is not None:
            known.ports.update(listens)
        known.settled = known.settled and complete
        return known

    def _mention(self, known, service, values):
        for name, value in values.items():
            if _OF_PORT.search(name) and not _FOR_OTHERS.search(name):
                known.mentioned |= _own_ports(value.text, service.names)
        for value in service.command:
            known.mentioned |= numbers(value.text)
        for label in service.labels:
            if "port" in label.lower():
                known.mentioned |= numbers(label)
        environment = {name: value.text for name, value in values.items()}
        for value in service.health:
            for reference in command_references(value.text, value.place, environment):
                if is_local(reference.host) and reference.port not in known.published:
                    known.checked.add(reference.port)

    def is_nginx(self, family, service):
        """Tell whether a service runs nginx itself."""
        stage, _path = self.stage(family, service)
        reference = stage.base if stage else "" if service.build else service.image
        return bool(re.search(r"(^|/)(nginx|nginx-unprivileged|openresty)(:|@|$)", reference))

    def nginx_listens(self, family, service):
        """Return {port: Place} that the mounted configuration of an nginx listens on, None when it is not known."""
        if not self.is_nginx(family, service):
            return None
        found, replaced = {}, False
        mounts = list(service.volumes)
        for source, target in service.configs:
            path = next((item.configs[source] for item in family.files.values() if item.configs.get(source)), "")
            mounts.append((path, target))
        stage, _path = self.stage(family, service)
        if stage or service.build:
            return None
        for source, target in mounts:
            if not (target + "/").startswith(_NGINX_FOLDER + "/") or not re.search(r"conf|template|/nginx$", target):
                continue
            path = self.path_of(family.folder, source)
            here = [item for name, item in self.nginx.items() if name == path or name.startswith(path + "/")]
            if not here or any(item.vague for item in here):
                return None
            for item in here:
                found.update(item.listens)
            names = {posixpath.basename(item.name) for item in here}
            whole = target.rstrip("/").endswith(
                ("conf.d", "templates", "default.conf", "default.conf.template", "/nginx")
            )
            replaced = replaced or whole or "nginx.conf" in names
        return found if replaced and found else None


def configured(service):
    """Tell whether a file or script that is not read here may set a service's ports."""
    for _source, target in service.volumes:
        if _CONFIGURATION.search(target.rstrip("/")) and not _NO_PORTS.search(target):
            return True
    command = " ".join(value.text for value in service.command)
    return bool(service.configs or _CONFIGURATION_NAMED.search(command))


def _own_ports(text, names):
    """Return the ports that a value names for the process itself: a bare number, or an address of its own."""
    own = (
        {int(word) for word in re.split(r"[\s,;:/]+", text) if number(word)}
        if re.fullmatch(r"[\d\s,;:/tcpud]*", text)
        else set()
    )
    own |= {r.port for r in references(text, None) if is_local(r.host) or r.host in names}
    own |= {int(port) for port in re.findall(r"(?:^|[\s,;/*+])[*+]?:([0-9]{2,5})(?![\w.])", text) if number(port)}
    return own
