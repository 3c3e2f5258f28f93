# Copyright: (c) 2026, The optiinfra.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rules about documents that disagree with the files, or with themselves."""

from __future__ import annotations

import difflib
import posixpath
import re

from .markdown import EITHER, PUBLISHED, TARGET
from .meaning import default_names, described_by, index_of, likeness, meant_by, title_of
from .model import Finding
from .names import alike, disjoint, words
from .texts import number

_CONTAINER = re.compile(r"^[a-zA-Z0-9][a-zA-Z0-9_.-]+$")
_PAST = re.compile(r"(?i)\b(history|changelog|changes|previous|before|old|legacy|migration)\b")
_ENVIRONMENT = re.compile(r"(?i)\b(dev|development|test|testing|uat|stag(e|ing)|prod|production|environments?)\b")
_LAYER = re.compile(r"(?i)^(.{1,40}?) layer\b")
_TOGETHER = re.compile(r"(?i)\b(combined|overall|together|altogether)\b")
_ROWS_ENOUGH = 3


def _allowed(tree, family, services, kind):
    """Return the ports that a document may give a service, None when they are not known."""
    known = tree.listens(family, services)
    if known.vague or any(service.network_mode for service in services):
        return None
    inside = known.ports | known.mentioned | known.checked
    if kind == TARGET:
        return inside or None
    hosts = {host for service in services for port in service.ports for host in port.host}
    if not hosts:
        # A proxy may well serve it on a port of its own.
        return None
    if _variable(services):
        settings = [values for path, values in tree.dotenvs.items() if posixpath.dirname(path) == family.folder]
        hosts |= {number(value.text) for values in settings for value in values.values() if number(value.text)}
    return hosts if kind == PUBLISHED else hosts | inside


def _variable(services):
    """Tell whether a host port of services is given by a variable."""
    return any(port.variable for service in services for port in service.ports)


def _moved(document, family, services):
    """Return the ports to which a document, such as our own port map, says that endpoints of services were moved."""
    prefixes = tuple(f"{family.label}/{service.name}." for service in services)
    return {port for endpoint, ports in document.moves.items() if endpoint.startswith(prefixes) for port in ports}


def ports(tree):
    """Yield doc-port."""
    for path, document in tree.documents.items():
        for row in document.rows:
            if any(_PAST.search(heading) for heading in row.headings):
                continue
            elsewhere_meant = any(_ENVIRONMENT.search(heading) for heading in row.headings)
            meant, exact = meant_by(tree, path, row)
            for port, kind in row.ports if meant else ():
                groups = [_allowed(tree, family, services, kind) for family, services in meant]
                if any(port in _moved(document, family, services) for family, services in meant):
                    continue
                if elsewhere_meant and any(_variable(services) for _family, services in meant):
                    continue
                if None in groups or any(port in group for group in groups):
                    continue
                elsewhere = [] if exact else [m for name in row.names for m in index_of(tree).matching(name)]
                others = [_allowed(tree, family, services, kind) for family, services in elsewhere]
                if any(group is None or port in group for group in others):
                    continue
                family, services = meant[0]
                name = ", ".join(row.names) or row.container
                have = ", ".join(map(str, sorted(set().union(*groups))))
                evidence = f"says {port}; {family.label}/{services[0].name} has {have}"
                variable = kind != TARGET and any(_variable(services) for _family, services in meant)
                severity = "info" if row.fragment or variable else ""
                yield Finding("doc-port", row.place, f"{name}: {port}", evidence, (services[0].place,), severity)


def _tables(document):
    found = {}
    for row in document.rows:
        if row.table is not None:
            found.setdefault(row.table, []).append(row)
    return found.values()


def _containers(row):
    """Return the container names of a row, [] when it does not give them all."""
    cell = row.container
    if not cell or cell in ("-", "\u2013", "\u2014") or "..." in cell or "\u2026" in cell:
        return []
    return [part.strip() for part in cell.split(",")]


def containers(tree):
    """Yield doc-container, for tables of which most containers are those of one project."""
    for document in tree.documents.values():
        for rows in _tables(document):
            named = [(row, name) for row in rows for name in _containers(row)]
            hits = {}
            for _row, name in named:
                for family, _services in index_of(tree).containers(name):
                    hits.setdefault(family.folder, [family, 0])[1] += 1
            for family, count in sorted(hits.values(), key=lambda hit: -hit[1])[:1]:
                if count >= _ROWS_ENOUGH and 2 * count >= len(named):
                    own = {s.container or s.name: s for s in family.services()}
                    own.update({name: s for s in family.services() for name in (s.name, *default_names(family, s))})
                    yield from _strangers(family, own, named)


def _strangers(family, own, named):
    containers = sorted({service.container or service.name for service in own.values()})
    networks = {
        label or key: place for item in family.files.values() for key, (label, _e, place) in item.networks.items()
    }
    for row, name in named:
        if name not in own:
            related = ()
            close = difflib.get_close_matches(name, containers, 1)
            if name in networks:
                reason, related = "it is a network, not a container", (networks[name],)
            elif not _CONTAINER.match(name):
                reason = "no container can have this name" + (f"; there is {close[0]}" if close else "")
            else:
                reason = "no service has it" + (f"; there is {close[0]}" if close else "")
            yield Finding("doc-container", row.place, name, f"{reason} ({family.label})", related)
        elif len(row.names) == 1:
            service = own[name]
            better = [s for s in own.values() if alike(row.names[0], s.title or s.name)]
            if better and service not in better and not likeness(service, row.names[0]):
                like = better[0].title or better[0].name
                reason = f"it is {service.title or service.name}'s, the row is named like {like}"
                yield Finding("doc-container", row.place, f"{row.names[0]}: {name}", reason, (service.place,))


def _layer_title(family, service):
    layers = {key: title for item in family.files.values() for key, title in item.layers.items()}
    return layers.get(service.layer, service.layer)


def _number(described, what, layer=""):
    """Return the numbers that a count may state: with and without services of profiles, and for any way to start."""
    totals = {0}
    for family, _names in described:
        own = set()
        for view in family.views:
            every = list(view.services.values())
            for services in (every, [s for s in every if not s.profiles]):
                chosen = [s for s in services if not layer or words(_layer_title(family, s)) == words(layer)]
                if what in ("services", "containers"):
                    own.add(len(chosen))
                elif what == "ports":
                    own.add(len({(host, p.protocol) for s in chosen for p in s.ports for host in p.host}))
                else:
                    own.add(len({s.layer for s in chosen if s.layer}))
        totals = {total + part for total in totals for part in own}
    return totals - {0}


def _listed(described):
    """Return how many services a document lists: of each project, and of all."""
    numbers = [len(names) for _family, names in described]
    return {*numbers, sum(numbers)}


def _expected(count, described):
    """Return [(what for, numbers)] that a stated number may mean."""
    for heading in reversed(count.headings[1:]):
        named = [item for item in described if words(title_of(item[0])) and words(title_of(item[0])) <= words(heading)]
        if len(named) == 1:
            return [(title_of(named[0][0]), _number(named, count.what))]
        layered = _LAYER.match(heading)
        if layered:
            layer = layered.group(1)
            found = [(f"{layer} of {title_of(item[0])}", _number([item], count.what, layer)) for item in described]
            return [(name, numbers) for name, numbers in found if numbers]
        if _TOGETHER.search(heading):
            return [("all", _number(described, count.what))]
    found = [(title_of(item[0]), _number([item], count.what)) for item in described]
    if len(described) > 1:
        found.append(("all", _number(described, count.what)))
    return found


def counts(tree):
    """Yield doc-count."""
    for path, document in tree.documents.items():
        described = described_by(tree, path, document) if document.counts else []
        for count in document.counts if described else ():
            if any(_PAST.search(heading) for heading in count.headings):
                continue
            expected = [(name, numbers) for name, numbers in _expected(count, described) if numbers]
            if not expected or any(count.number in numbers for _name, numbers in expected):
                continue
            layered = any(_LAYER.match(heading) for heading in count.headings[1:])
            if count.what in ("services", "containers") and not layered and count.number in _listed(described):
                continue
            have = "; ".join(f"{name}: {' or '.join(map(str, sorted(numbers)))}" for name, numbers in expected)
            evidence = f"the files have {have}"
            yield Finding("doc-count", count.place, count.text, evidence)


def variables(tree):
    """Yield doc-variable: NAME_PORT against the table of the same document."""
    for document in tree.documents.values():
        rows = [row for row in document.rows if row.table is not None and len(row.names) == 1]
        for name, port, place in document.variables:
            wanted = words(name.removesuffix("_PORT").replace("_", " "))
            meant = [row for row in rows if wanted and wanted <= words(row.names[0])]
            given = {p.port for row in meant for p in row.ports}
            holder = next((row for row in rows if port in {p.port for p in row.ports}), None)
            if len(meant) == 1 and given and port not in given and holder:
                have = ", ".join(map(str, sorted(given)))
                evidence = f"{port} is {holder.names[0]}'s in the table; {meant[0].names[0]} has {have}"
                yield Finding("doc-variable", place, f"{name}={port}", evidence, (meant[0].place, holder.place))


def _on_host(row):
    """Return the ports of a row that are the host's."""
    url = any(kind == PUBLISHED for _port, kind in row.ports)
    return {port for port, kind in row.ports if kind == PUBLISHED or (url and kind == EITHER)}


def clashes(tree):
    """Yield doc-clash: within a table, and between documents of one folder."""
    first, said = {}, set()
    for path, document in tree.documents.items():
        for rows in _tables(document):
            taken = {}
            for row in rows:
                for port in sorted(_on_host(row)):
                    other = taken.setdefault((port, row.group), row)
                    if other is not row and _strange(other, row):
                        evidence = f"{', '.join(row.names)} and {', '.join(other.names)}"
                        yield Finding("doc-clash", row.place, f"port {port}", evidence, (other.place,))
            for row in rows if len(rows) >= _ROWS_ENOUGH else ():
                for port in sorted({port for port, kind in row.ports if kind != TARGET}):
                    other_path, other = first.setdefault((posixpath.dirname(path), port), (path, row))
                    if other_path != path and _strange(other, row) and (path, port) not in said:
                        said.add((path, port))
                        evidence = f"{', '.join(row.names)} here, {', '.join(other.names)} in {other.place}"
                        yield Finding("doc-clash", row.place, f"port {port}", evidence, (other.place,), "info")


def _strange(one, two):
    return bool(one.names and two.names) and all(disjoint(a, b) for a in one.names for b in two.names)


def missing(tree):
    """Yield doc-missing."""
    for path, document in tree.documents.items():
        for family, _names in described_by(tree, path, document):
            services = [s for s in family.views[0].services.values() if s.ports and not s.profiles]
            absent = [s for s in services if not _has(document, s)]
            if absent and len(services) - len(absent) >= 4 and 4 * len(absent) <= len(services):
                table = min(row.table for row in document.rows if row.table is not None)
                for service in absent:
                    place = document.rows[0].place._replace(line=table)
                    evidence = f"{family.label}/{service.name} publishes {service.ports[0].fixed or 'a port'}"
                    yield Finding("doc-missing", place, service.name, evidence, (service.place,))


def _has(document, service):
    return any(
        service.container in _containers(row)
        or (service.container and service.container in row.container)
        or any(likeness(service, name) or words(name) & words(service.name) for name in row.names)
        for row in document.rows
    )


def layers(tree):
    """Yield doc-layer: a list below the heading of a layer against the stack file."""
    for path, document in tree.documents.items():
        for row in document.rows:
            heading = row.headings[-1] if row.headings else ""
            layered = _LAYER.match(heading)
            layer = row.layer or (layered.group(1) if layered and row.table is None else "")
            meant, _exact = meant_by(tree, path, row) if layer and len(row.names) == 1 else ([], False)
            for family, services in meant:
                titles = {_layer_title(family, service) for service in family.services()}
                own = _layer_title(family, services[0])
                known = any(words(layer) == words(title) for title in titles)
                if own and known and words(own) != words(layer) and len(meant) == 1:
                    evidence = f"under {layer}; {family.label} has it in {own}"
                    yield Finding("doc-layer", row.place, row.names[0], evidence, (services[0].place,))
