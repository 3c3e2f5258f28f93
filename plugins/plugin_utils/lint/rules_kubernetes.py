# Copyright: (c) 2026, The optiinfra.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rules about Kubernetes manifests."""

from __future__ import annotations

import posixpath

from .model import Finding
from .texts import number


class _Placed:
    """Things of manifests by file, by folder, and by every folder above."""

    def __init__(self, everything):
        self.by_file, self.by_folder, self.below = {}, {}, {}
        for path, item in everything:
            folder = posixpath.dirname(path)
            self.by_file.setdefault(path, []).append(item)
            self.by_folder.setdefault(folder, []).append(item)
            while True:
                self.below.setdefault(folder, []).append(item)
                if not folder:
                    break
                folder = posixpath.dirname(folder)

    def nearest(self, path):
        """Return the things of the same file, of the same folder, and of all folders beside and below it."""
        folder = posixpath.dirname(path)
        groups = (self.by_file.get(path), self.by_folder.get(folder), self.below.get(posixpath.dirname(folder)))
        return [group for group in groups if group]


def _selected(service, workloads):
    """Return the workloads whose pods a Service selects."""
    return [
        workload
        for workload in workloads
        if workload.namespace in ("", service.namespace) or not service.namespace
        if all(workload.labels.get(key) == value for key, value in service.selector.items())
    ]


def services(tree):
    """Yield service-target-port."""
    placed = _Placed((path, w) for path, found in tree.manifests.items() for w in found.workloads)
    by_name = {}
    for workload in placed.below.get("", ()):
        by_name.setdefault(workload.name, []).append(workload)
    for path, found in tree.manifests.items():
        for service in found.services:
            if not service.selector:
                continue
            selected = next((s for group in placed.nearest(path) if (s := _selected(service, group))), [])
            # Patches of the same workload elsewhere may declare more.
            names = sorted({workload.name for workload in selected})
            yield from _service(service, selected + [w for name in names for w in by_name[name]])


def _service(service, selected):
    containers = [container for workload in selected for container in workload.containers]
    declared = [port for container in containers for port in container.ports]
    if not declared:
        return
    names = {port.name for port in declared if port.name}
    numbers = {port.port for port in declared if port.port}
    have = ", ".join(sorted(names) + [str(n) for n in sorted(numbers)])
    # Where some ports of a Service are declared, a number that is not is left out by habit.
    habit = any(number(port.target) in numbers or port.target in names for port in service.ports)
    for port in service.ports:
        target = port.target
        if target in names or number(target) in numbers or not target or "$" in target:
            continue
        if number(target) and any(container.partial for container in containers):
            continue
        severity = ("info" if habit else "warning") if number(target) else ""
        written = "targetPort" if port.explicit else "port without targetPort"
        evidence = f"{written} {target}, but {selected[0].kind} {selected[0].name} declares {have}"
        subject = f"Service {service.name}: {target}"
        yield Finding("service-target-port", port.place, subject, evidence, (declared[0].place,), severity)


def probes(tree):
    """Yield probe-port."""
    for found in tree.manifests.values():
        for workload in found.workloads:
            for container in workload.containers:
                names = {port.name for port in container.ports}
                numbers = {port.port for port in container.ports}
                if not container.ports or container.partial:
                    continue
                for kind, port, place in container.probes:
                    if port in names or number(port) in numbers or "$" in port:
                        continue
                    have = ", ".join(sorted(filter(None, names)) + [str(n) for n in sorted(filter(None, numbers))])
                    evidence = f"{kind} asks {port}, but the container declares {have}"
                    subject = f"{workload.kind} {workload.name}/{container.name}: {port}"
                    yield Finding("probe-port", place, subject, evidence, (), "info" if number(port) else "")


def ingresses(tree):
    """Yield ingress-port."""
    placed = _Placed((path, s) for path, found in tree.manifests.items() for s in found.services)
    for path, found in tree.manifests.items():
        for backend in found.backends:
            named = next((s for g in placed.nearest(path) if (s := [x for x in g if _is_backend(x, backend)])), [])
            ports = [port for service in named for port in service.ports]
            if not ports or any(backend.port in (str(port.port), port.name) for port in ports) or "$" in backend.port:
                continue
            have = ", ".join(str(port.port) for port in ports)
            evidence = f"port {backend.port}, but Service {backend.service} has {have}"
            yield Finding(
                "ingress-port", backend.place, f"{backend.owner}: {backend.service}", evidence, (named[0].place,)
            )


def _is_backend(service, backend):
    same = not backend.namespace or service.namespace in ("", backend.namespace)
    return service.name == backend.service and same


def node_ports(tree):
    """Yield node-port-clash: the same nodePort in Services of one folder, the same hostPort in one pod."""
    taken = {}
    for path, found in tree.manifests.items():
        for service in found.services:
            for port in service.ports:
                if not port.node_port:
                    continue
                key = (posixpath.dirname(path), port.node_port, port.protocol)
                other = taken.setdefault(key, (service.name, port.place))
                if other[0] != service.name:
                    evidence = f"nodePort {port.node_port} is that of Service {other[0]} as well"
                    yield Finding("node-port-clash", port.place, f"Service {service.name}", evidence, (other[1],))
        for workload in found.workloads:
            on_host = {}
            for container in workload.containers:
                for port in container.ports:
                    if port.host_port:
                        other = on_host.setdefault((port.host_port, port.protocol), (container.name, port.place))
                        if other[1] != port.place:
                            evidence = f"hostPort {port.host_port} is taken by the container {other[0]}"
                            subject = f"{workload.kind} {workload.name}"
                            yield Finding("node-port-clash", port.place, subject, evidence, (other[1],))
