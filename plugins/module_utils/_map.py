# Copyright: (c) 2026, The optiinfra.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The port map of stacks as Markdown: every table and figure is computed from the plan. Pure, standard library only."""

from __future__ import annotations

from ._report import url


def _table(headings, rows):
    lines = ["| " + " | ".join(headings) + " |", "|" + "---|" * len(headings)]
    return "\n".join(lines + ["| " + " | ".join(str(cell).replace("|", "\\|") for cell in row) + " |" for row in rows])


def _ports(assignments):
    return ", ".join(str(port) for port in sorted({a["published"] for a in assignments}))


def _of(assignments, stack, service):
    return [a for a in assignments if (a["stack"], a["service"]) == (stack, service)]


def _title(stack):
    return (stack.get("x-catalog") or {}).get("title") or stack["name"]


def _services(stack, assignments):
    layers = (stack.get("x-catalog") or {}).get("layers") or {}
    rows = []
    for number, (name, service) in enumerate(stack["services"].items(), 1):
        about = service.get("x-catalog") or {}
        layer = layers.get(about.get("layer"), about.get("layer", "-"))
        ports = _ports(_of(assignments, stack["name"], name)) or "-"
        container = service.get("container_name", "-")
        rows.append((number, layer, about.get("title", name), ports, container, about.get("purpose", "-")))
    return _table(("#", "Layer", "Service", "Port(s)", "Container", "Purpose"), rows)


def _mapping(assignments, titles):
    rows = [
        (a["published"], a["title"], titles[a["stack"]], a["endpoint"], a["host_ip"] or "every address", a["target"])
        for a in sorted(assignments, key=lambda a: (a["published"], a["protocol"], a["host_ip"]))
    ]
    return _table(("Port", "Service", "Stack", "Endpoint", "Address", "In the container"), rows)


def _moves(moves):
    if not moves:
        return "No endpoint wants a port that another has."
    rows = [(m["endpoint"], m["from"], m["to"], m["why"]) for m in moves]
    return _table(("Endpoint", "Wants", "Has", "Why"), rows)


def _statistics(stacks, assignments):
    rows = []
    for stack in stacks:
        own = [a for a in assignments if a["stack"] == stack["name"]]
        layers = {(s.get("x-catalog") or {}).get("layer") for s in stack["services"].values()} - {None}
        public = sum(a["exposure"] == "public" for a in own)
        rows.append((_title(stack), len(stack["services"]), len({a["published"] for a in own}), len(layers), public))
    total = (sum(row[1] for row in rows), len({a["published"] for a in assignments}), "", sum(row[4] for row in rows))
    return _table(("Stack", "Containers", "Ports", "Layers in use", "Public endpoints"), [*rows, ("**all**", *total)])


def _urls(assignments, titles):
    rows = [(titles[a["stack"]], a["endpoint"], "`{0}`".format(url(a))) for a in assignments]
    return _table(("Stack", "Endpoint", "URL on the host"), rows)


def _rules(assignments):
    public = [a for a in assignments if a["exposure"] == "public"]
    if not public:
        return "None: no endpoint is public."
    lines = ["ufw allow {published}/{protocol}  # {id}".format(**a) for a in public]
    return "```bash\n" + "\n".join(lines) + "\n```"


def port_map(stacks, assignments, moves):
    """Return the map as Markdown: services of each stack, all ports, moves, statistics, URLs, firewall rules.

    :arg stacks: the Compose projects as mappings, in the order in which they were planned
    :arg assignments: what they were assigned, and :arg moves: as ``plan`` returns them
    """
    titles = {stack["name"]: _title(stack) for stack in stacks}
    parts = ["# Port map"]
    parts += ["## {0}\n\n{1}".format(_title(stack), _services(stack, assignments)) for stack in stacks]
    parts += [
        "## Every port\n\n" + _mapping(assignments, titles),
        "## Conflicts and what was done\n\n" + _moves(moves),
        "## Statistics\n\n" + _statistics(stacks, assignments),
        "## URLs\n\n" + _urls(assignments, titles),
        "## Firewall\n\n" + _rules(assignments),
    ]
    return "\n\n".join(parts) + "\n"
