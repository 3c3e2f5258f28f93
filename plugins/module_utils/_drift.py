# Copyright: (c) 2026, The optiinfra.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Where plan, rendered Compose file and running containers differ. Pure: texts and views in, differences out.

Hosts need have no YAML parser, so the file is read as the role ``stack`` writes it: block style, a key a line.
"""

from __future__ import annotations

import re
from typing import NamedTuple, Tuple

from ._binding import ANY4, ANY6, Binding, normal_address, port_number
from ._engine import CONFIG

_LINE = re.compile(r"^( *)((?:- +)?)([^\s#'\"][^:]*|'[^']*'|\"[^\"]*\"):(?: +(.*))?$")


class Project(NamedTuple):
    """A stack as it was written to the host: its file, {service: Rendered} and {service: hash of its definition}."""

    path: str
    services: dict
    hashes: dict = {}


class Rendered(NamedTuple):
    """What a rendered Compose file says of a service."""

    bindings: Tuple[Binding, ...]
    config: str
    host_network: bool


def _scalar(text):
    text = text.strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
        return text[1:-1]
    return text.partition(" #")[0].rstrip()


def _entries(text):
    """Yield (path of keys, value or None) of every key; items of a list are "-" in the path, each begins one anew."""
    above, skip = [], -1
    for line in text.splitlines():
        indent = len(line) - len(line.lstrip(" "))
        if not line.strip() or line.lstrip().startswith("#") or (skip >= 0 and indent > skip):
            continue
        skip = -1
        match = _LINE.match(line)
        if not match:
            continue
        dash, key, value = match.group(2), _scalar(match.group(3)), match.group(4)
        while above and above[-1][0] >= indent + (len(dash) if above[-1][1] != "-" else 0):
            above.pop()
        if dash:
            while above and above[-1][1] == "-" and above[-1][0] >= indent:
                above.pop()
            above.append((indent, "-"))
            yield tuple(name for _indent, name in above), None
            indent += len(dash)
        path = (*(name for _indent, name in above), key)
        if value is None:
            above.append((indent, key))
            yield path, None
        else:
            # What a text goes on with is indented more than its key.
            skip = indent
            yield path, _scalar(value)


def read(text):
    """Return {service: Rendered} of a rendered Compose file.

    :raises ValueError: when it is not as the role writes it
    """
    services, ports, extra = {}, {}, {}
    for path, value in _entries(text):
        if len(path) == 2 and path[0] == "services":
            services[path[1]] = None
        elif path[:1] == ("services",) and path[2:] == ("ports", "-"):
            ports.setdefault(path[1], []).append({})
        elif path[:1] == ("services",) and path[2:4] == ("ports", "-") and len(path) == 5:
            ports[path[1]][-1][path[4]] = value
        elif path[:1] == ("services",) and path[2:] in (("labels", CONFIG), ("network_mode",)):
            extra[path[1], path[-1]] = value or ""
        elif path[:1] == ("services",) and path[2:] == ("ports",) and value not in (None, "[]"):
            raise ValueError("ports of {0} are not written one key a line".format(path[1]))
    if not services:
        raise ValueError("no services are to be found")
    return {
        name: Rendered(
            tuple(sorted(_binding(name, port) for port in ports.get(name, []))),
            extra.get((name, CONFIG), ""),
            extra.get((name, "network_mode"), "") == "host",
        )
        for name in services
    }


def _binding(service, port):
    try:
        address = normal_address(port.get("host_ip") or "")
        return Binding(address, port_number(port.get("published") or ""), port.get("protocol") or "tcp")
    except ValueError as exc:
        raise ValueError("a port of {0}: {1}".format(service, exc)) from None


def _told(bindings):
    return ", ".join(str(b) for b in sorted(bindings)) or "nothing"


def _spread(bindings):
    """Return bindings by family: every address, said once or twice, is the same."""
    out = set()
    for address, port, protocol, _only in bindings:
        out.update(Binding(a, port, protocol) for a in ([ANY4] if address in ("", ANY4, ANY6) else [address]))
    return out


def file_drift(project, planned):
    """Yield (service, text) where the file differs from the plan.

    :arg planned: [(service, Binding)] of the stack
    """
    rendered = project.services
    wanted = {}
    for service, binding in planned:
        wanted.setdefault(service, set()).add(binding)
    for service in sorted({*wanted, *rendered}):
        written = rendered.get(service)
        if written is not None and written.host_network:
            continue
        plan, file = _spread(wanted.get(service, ())), _spread(written.bindings if written else ())
        if plan != file:
            yield service, "planned {0}, written {1}".format(_told(plan - file), _told(file - plan))


def container_drift(project, containers):
    """Yield (service, text) where a running container differs from the file that it should have been made from.

    :arg containers: those of the stack that run
    """
    rendered, hashes = project.services, project.hashes
    for container in sorted(containers, key=lambda c: c.name):
        written = rendered.get(container.service)
        if written is None:
            yield container.service, "{0} runs, the file has no such service".format(container.name)
            continue
        texts = []
        if container.files and project.path not in container.files.split(","):
            texts.append("it was made from {0}".format(container.files))
        has, file = _spread(p.binding for p in container.published), _spread(written.bindings)
        if has != file and not written.host_network:
            texts.append("published {0}, written {1}".format(_told(has - file), _told(file - has)))
        if written.config != container.config:
            texts.append("its configuration files have changed since")
        elif container.hash and hashes.get(container.service, container.hash) != container.hash:
            texts.append("its definition has changed since")
        if texts:
            yield container.service, "{0}: {1}".format(container.name, "; ".join(texts))
