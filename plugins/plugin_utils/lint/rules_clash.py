# Copyright: (c) 2026, The optiinfra.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rules about host ports that two services want."""

from __future__ import annotations

from ansible_collections.optiinfra.platform.plugins.module_utils._binding import ANY4, ANY6, Binding, overlap

from .model import Finding
from .projects import COMPANIONS, qualifier, together, variants
from .texts import UNKNOWN


def _bindings(services):
    """Yield (Service, Published, Binding) of every host port that is certain."""
    for service in services:
        if service.network_mode == "host":
            for port, place in service.expose:
                yield service, place, Binding("", port)
            continue
        for published in service.ports:
            if published.fixed and UNKNOWN not in published.address:
                # Docker's own bindings of :: leave IPv4 alone.
                binding = Binding(published.address, published.fixed, published.protocol, published.address == ANY6)
                yield service, published.place, binding


def _by_port(services):
    found = {}
    for service, place, binding in _bindings(services):
        found.setdefault((binding.port, binding.protocol), []).append((service, place, binding))
    return found


def _pairs(holders):
    for index, one in enumerate(holders):
        for two in holders[:index]:
            families = {one[2].address, two[2].address}
            if families != {ANY4, ANY6} and overlap(one[2], two[2]):
                yield two, one


def clashes(tree):
    """Yield port-clash: services of one project that cannot both have their port."""
    for family in tree.families:
        for view in family.views:
            for (_port, _protocol), holders in _by_port(view.services.values()).items():
                for (first, place, binding), (second, other, _binding) in _pairs(holders):
                    if first is second and place == other:
                        continue
                    if first is not second and not together(first, second):
                        continue
                    who = first.name if first is second else f"{first.name} and {second.name}"
                    evidence = f"both publish {binding}" if first is not second else f"publishes {binding} twice"
                    files = "" if place.file == other.file else f" ({first.name} in {place})"
                    yield Finding(
                        "port-clash", other, f"{who}: {binding.port}/{binding.protocol}", evidence + files, (place,)
                    )


def _qualified(family, view):
    return COMPANIONS & set().union(*(qualifier(path) for path in view.files))


def companions(tree):
    """Yield clash-across-files: files of one folder of which the one is started beside the other."""
    for family in tree.families:
        for view in family.views[1:]:
            base = family.views[0]
            if set(view.files) & set(base.files) or set(view.services) & set(base.services):
                continue
            if not _qualified(family, view) or _qualified(family, base):
                continue
            yield from _across([(family, base), (family, view)], "clash-across-files", "")


def _external(family):
    """Return the names of the networks that a family shares with others, and of those that it makes for others."""
    shared, made = set(), set()
    for item in family.files.values():
        for key, (label, external, _place) in item.networks.items():
            if external:
                shared.add(label or key)
            elif label:
                made.add(label)
            else:
                made.add(f"{item.name or family.label}_{key}")
    return shared, made


def _linked(one, two):
    shared, made = _external(one)
    others_shared, others_made = _external(two)
    names = (shared & (others_shared | others_made)) | (others_shared & made)
    return sorted(name for name in names if UNKNOWN not in name)


def _unrelated(one, two):
    """Tell whether two families are neither the same project in versions nor examples."""
    if one.folder == two.folder or one.example or two.example:
        return False
    if one.named and two.named and one.label != two.label:
        return True
    return not variants({s.name for s in one.services()}, {s.name for s in two.services()})


def _included(one, two):
    """Tell whether a view of the one has files of the other, so that its clashes are found in it."""
    return any(set(view.files) & set(two.files) for view in one.views) or any(
        set(view.files) & set(one.files) for view in two.views
    )


def between(tree):
    """Yield findings about ports that projects of different folders want."""
    linked, shared = {}, {}
    by_port = {}
    for family in tree.families:
        if not family.views:
            continue
        for (port, protocol), holders in _by_port(family.views[0].services.values()).items():
            by_port.setdefault((port, protocol), []).append((family, holders))
    links = {}
    for key, wanted in by_port.items():
        for index, (one, holders) in enumerate(wanted):
            for two, others in wanted[:index]:
                pairs = [(a, b) for a in others for b in holders if overlap(a[2], b[2])]
                # The same line in both is a file that both are built on: they are variants.
                if not pairs or any(a[1] == b[1] for a, b in pairs):
                    continue
                clash = pairs[0]
                pair = (two.folder, one.folder)
                if pair not in links:
                    links[pair] = _unrelated(one, two) and not _included(one, two) and (_linked(one, two) or [""])
                if links[pair]:
                    group = linked if links[pair] != [""] else shared
                    group.setdefault(key, []).append((two, clash[0], one, clash[1], links[pair][0]))
    yield from _grouped("clash-across-files", linked)
    yield from _grouped("port-shared", shared)


def _grouped(code, found):
    """Yield one finding for each port, however many want it."""
    for (port, protocol), pairs in found.items():
        holders = {}
        planned = all(family.catalogued for one, _a, two, _b, _network in pairs for family in (one, two))
        for one, first, two, second, _network in pairs:
            for family, (service, place, _binding) in ((one, first), (two, second)):
                holders.setdefault(place, f"{family.label}/{service.name}")
        places = sorted(holders)
        network = pairs[0][4]
        reason = f"wanted by {', '.join(holders[place] for place in places)}"
        reason += f", which share the network {network}" if network else ""
        reason += ", stacks of which port_plan moves one" if planned else ""
        yield Finding(code, places[0], f"{port}/{protocol}", reason, tuple(places[1:]))


def _across(views, code, reason):
    (_family, base), (_other, view) = views
    wanted = _by_port(base.services.values())
    for key, holders in _by_port(view.services.values()).items():
        for service, place, binding in holders:
            for first, earlier, taken in wanted.get(key, []):
                if overlap(binding, taken) and together(first, service):
                    subject = f"{first.name} and {service.name}: {binding.port}/{binding.protocol}"
                    evidence = f"both publish {binding} ({first.name} in {earlier})"
                    yield Finding(code, place, subject, evidence, (earlier,))
