# Copyright: (c) 2026, The optiinfra.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reads Kubernetes manifests: Services, what they select, Ingresses and routes. Standard kinds only."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from .model import Place
from .texts import number
from .yamltree import load

_PODS = {
    "Deployment": ("spec", "template"),
    "StatefulSet": ("spec", "template"),
    "DaemonSet": ("spec", "template"),
    "ReplicaSet": ("spec", "template"),
    "ReplicationController": ("spec", "template"),
    "Job": ("spec", "template"),
    "CronJob": ("spec", "jobTemplate", "spec", "template"),
    "Pod": (),
}
_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_ROUTES = ("HTTPRoute", "GRPCRoute", "TCPRoute", "TLSRoute", "UDPRoute")


class ContainerPort(NamedTuple):
    """A port that a container declares."""

    name: str
    port: int | None
    host_port: int | None
    protocol: str
    place: Place


@dataclass
class Container:
    """A container of a pod. ``partial`` is one without an image: a patch for another file."""

    name: str
    ports: list
    probes: list  # [(kind, port text, Place)]
    partial: bool


@dataclass
class Workload:
    """Something that makes pods."""

    kind: str
    name: str
    namespace: str
    labels: dict
    containers: list
    place: Place
    host_network: bool = False


class ServicePort(NamedTuple):
    """A port of a Service. ``target`` is a number or name as text."""

    name: str
    port: int | None
    target: str
    node_port: int | None
    protocol: str
    place: Place
    explicit: bool  # whether targetPort is written


@dataclass
class KubeService:
    """A Service."""

    name: str
    namespace: str
    selector: dict
    ports: list
    place: Place


class Backend(NamedTuple):
    """Where an Ingress or route sends to: a Service and one of its ports, by number or name."""

    owner: str
    namespace: str
    service: str
    port: str
    place: Place


@dataclass
class Manifests:
    """What one file declares."""

    name: str
    services: list = field(default_factory=list)
    workloads: list = field(default_factory=list)
    backends: list = field(default_factory=list)


def _labels(node):
    return {key: value.text for key, (_key, value) in node.pairs.items()}


def _container(node, name):
    ports = [
        ContainerPort(
            port.get("name").text,
            number(port.get("containerPort").text),
            number(port.get("hostPort").text),
            port.get("protocol").text or "TCP",
            Place(name, port.line),
        )
        for port in node.get("ports").items
    ]
    probes = []
    for kind in _PROBES:
        for way in ("httpGet", "tcpSocket", "grpc"):
            port = node.get(kind, way, "port")
            host = node.get(kind, way, "host").text
            if port.text and not host:
                probes.append((kind, port.text, Place(name, port.line)))
    return Container(node.get("name").text, ports, probes, not node.get("image").text)


def _workload(node, kind, name):
    pod = node
    for key in _PODS[kind]:
        pod = pod.get(key)
    spec = pod.get("spec")
    containers = [_container(item, name) for item in spec.get("containers").items]
    # A container that is started before and stays may serve as well.
    containers += [
        _container(item, name) for item in spec.get("initContainers").items if item.get("restartPolicy").text
    ]
    return Workload(
        kind,
        node.get("metadata", "name").text,
        node.get("metadata", "namespace").text,
        _labels(pod.get("metadata", "labels")),
        containers,
        Place(name, node.line),
        spec.get("hostNetwork").text == "true",
    )


def _service(node, name):
    spec = node.get("spec")
    ports = []
    for port in spec.get("ports").items:
        target = port.get("targetPort")
        ports.append(
            ServicePort(
                port.get("name").text,
                number(port.get("port").text),
                target.text or port.get("port").text,
                number(port.get("nodePort").text),
                port.get("protocol").text or "TCP",
                Place(name, target.line if target.text else port.line),
                bool(target.text),
            )
        )
    selector = {} if spec.get("type").text == "ExternalName" else _labels(spec.get("selector"))
    metadata = node.get("metadata")
    return KubeService(
        metadata.get("name").text, metadata.get("namespace").text, selector, ports, Place(name, node.line)
    )


def _backends(node, name):
    """Yield the Backends of an Ingress, in the form of today and that of its first versions."""
    spec = node.get("spec")
    found = [spec.get("defaultBackend"), spec.get("backend")]
    for rule in spec.get("rules").items:
        found.extend(path.get("backend") for path in rule.get("http", "paths").items)
    for backend in found:
        service = backend.get("service", "name").text or backend.get("serviceName").text
        port = backend.get("service", "port", "number")
        for other in (backend.get("service", "port", "name"), backend.get("servicePort")):
            port = port if port.text else other
        if service and port.text:
            yield _backend(node, name, service, port)


def _route_backends(node, name):
    for rule in node.get("spec", "rules").items:
        for backend in rule.get("backendRefs").items:
            port = backend.get("port")
            if backend.get("kind").text in ("", "Service") and port.text and not backend.get("namespace").text:
                yield _backend(node, name, backend.get("name").text, port)


def _backend(node, name, service, port):
    metadata = node.get("metadata")
    owner = f"{node.get('kind').text} {metadata.get('name').text}"
    return Backend(owner, metadata.get("namespace").text, service, port.text, Place(name, port.line))


def parse(text, name):
    """Return the Manifests of a file.

    :raises Unreadable: for a file that is not YAML
    """
    found = Manifests(name)
    documents = load(text)
    while documents:
        node = documents.pop(0)
        kind, version = node.get("kind").text, node.get("apiVersion").text
        if kind == "List":
            # Lists of lists do not exist; what is nested by an anchor would never end.
            documents.extend(item for item in node.get("items").items if item.get("kind").text != "List")
        elif kind == "Service" and version == "v1":
            found.services.append(_service(node, name))
        elif kind in _PODS and version.split("/")[0] in ("v1", "apps", "batch", "extensions"):
            found.workloads.append(_workload(node, kind, name))
        elif kind == "Ingress" and version.split("/")[0] in ("networking.k8s.io", "extensions"):
            found.backends.extend(_backends(node, name))
        elif kind in _ROUTES and version.startswith("gateway.networking.k8s.io/"):
            found.backends.extend(_route_backends(node, name))
    return found
