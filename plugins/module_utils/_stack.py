# Copyright: (c) 2026, The optiinfra.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The model of a stack: which endpoints a Compose project wants on its host.

Pure and standard library only. Source of the syntax:
https://github.com/compose-spec/compose-spec/blob/main/05-services.md#ports
"""

from __future__ import annotations

import re
from typing import NamedTuple, Optional, Tuple

from ._binding import ANY4, PROTOCOLS, Binding, is_loopback, is_wildcard, normal_address, port_number
from ._error import StackError
from ._interpolate import InterpolationError, interpolate

EXPOSURES = ("loopback", "private", "public")
LONG_KEYS = ("name", "mode", "host_ip", "target", "published", "app_protocol", "protocol")
OUR_KEYS = ("x-health", "x-fixed", "x-group")
_SHORT = re.compile(
    r"^(?:(?:(?P<ip>\[[^\]]*\]|[^:]*):)?(?P<published>[^:]*):)?(?P<target>[^:/]+)(?:/(?P<protocol>[A-Za-z]+))?$"
)
_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")


class Endpoint(NamedTuple):
    """One port that a service wants on the host.

    ``choices`` are the host ports as good as the preferred one (a published range), first of all ``preferred``.
    ``host_ip`` is normalised and empty for every address. Of two that want the same port, the one with the higher
    ``priority`` gets it, whichever comes first.
    """

    stack: str
    service: str
    name: str
    target: int
    preferred: int
    choices: Tuple[int, ...]
    host_ip: str
    protocol: str = "tcp"
    app_protocol: str = ""
    health: Optional[str] = None
    exposure: str = "loopback"
    fixed: bool = False
    group: Optional[str] = None
    container: str = ""
    title: str = ""
    layer: str = ""
    purpose: str = ""
    priority: int = 0

    @property
    def endpoint(self):
        return "{0}.{1}".format(self.service, self.name)

    @property
    def id(self):
        return "{0}/{1}.{2}".format(self.stack, self.service, self.name)

    def at(self, port):
        """Return the host binding it has with ``port``."""
        return Binding(self.host_ip, port, self.protocol)


class _Reader:
    """Reads values of one stack, knowing where it is, so that every error can say so."""

    def __init__(self, source, environment):
        self.source = source
        self.environment = environment

    def fail(self, key, problem):
        raise StackError("{0}: {1}: {2}".format(self.source, key, problem))

    def mapping(self, value, key):
        if value is None:
            return {}
        if not isinstance(value, dict):
            self.fail(key, "a mapping is expected, not {0}".format(_kind(value)))
        return value

    def sequence(self, value, key):
        if value is None:
            return []
        if not isinstance(value, list):
            self.fail(key, "a list is expected, not {0}".format(_kind(value)))
        return value

    def text(self, value, key, default=""):
        if value is None:
            return default
        if isinstance(value, (dict, list)):
            self.fail(key, "a text is expected, not {0}".format(_kind(value)))
        try:
            return interpolate(str(value), self.environment)
        except InterpolationError as exc:
            return self.fail(key, str(exc))

    def flag(self, value, key):
        if value not in (None, True, False):
            self.fail(key, "true or false is expected, not {0!r}".format(value))
        return bool(value)

    def number(self, value, key):
        if value is None:
            return 0
        if isinstance(value, bool) or not isinstance(value, int):
            self.fail(key, "a whole number is expected, not {0!r}".format(value))
        return value

    def ports(self, value, key):
        """Return (first, last) of a port or range."""
        if isinstance(value, (bool, float)):
            self.fail(key, "{0!r} is not a port: a whole number from 1 to 65535".format(value))
        text = self.text(value, key).strip()
        first, dash, last = text.partition("-")
        try:
            low = port_number(first)
            high = port_number(last) if dash else low
        except ValueError as exc:
            return self.fail(key, "{0!r}: {1}".format(text, exc))
        if high < low:
            self.fail(key, "{0!r}: the range ends before it begins".format(text))
        return low, high

    def address(self, value, key):
        text = self.text(value, key)
        try:
            return normal_address(text)
        except ValueError as exc:
            return self.fail(key, str(exc))


def _kind(value):
    names = {
        dict: "a mapping",
        list: "a list",
        str: "a text",
        bool: "true or false",
        int: "a number",
        type(None): "nothing",
    }
    return names.get(type(value), type(value).__name__)


def _long(reader, port, key):
    """Return the long form of a port entry."""
    if isinstance(port, dict):
        unknown = [name for name in port if name not in LONG_KEYS + OUR_KEYS and not str(name).startswith("x-")]
        if unknown:
            reader.fail(
                "{0}.{1}".format(key, unknown[0]), "unknown key; known are {0}".format(", ".join(LONG_KEYS + OUR_KEYS))
            )
        if port.get("target") is None:
            reader.fail("{0}.target".format(key), "the container's port is missing")
        return port
    if isinstance(port, (bool, float)) or not isinstance(port, (int, str)):
        reader.fail(key, "{0!r} is not a port".format(port))
    if isinstance(port, int) and port > 65535 and port // 60 <= 65535:
        reader.fail(
            key,
            "{0} is no port; if {1}:{2} was meant, put it in quotes, for YAML 1.1 reads that to base 60".format(
                port, port // 60, port % 60
            ),
        )
    text = reader.text(port, key).strip()
    match = _SHORT.match(text)
    if not match:
        reader.fail(key, "{0!r} is not [[host_ip:]published:]target[/protocol]".format(text))
    found = {name: part for name, part in match.groupdict().items() if part}
    if "ip" in found:
        found["host_ip"] = found.pop("ip")
    return found


def _entries(reader, ports, key):
    """Return [(key, entry, protocol)] in long form; of entries that say the same, Compose takes the last."""
    if not isinstance(ports, list):
        reader.fail(key, "a list is expected, not {0}".format(_kind(ports)))
    found = {}
    for index, port in enumerate(ports):
        where = "{0}[{1}]".format(key, index)
        entry = dict(_long(reader, port, where))
        if isinstance(entry.get("published"), str):
            entry["published"] = reader.text(entry["published"], where + ".published").strip()
        protocol = reader.text(entry.get("protocol"), where + ".protocol", "tcp").lower()
        if protocol not in PROTOCOLS:
            reader.fail(where + ".protocol", "{0!r} is not one of {1}".format(protocol, ", ".join(PROTOCOLS)))
        address, *rest = (
            reader.text(entry.get(part), "{0}.{1}".format(where, part))
            for part in ("host_ip", "published", "target", "name")
        )
        found[(address or ANY4, protocol, *rest)] = (where, entry, protocol)
    return list(found.values())


def _network(reader, name, service, services):
    """Return the entries of a service's ports, and whether they are the host's own ports."""
    key = "services.{0}".format(name)
    entries = _entries(reader, service["ports"], key + ".ports") if "ports" in service else []
    mode = reader.text(service.get("network_mode"), key + ".network_mode")
    kind, _colon, other = mode.partition(":")
    if kind == "service" and other not in services:
        reader.fail(key + ".network_mode", "there is no service {0!r}".format(other))
    if entries and kind in ("service", "container"):
        reader.fail(key + ".ports", "with network_mode {0} the ports are the other's to publish".format(mode))
    if mode != "host":
        return entries, False
    exposed = _entries(reader, reader.sequence(service.get("expose"), key + ".expose"), key + ".expose")
    known = {(str(entry["target"]), protocol) for _where, entry, protocol in entries}
    return entries + [item for item in exposed if (str(item[1]["target"]), item[2]) not in known], True


def _host_ip(reader, entry, key, exposure, default_ip):
    """Return (host_ip, exposure): a declared address decides its exposure, else the exposure the address."""
    if entry.get("host_ip") is not None:
        address = reader.address(entry["host_ip"], key + ".host_ip")
        if is_loopback(address):
            return address, "loopback"
        return address, "public" if is_wildcard(address) else exposure if exposure != "loopback" else "private"
    if exposure == "private":
        if not default_ip:
            reader.fail(key, "exposure private needs an address: set x-catalog.host_ip or the port's host_ip")
        return default_ip, exposure
    return ("127.0.0.1" if exposure == "loopback" else ""), exposure


def _spread(reader, entry, key):
    """Return [(target, choices)]: one pair for each host port that an entry asks for."""
    low, high = reader.ports(entry["target"], key + ".target")
    targets = range(low, high + 1)
    if entry.get("published") in (None, ""):
        # Compose leaves the choice to the engine, which takes another one each time; ours stays.
        return [(port, (port if port >= 1024 else port + 8000,)) for port in targets]
    first, last = reader.ports(entry["published"], key + ".published")
    published = range(first, last + 1)
    if len(targets) == 1:
        return [(low, tuple(published))]
    if len(targets) != len(published):
        reader.fail(key, "{0} published ports cannot serve {1} targets".format(len(published), len(targets)))
    return [(target, (port,)) for target, port in zip(targets, published)]


def _service_endpoints(reader, stack, name, services, catalog):
    key = "services.{0}".format(name)
    service = reader.mapping(services[name], key)
    name = str(name)
    about = reader.mapping(service.get("x-catalog"), key + ".x-catalog")
    exposure = about.get("exposure", catalog["exposure"])
    if exposure not in EXPOSURES:
        reader.fail(key + ".x-catalog.exposure", "{0!r} is not one of {1}".format(exposure, ", ".join(EXPOSURES)))
    priority = reader.number(about.get("priority", catalog["priority"]), key + ".x-catalog.priority")
    entries, on_host = _network(reader, name, service, services)
    taken = set()
    for where, entry, protocol in entries:
        host_ip, reach = _host_ip(reader, entry, where, exposure, catalog["host_ip"])
        if on_host:
            # The process binds the host's own port: published says nothing, and nobody can move it.
            entry = dict(entry, published=entry["target"])
            host_ip, reach = ("", "public") if entry.get("host_ip") is None else (host_ip, reach)
        spread = _spread(reader, entry, where)
        group = reader.text(entry.get("x-group"), where + ".x-group") or None
        if not group and len(spread) > 1:
            group = "{0}.{1}-{2}".format(name, spread[0][0], spread[-1][0])
        health = reader.text(entry.get("x-health"), where + ".x-health") or None
        if health and not health.startswith("/"):
            reader.fail(where + ".x-health", "{0!r}: an HTTP path begins with /".format(health))
        declared = reader.text(entry.get("name"), where + ".name")
        for target, choices in spread:
            label = _endpoint_name(reader, where, declared, len(spread), target, protocol, choices, host_ip, taken)
            taken.add(label)
            yield Endpoint(
                stack=stack,
                service=name,
                name=label,
                target=target,
                preferred=choices[0],
                choices=choices,
                host_ip=host_ip,
                protocol=protocol,
                app_protocol=reader.text(entry.get("app_protocol"), where + ".app_protocol"),
                health=health,
                exposure=reach,
                fixed=on_host or reader.flag(entry.get("x-fixed"), where + ".x-fixed"),
                group=group,
                container=reader.text(service.get("container_name"), key + ".container_name"),
                title=reader.text(about.get("title"), key + ".x-catalog.title", name),
                layer=reader.text(about.get("layer"), key + ".x-catalog.layer"),
                purpose=reader.text(about.get("purpose"), key + ".x-catalog.purpose"),
                priority=priority,
            )


def _endpoint_name(reader, where, declared, count, target, protocol, choices, host_ip, taken):
    """Return the endpoint's name: the declared one, else one made of its ports that no other of the service has."""
    if declared:
        if not _NAME.match(declared):
            reader.fail(
                where + ".name", "{0!r}: letters, digits, dot, dash and underscore are possible".format(declared)
            )
        name = declared if count == 1 else "{0}-{1}".format(declared, target)
        if name in taken:
            reader.fail(where + ".name", "the service has a second endpoint named {0!r}".format(name))
        return name
    name = str(target) if protocol == "tcp" else "{0}-{1}".format(target, protocol)
    candidates = (name, "{0}-{1}".format(name, choices[0]), "{0}-{1}-{2}".format(name, choices[0], host_ip or "any"))
    for candidate in candidates:
        if candidate not in taken:
            return candidate
    return reader.fail(where, "the same port is published twice")


def parse_stack(definition, source="stack", environment=None):
    """Return (name, [Endpoint]) of a stack, in the order of its file.

    :arg definition: the Compose project as a mapping (with ``name``)
    :arg source: what to call it in errors, usually its path
    :arg environment: {NAME: value} for ``${NAME}`` in names, ports and health paths
    :raises StackError: naming source, key and value
    """
    reader = _Reader(source, environment or {})
    if not isinstance(definition, dict):
        raise StackError("{0}: a stack is a mapping with the key services, not {1}".format(source, _kind(definition)))
    name = reader.text(definition.get("name"), "name")
    if not re.match(r"^[a-z0-9][a-z0-9_-]*$", name):
        reader.fail("name", "{0!r} is no project name: lower-case letters, digits, dash and underscore".format(name))
    services = definition.get("services")
    if not isinstance(services, dict):
        reader.fail("services", "a mapping is expected, not {0}".format(_kind(services)))
    about = reader.mapping(definition.get("x-catalog"), "x-catalog")
    catalog = {
        # A file that says nothing of exposure means what Compose means: every address.
        "exposure": about.get("exposure", "loopback" if "x-catalog" in definition else "public"),
        "host_ip": reader.address(about.get("host_ip"), "x-catalog.host_ip"),
        "priority": reader.number(about.get("priority"), "x-catalog.priority"),
    }
    endpoints = []
    for service_name in services:
        endpoints.extend(_service_endpoints(reader, name, service_name, services, catalog))
    return name, endpoints


def flows(definition, source="stack"):
    """Yield (flow, step) of what a stack says about who sends what to whom.

    :raises StackError: naming source, key and value
    """
    reader = _Reader(source, {})
    for index, flow in enumerate(reader.sequence(definition.get("x-flows"), "x-flows")):
        key = "x-flows[{0}]".format(index)
        flow = reader.mapping(flow, key)
        for number, step in enumerate(reader.sequence(flow.get("steps"), key + ".steps")):
            where = "{0}.steps[{1}]".format(key, number)
            step = reader.mapping(step, where)
            found = {
                name: reader.text(step.get(name), where + "." + name) for name in ("from", "to", "endpoint", "label")
            }
            for name in ("from", "to"):
                if not found[name]:
                    reader.fail("{0}.{1}".format(where, name), "missing; a step is {from, to, endpoint, label}")
            yield reader.text(flow.get("name"), key + ".name"), found
