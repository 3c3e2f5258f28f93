# Copyright: (c) 2026, The optiinfra.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The port map of stacks as Markdown: every table and figure is computed from the plan. Pure, standard library only."""

from __future__ import annotations

import shlex

from ._binding import Binding, is_loopback, overlap
from ._markdown import Markup, block, code, plain, table
from ._report import HTTP, url
from ._stack import flows

OUTSIDE = "HOST"


def _about(thing):
    return thing.get("x-catalog") or {}


def title_of(stack):
    """Return what people call a stack."""
    return _about(stack).get("title") or stack["name"]


def _numbers(ports):
    return ", ".join(str(port) for port in sorted(set(ports))) or "-"


def _ports(assignments, key="published"):
    return _numbers(a[key] for a in assignments)


def _of(assignments, stack, service=None):
    return [a for a in assignments if a["stack"] == stack["name"] and service in (None, a["service"])]


def _layers(stack):
    """Return {title: [service]} of the layers that are in use, in the order of the stack's list of layers."""
    titles = _about(stack).get("layers") or {}
    found = {title: [] for title in titles.values()}
    for name, service in stack["services"].items():
        layer = _about(service or {}).get("layer")
        found.setdefault(titles.get(layer, layer or "Services"), []).append(name)
    return {title: names for title, names in found.items() if names}


def _counted(number, word):
    return "{0} {1}{2}".format(number, word, "" if number == 1 else "s")


def services(stack, assignments, states):
    """Return the table of a stack's services, with its numbers below.

    :arg states: {service: state}; without any, the table has no such column
    """
    layer_of = {name: title for title, names in _layers(stack).items() for name in names}
    rows = []
    for number, (name, service) in enumerate(stack["services"].items(), 1):
        about, own = _about(service or {}), _of(assignments, stack, name)
        row = {
            "#": number,
            "Layer": layer_of[name],
            "Service": about.get("title", name),
            "Port(s)": _ports(own),
            "In the container": _ports(own, "target"),
            "Container": (service or {}).get("container_name", "-"),
            "Purpose": about.get("purpose", "-"),
            "Technology": about.get("technology", "-"),
            "State": states.get(name, "-"),
        }
        rows.append(row)
    if not rows:
        return "It has no service."
    # A column that says nothing of any service is left out.
    optional = {"Technology", "State"} - {key for row in rows for key in row if row[key] != "-"}
    headings = [key for key in rows[0] if key not in optional]
    own = _of(assignments, stack)
    total = "**{0}, {1}**".format(
        _counted(len(rows), "container"), _counted(len({a["published"] for a in own}), "port")
    )
    total += ": " + _ports(own) if own else ""
    return table(headings, [[row[key] for key in headings] for row in rows]) + "\n\n" + total


def _seen_from(assignment, host):
    """Return where an endpoint is reached: a public one at the host's name, any other on the host itself."""
    return host if assignment["exposure"] == "public" else None


def _mapping(assignments, titles, host):
    rows = [
        (
            a["published"],
            a["title"],
            titles[a["stack"]],
            a["endpoint"],
            a["host_ip"] or "every address",
            a["target"],
            code(url(a, _seen_from(a, host))),
            a["purpose"] or "-",
        )
        for a in sorted(assignments, key=lambda a: (a["published"], a["protocol"], a["host_ip"]))
    ]
    return table(("Port", "Service", "Stack", "Endpoint", "Address", "In the container", "URL", "Notes"), rows)


def clashes(assignments):
    """Return [(one, other)] of assignments that cannot exist together."""
    by_port = {}
    for assignment in assignments:
        by_port.setdefault((assignment["protocol"], assignment["published"]), []).append(assignment)
    return [
        (one, other)
        for group in by_port.values()
        for index, one in enumerate(group)
        for other in group[index + 1 :]
        if overlap(*(Binding(a["host_ip"], a["published"], a["protocol"]) for a in (one, other)))
    ]


def _runs(assignments):
    """Return [[assignment]] of neighbouring ports, in order."""
    runs, last = [], None
    for assignment in sorted(assignments, key=lambda a: a["published"]):
        port = assignment["published"]
        if last is None or port > last + 1:
            runs.append([])
        runs[-1].append(assignment)
        last = port
    return runs


def _check(stacks, assignments):
    found = clashes(assignments)
    hurt = {a["id"] for pair in found for a in pair}
    rows = []
    for run in _runs(assignments):
        low, high = run[0]["published"], run[-1]["published"]
        cells = [
            ", ".join(dict.fromkeys(a["title"] for a in run if a["stack"] == stack["name"])) or "-" for stack in stacks
        ]
        result = "conflict" if any(a["id"] in hurt for a in run) else "no conflict"
        rows.append([str(low) if low == high else "{0}-{1}".format(low, high), *cells, result])
    total = "**{0}, {1}.**".format(_counted(len(assignments), "endpoint"), _counted(len(found), "conflict"))
    if not found:
        total += " All of these stacks can run on one host at the same time."
    lines = ["- {0} and {1} on {2}/{3}".format(a["id"], b["id"], a["published"], a["protocol"]) for a, b in found]
    check = table(["Ports", *(title_of(stack) for stack in stacks), "Result"], rows)
    return "\n\n".join([check, total, *(["\n".join(lines)] if lines else [])])


def _moves(moves):
    if not moves:
        return "Nothing had to move: no endpoint wants a port that another has."
    rows = [(m["endpoint"], m["from"], m["to"], m["why"]) for m in moves]
    return "What had to move for that:\n\n" + table(("Endpoint", "Wants", "Has", "Why"), rows)


def _titles_of(stack, chosen):
    return ", ".join(_about(service or {}).get("title", name) for name, service in stack["services"].items()
                     if chosen(name, service or {})) or "-"  # fmt: skip


def _wants_gpu(_name, service):
    found = service
    for key in ("deploy", "resources", "reservations", "devices"):
        found = found.get(key) if isinstance(found, dict) else None
    devices = [device for device in found or [] if isinstance(device, dict)] if isinstance(found, list) else []
    return any("gpu" in (device.get("capabilities") or ()) for device in devices)


def _statistics(stacks, assignments):
    rows = []
    for stack in stacks:
        own, layers = _of(assignments, stack), _layers(stack)
        exporters = {a["service"] for a in own if a["endpoint"].endswith(".metrics")}
        rows.append(
            (
                title_of(stack),
                len(stack["services"]),
                len({a["published"] for a in own}),
                "{0}: {1}".format(len(layers), ", ".join(layers)),
                _titles_of(stack, lambda name, _service, known=exporters: name in known),
                _titles_of(stack, _wants_gpu),
                sum(a["exposure"] == "public" for a in own),
            )
        )
    every = len({a["published"] for a in assignments})
    rows.append(
        (Markup("**all**"), sum(r[1] for r in rows), every, "", "", "", sum(r[6] for r in rows))
    )  # fmt: skip
    return table(("Stack", "Containers", "Ports", "Layers", "Exporters", "Needs a GPU", "Public endpoints"), rows)


def _by_layer(stacks, assignments):
    rows = []
    for stack in stacks:
        for layer, names in _layers(stack).items():
            parts = []
            for name in names:
                own = _of(assignments, stack, name)
                if own:
                    title = _about(stack["services"][name] or {}).get("title", name)
                    parts.append("{0} {1}".format(_ports(own), title))
            rows.append((title_of(stack), layer, len(names), "; ".join(parts) or "-"))
    return table(("Stack", "Layer", "Services", "Ports"), rows)


def _urls(stack, assignments, host):
    """Return the URLs of a stack by layer, as lines that can be copied."""
    lines = []
    for layer, names in _layers(stack).items():
        urls = [(url(a, _seen_from(a, host)), a) for name in names for a in _of(assignments, stack, name)]
        lines.extend(["# {0}".format(layer)] if urls else [])
        width = max([len(address) for address, _a in urls] or [0])
        for address, a in urls:
            about = "{title}: {purpose}" if a["purpose"] else "{title}"
            lines.append("{0}  # {1}".format(address.ljust(width), about.format(**a)))
    return "### {0}\n\n{1}".format(plain(title_of(stack)), block(lines) if lines else "None.")


def _health(assignments, host):
    lines = [
        "curl -fsS {0}  # {1}".format(shlex.quote(url(a, _seen_from(a, host)) + a["health"]), a["id"])
        for a in assignments
        if a.get("health") and a["app_protocol"] in HTTP
    ]
    return block(lines) if lines else "No endpoint has an HTTP path that tells its health."


def _flows(stacks, assignments):
    rows = []
    for stack in stacks:
        known = {a["endpoint"]: a for a in _of(assignments, stack)}
        known_as = {name: _about(service or {}).get("title", name) for name, service in stack["services"].items()}
        for flow, step in flows(stack, stack["name"]):
            endpoint = known.get(step["endpoint"])
            # Who comes from outside uses the host's port; in the network the container's counts.
            key = "target" if step["from"] in known_as and step["to"] in known_as else "published"
            rows.append(
                (
                    "{0}: {1}".format(title_of(stack), flow) if flow else title_of(stack),
                    known_as.get(step["from"], step["from"]),
                    known_as.get(step["to"], step["to"]),
                    "{0} ({1})".format(endpoint["endpoint"], endpoint[key]) if endpoint else "-",
                    step["label"] or "-",
                )
            )
    return table(("Flow", "From", "To", "Endpoint (port)", "What"), rows) if rows else "No stack declares any."


def _exposure(stacks, assignments):
    rows = []
    for stack in stacks:
        own = _of(assignments, stack)
        public = [a for a in own if a["exposure"] == "public"]
        private = [a for a in own if a["exposure"] != "public" and not is_loopback(a["host_ip"])]
        inner = [a for a in own if a not in public and a not in private]
        rows.append((title_of(stack), *("none" if not part else _ports(part) for part in (public, private, inner))))
    return table(("Stack", "Public", "On a private address", "Only on the host itself"), rows)


def _rules(assignments):
    public = [a for a in assignments if a["exposure"] == "public"]
    if not public:
        return "No rule is needed: no endpoint is public."
    text = "The role `firewall` writes these and guards published ports, which ufw alone does not.\n\n"
    return text + block("ufw allow {published}/{protocol}  # {title}: {id}".format(**a) for a in public)


def port_map(stacks, assignments, moves, states=None, host=OUTSIDE):
    """Return the map as Markdown, with the tables that a document of ports has.

    :arg stacks: the Compose projects as mappings, in the order in which they were planned
    :arg assignments: what they were assigned, and :arg moves: as ``plan`` returns them
    :arg states: {stack: {service: state}}, when they are known
    :arg host: name of the host in the URLs of public endpoints
    """
    titles = {stack["name"]: title_of(stack) for stack in stacks}
    parts = ["# Port map\n\nComputed from the stack files."]
    for stack in stacks:
        known = (states or {}).get(stack["name"], {})
        parts.append("## {0}\n\n{1}".format(plain(title_of(stack)), services(stack, assignments, known)))
    parts += [
        "## Every port\n\n" + _mapping(assignments, titles, host),
        "## Conflict check\n\n" + _check(stacks, assignments) + "\n\n" + _moves(moves),
        "## Statistics\n\n" + _statistics(stacks, assignments),
        "## Ports by layer\n\n" + _by_layer(stacks, assignments),
        "## URLs\n\n" + "\n\n".join(_urls(stack, assignments, host) for stack in stacks),
        "## Health\n\n" + _health(assignments, host),
        "## Data flows\n\n" + _flows(stacks, assignments),
        "## Exposure\n\n" + _exposure(stacks, assignments),
        "## Firewall\n\n" + _rules(assignments),
    ]
    return "\n\n".join(parts) + "\n"
