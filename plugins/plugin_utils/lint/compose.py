# Copyright: (c) 2026, The optiinfra.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reads one Compose file: services with their ports, variables, health checks and mounts, each with its line.

What a port entry means is said by the collection's own reader of stacks, so that a file is understood here as it
is when it is deployed.
"""

from __future__ import annotations

import functools
import re
import shlex

from ansible_collections.optiinfra.platform.plugins.module_utils._stack import StackError, parse_stack

from .model import ComposeFile, Finding, Place, Published, Service, Value
from .texts import UNKNOWN, expand, number
from .yamltree import load

_LONG = ("target", "published", "host_ip", "protocol")
_RANGE = re.compile(r"(\d{1,5})-(\d{1,5})")
_WIDEST = 2000
_SET = re.compile(r"^([^=:\s]+)(?:=(.*))?$", re.DOTALL)


@functools.lru_cache(maxsize=4096)
def _endpoints(entry):
    """Return [(target, host ports, address, protocol)] of a port entry: a text, or a tuple of long-form pairs.

    :raises StackError: for what is no port
    """
    port = dict(entry) if isinstance(entry, tuple) else entry
    published = port.get("published") if isinstance(port, dict) else ":" in re.sub(r"\[[^\]]*\]", "", port)
    chosen_by_engine = not published or (isinstance(port, str) and re.match(r"^(.*:)?:[^:]+$", port))
    if isinstance(port, str) and chosen_by_engine:
        # An address without a host port: the engine chooses one.
        port = port.rsplit(":", 1)[-1]
    _name, found = parse_stack({"name": "x", "services": {"x": {"ports": [port]}}}, "x")
    return [(e.target, () if chosen_by_engine else e.choices, e.host_ip, e.protocol) for e in found]


class _Reader:
    def __init__(self, name, environment):
        self.name = name
        self.environment = environment
        self.findings = []

    def text(self, node):
        return expand(node.text, self.environment)

    def value(self, node):
        return Value(self.text(node), Place(self.name, node.line))

    def words(self, node):
        """Return [Value] of a list, or of one text."""
        nodes = node.items if node.kind == "list" else [node]
        return [self.value(item) for item in nodes if item.kind == "text" and not item.empty]

    def ports(self, service, node):
        for index, item in enumerate(node.items):
            place = Place(self.name, item.line)
            if item.kind == "map":
                pairs = {key: self.text(value) for key, (_key, value) in item.pairs.items() if key in _LONG}
                entry = tuple((key, text) for key, text in pairs.items() if text)
                variable = "$" in item.get("published").text
                text = ":".join(pairs.get(key, "") for key in ("host_ip", "published", "target"))
                place = Place(self.name, item.get("published").line if "published" in pairs else item.line)
            else:
                entry = text = self.text(item)
                variable = "$" in item.text
            if UNKNOWN in text or "$" in text or not text.strip(":"):
                service.vague = True
                continue
            wide = any(int(last) - int(first) > _WIDEST for first, last in _RANGE.findall(text))
            if wide:
                service.vague = True
                continue
            try:
                found = _endpoints(entry)
            except StackError as exc:
                reason = str(exc).split("ports[0]", 1)[-1].lstrip(".: ")
                subject = f"{service.name}.ports[{index}]"
                self.findings.append(Finding("bad-port", place, subject, reason))
                continue
            service.ports.extend(Published(*endpoint, place, variable) for endpoint in found)

    def environment_of(self, node):
        found = {}
        if node.kind == "map":
            for key, (_key, value) in node.pairs.items():
                if value.kind == "text":
                    given = self.environment.get(key, UNKNOWN) if value.empty else self.text(value)
                    found[key] = Value(given, Place(self.name, value.line))
        for item in node.items:
            match = _SET.match(self.text(item)) if item.kind == "text" else None
            if match:
                given = match.group(2) if match.group(2) is not None else self.environment.get(match.group(1), UNKNOWN)
                found[match.group(1)] = Value(given, Place(self.name, item.line))
        return {key: value for key, value in found.items() if key != "<<"}

    def volumes(self, node):
        found = []
        for item in node.items:
            if item.kind == "map":
                found.append((self.text(item.get("source")), self.text(item.get("target"))))
            else:
                parts = self.text(item).split(":")
                if len(parts) > 1:
                    found.append((parts[0], parts[1]))
        return found

    @staticmethod
    def aliases(service, node):
        if node.kind == "map":
            for _key, value in node.pairs.values():
                service.names.update(alias for alias, _line in value.get("aliases").strings())

    def build(self, node):
        if node.empty or node.kind == "list":
            return None
        if node.kind == "text":
            return self.text(node), "", ""
        if node.get("dockerfile_inline").text:
            return None
        return (
            self.text(node.get("context")) or ".",
            self.text(node.get("dockerfile")),
            self.text(node.get("target")),
        )

    def service(self, name, key, node):
        service = Service(name, Place(self.name, key.line), names={name.lower()})
        service.image = self.text(node.get("image")).replace(UNKNOWN, "")
        service.build = self.build(node.get("build"))
        self.ports(service, node.get("ports"))
        for value in self.words(node.get("expose")):
            first, _dash, last = value.text.partition("/")[0].partition("-")
            low, high = number(first), number(last or first)
            if low is None or high is None or high - low > _WIDEST:
                service.vague = service.vague or UNKNOWN in value.text
                continue
            service.expose.extend((port, value.place) for port in range(low, high + 1))
        service.environment = self.environment_of(node.get("environment"))
        for item in node.get("env_file").items or [node.get("env_file")]:
            path = self.text(item.get("path")) if item.kind == "map" else self.text(item)
            if path:
                service.env_files.append(path)
        service.command = self.words(node.get("command")) + self.words(node.get("entrypoint"))
        for part in (node.get("labels"), node.get("deploy", "labels")):
            service.labels.extend(value.text for value in self.words(part) if part.kind == "list")
            service.labels.extend(f"{label}={self.text(value)}" for label, (_key, value) in part.pairs.items())
        service.health = self.health(node.get("healthcheck"))
        service.volumes = self.volumes(node.get("volumes"))
        for part in (node.get("configs"), node.get("secrets")):
            for item in part.items:
                source = self.text(item.get("source")) if item.kind == "map" else self.text(item)
                target = self.text(item.get("target")) if item.kind == "map" else ""
                service.configs.append((source, target))
        self.aliases(service, node.get("networks"))
        service.profiles = {text for text, _line in node.get("profiles").strings()}
        service.network_mode = self.text(node.get("network_mode"))
        service.container = self.text(node.get("container_name"))
        service.title = self.text(node.get("x-catalog", "title"))
        service.layer = self.text(node.get("x-catalog", "layer"))
        for extra in (service.container, self.text(node.get("hostname"))):
            if extra and UNKNOWN not in extra:
                service.names.add(extra.lower())
        extends = node.get("extends")
        if extends.kind == "map" and extends.get("service").text:
            service.extends = (self.text(extends.get("file")), self.text(extends.get("service")))
        elif extends.text:
            service.extends = ("", self.text(extends))
        service.replaced = frozenset(
            name for name, (_key, value) in node.pairs.items() if value.tag in ("!reset", "!override")
        )
        return service

    def health(self, node):
        """Return [Value] of the health check's command, each argument with its line."""
        if node.get("disable").text == "true":
            return []
        test = node.get("test")
        values = self.words(test)
        if test.kind == "list" and values and values[0].text in ("CMD", "CMD-SHELL", "NONE"):
            values = [] if values[0].text == "NONE" else values[1:]
        return values


def parse(text, name, environment):
    """Return the ComposeFile of a text, None when it is no Compose file.

    :arg environment: {NAME: text} for ``${NAME}``, that of the .env file beside it
    :raises Unreadable: for a file that is not YAML
    """
    documents = load(text)
    if not documents or documents[0].kind != "map":
        return None
    root = documents[0]
    declared = root.get("services")
    if declared.kind != "map" and not root.get("include").items:
        return None
    reader = _Reader(name, environment)
    found = ComposeFile(name, {})
    for key, (key_node, node) in declared.pairs.items():
        if node.kind == "map":
            found.services[key] = reader.service(key, key_node, node)
    found.name = reader.text(root.get("name")).replace(UNKNOWN, "")
    found.title = reader.text(root.get("x-catalog", "title"))
    found.catalogued = root.get("x-catalog").kind == "map"
    found.layers = {key: value.text for key, (_key, value) in root.get("x-catalog", "layers").pairs.items()}
    if found.catalogued:
        _exposure(reader, root, found)
    for key, (key_node, node) in root.get("networks").pairs.items():
        external = node.get("external")
        label = reader.text(node.get("name")) or reader.text(external.get("name"))
        is_external = external.text == "true" or external.kind == "map"
        found.networks[key] = (label, is_external, Place(name, key_node.line))
    for part in ("configs", "secrets"):
        for key, (_key, node) in root.get(part).pairs.items():
            found.configs[key] = reader.text(node.get("file"))
    for item in root.get("include").items or [root.get("include")]:
        path = item.get("path") if item.kind == "map" else item
        found.includes.extend((reader.text(node), node.line) for node in (path.items or [path]) if node.text)
    found.findings = reader.findings
    return found


def _exposure(reader, root, found):
    """Give the ports of a stack file that name no address the one that its exposure means."""
    general = root.get("x-catalog", "exposure").text or "loopback"
    private = reader.text(root.get("x-catalog", "host_ip"))
    for name, service in found.services.items():
        exposure = root.get("services", name, "x-catalog", "exposure").text or general
        address = {"loopback": "127.0.0.1", "private": private or UNKNOWN}.get(exposure, "")
        service.ports = [p if p.address else p._replace(address=address) for p in service.ports]


def words(values):
    """Return the arguments of a command as single words, whatever way they were written."""
    found = []
    for value in values:
        try:
            found.extend(shlex.split(value.text))
        except ValueError:
            found.extend(value.text.split())
    return found
