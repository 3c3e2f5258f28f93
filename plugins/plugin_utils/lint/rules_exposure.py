# Copyright: (c) 2026, The optiinfra.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rules about what is published: stores for everybody, and targets that nobody listens on."""

from __future__ import annotations

from ansible_collections.optiinfra.platform.plugins.module_utils._binding import host_port, is_wildcard

from . import images
from .model import Finding
from .projects import for_development
from .tree import configured


def _image(tree, family, service):
    """Return what is known of the image that a service runs or is built on."""
    if service.build:
        stage, _path = tree.stage(family, service)
        return images.known(stage.base) if stage else None
    return images.known(service.image)


def stores(tree):
    """Yield store-exposed, once for each service and file."""
    for family in tree.families:
        for view in family.views:
            for service in view.services.values():
                image = _image(tree, family, service)
                for port in service.ports:
                    known = port.target in (image.ports if image else images.STORE_PORTS)
                    store = known and (not image or image.store)
                    if store and is_wildcard(port.address):
                        shown = host_port(port.address, port.fixed) if port.fixed else "every address"
                        severity = "info" if for_development(port.place.file) else ""
                        subject = f"{service.name}: {port.target}"
                        evidence = f"published on {shown}; Docker opens it past a ufw that denies"
                        yield Finding("store-exposed", port.place, subject, evidence, (), severity)


def targets(tree):
    """Yield expose-target, target-port and listen-target."""
    for family in tree.families:
        for view in family.views:
            for service in view.services.values():
                if service.ports and not service.network_mode:
                    yield from _targets(tree, family, service)


def _targets(tree, family, service):
    known = tree.listens(family, [service])
    listens = tree.nginx_listens(family, service)
    stage, _path = tree.stage(family, service)
    wanted = {port.target for port in service.ports}
    first = service.ports[0]
    if listens is not None:
        have = ", ".join(map(str, sorted(listens)))
        for port in service.ports:
            if port.target not in listens and port.target not in known.mentioned:
                evidence = f"target {port.target}, but nginx listens on {have}"
                yield Finding(
                    "listen-target", port.place, f"{service.name}: {port.target}", evidence, (min(listens.values()),)
                )
    elif stage:
        exposed = {port for port, _protocol, _place in stage.exposed}
        base = images.known(stage.base)
        have = exposed | set(base.ports if base else ()) | known.mentioned
        # Another command may well listen on another port.
        if exposed and not stage.vague and not known.vague and not service.command and not wanted & have:
            evidence = f"target {first.target}, but the Dockerfile exposes {', '.join(map(str, sorted(exposed)))}"
            related = (stage.exposed[0][2],)
            yield Finding("expose-target", first.place, f"{service.name}: {first.target}", evidence, related)
    elif not service.build:
        image = images.known(service.image)
        _values, complete = tree.environment(family, service)
        if not image or not image.settled or not complete or configured(service):
            return
        for port in service.ports:
            if port.target not in image.ports and port.target not in known.mentioned:
                have = ", ".join(map(str, image.ports))
                evidence = f"target {port.target}, but {service.image} listens on {have}"
                yield Finding("target-port", port.place, f"{service.name}: {port.target}", evidence)
