# Copyright: (c) 2026, The optiinfra.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rules about ports that something refers to: health checks, scrape targets, upstreams, variables."""

from __future__ import annotations

import posixpath
import re

from . import images
from .compose import words
from .model import Finding, Reference
from .texts import command_references, is_local, number, references

_NO_ADDRESS = re.compile(r"(?i)(image|tag|version|password|secret|token|_key$)")
# Variables that name addresses as somebody outside of the network sees them.
_OUTSIDE = re.compile(r"(?i)(public|external|origin|cors|allowed|redirect|callback|browser)")
_HOST = re.compile(r"^(.*?)_?(HOST|HOSTNAME|SERVER)$", re.IGNORECASE)
# Variables by which processes are told where to listen.
_LISTEN = re.compile(
    r"^(PORT|HTTP_PORT|SERVER_PORT|LISTEN_PORT|UVICORN_PORT|FLASK_RUN_PORT|NITRO_PORT|NUXT_PORT|GF_SERVER_HTTP_PORT|"
    r"ASPNETCORE_HTTP_PORTS|ASPNETCORE_URLS)$"
)
_DEBUGGERS = frozenset((2345, 5005, 5678, 9222, 9229, 9230, 40000))
_CLIENT = {"pg_isready": "-p", "psql": "-p", "redis-cli": "-p", "mysqladmin": "-P", "mongosh": "--port"}
_REMOTE_HOSTS = frozenset(("host.docker.internal", "gateway.docker.internal", "docker.for.mac.localhost"))


def _text(values):
    return " ".join(value.text for value in values)


def _client_port(service):
    """Return the Reference of a store's own client in a health check, None when it names no port."""
    command = words(service.health)
    for index, word in enumerate(command):
        option = _CLIENT.get(posixpath.basename(word))
        for name, value in zip(command[index + 1 :], command[index + 2 :], strict=False):
            if option and name in (option, "--port") and number(value):
                return Reference("localhost", number(value), service.health[0].place, f"{word} {name} {value}")
    return None


def health(tree):
    """Yield health-port of Compose files."""
    for family in tree.families:
        for view in family.views:
            for service in view.services.values():
                if not service.health or service.network_mode == "host":
                    continue
                values, _complete = tree.environment(family, service)
                environment = {name: value.text for name, value in values.items()}
                found = command_references(_text(service.health), service.health[0].place, environment)
                own = [r for r in found if is_local(r.host) or r.host in service.names]
                client = _client_port(service)
                known = tree.listens(family, [service])
                for reference in own + ([client] if client and not own else []):
                    port = reference.port
                    if known.vague or not known.ports or port in known.ports | known.mentioned:
                        continue
                    place = next((v.place for v in service.health if str(port) in v.text), reference.place)
                    verdict = _judge_alone(known, port)
                    yield Finding("health-port", place, f"{service.name}: {port}", *_said(reference, verdict))


def _judge_alone(known, port):
    if port in known.published:
        targets = ", ".join(str(target) for target in sorted(known.published[port]))
        return "error", f"{port} is its port on the host; inside it is {targets}"
    return ("warning" if known.settled else "info"), f"it has {', '.join(map(str, sorted(known.ports)))}"


def _said(reference, verdict):
    """Return (evidence, related, severity) of a finding about a reference."""
    severity, reason = verdict
    return f"{_short(reference.text)}, but {reason}", (), severity


def _short(text):
    """Return a text not longer than a line has room for."""
    return text if len(text) <= 80 else text[:77] + "..."


def image_health(tree):
    """Yield health-port of Dockerfiles: HEALTHCHECK against EXPOSE."""
    for path, stages in tree.stages.items():
        seen = set()
        for stage in stages:
            if stage.health is None or stage.vague or not stage.exposed or stage.health.place in seen:
                continue
            seen.add(stage.health.place)
            exposed = {port for port, _protocol, _place in stage.exposed}
            base = images.known(stage.base)
            known = exposed | set(base.ports if base else ())
            mentioned = {n for text in stage.environment.values() for n in [number(text)] if n}
            for command in stage.command:
                mentioned |= {int(n) for n in re.findall(r"(?<!\d)\d{2,5}(?!\d)", command.text)}
            for reference in command_references(stage.health.text, stage.health.place, stage.environment):
                if is_local(reference.host) and reference.port not in known | mentioned:
                    evidence = f"{_short(reference.text)}, but {', '.join(map(str, sorted(exposed)))} is exposed"
                    subject = f"{posixpath.basename(path)}: {reference.port}"
                    yield Finding("health-port", reference.place, subject, evidence, (stage.exposed[0][2],))


def _configured(tree, path, reference, code, subject):
    """Yield the finding about a reference in a configuration file, judged by the projects that use the file."""
    verdicts, related = [], ()
    for family in tree.families_of(path):
        definitions = family.definitions(reference.host)
        if not definitions:
            continue
        verdict = tree.listens(family, definitions).judge(reference.port, aside=code == "scrape-port")
        if verdict is None:
            return
        verdicts.append(verdict)
        related = (definitions[0].place,)
    if verdicts:
        severity, reason = verdicts[0]
        yield Finding(code, reference.place, subject, reason, related, severity)


def scrapes(tree):
    """Yield scrape-port."""
    for path, found in tree.prometheus.items():
        for job, reference in found.targets:
            subject = f"{job}: {reference.host}:{reference.port}"
            if is_local(reference.host):
                yield from _local_scrape(tree, path, reference, subject)
            elif reference.host not in _REMOTE_HOSTS:
                yield from _configured(tree, path, reference, "scrape-port", subject)


def _local_scrape(tree, path, reference, subject):
    """Yield scrape-port for a Prometheus in a container that looks for another service on its own localhost."""
    for family in tree.families_of(path):
        for service in family.services():
            image = service.image.rpartition("/")[2].partition(":")[0]
            if image != "prometheus" or service.network_mode:
                continue
            if tree.listens(family, [service]).has(reference.port):
                return
            others = [s for s in family.services() if reference.port in tree.listens(family, [s]).ports]
            if others:
                reason = f"{reference.port} is {others[0].name}'s; in its container localhost is {service.name} itself"
                yield Finding("scrape-port", reference.place, subject, reason, (others[0].place,))
            return


def upstreams(tree):
    """Yield upstream-port."""
    for path, found in tree.nginx.items():
        for reference in found.passes:
            if not is_local(reference.host) and reference.host not in _REMOTE_HOSTS:
                subject = f"{reference.host}:{reference.port}"
                yield from _configured(tree, path, reference, "upstream-port", subject)


def _of_variable(name, value, values):
    """Return [Reference] of a variable: hosts with ports in its value, or its port with the host of its partner."""
    if _NO_ADDRESS.search(name) or _OUTSIDE.search(name):
        return []
    found = references(value.text, value.place)
    match = _HOST.match(name)
    if match and value.text and ":" not in value.text:
        partner = f"{match.group(1)}_PORT" if match.group(1) else "PORT"
        port = values.get(partner)
        if port and number(port.text):
            found.append(Reference(value.text.lower(), number(port.text), port.place, f"{partner}={port.text}"))
    return found


def variables(tree):
    """Yield env-published-port, env-wrong-port and env-localhost."""
    for family in tree.families:
        for view in family.views:
            for service in view.services.values():
                if service.network_mode in ("host", "none"):
                    continue
                values, _complete = tree.environment(family, service)
                for name, value in values.items():
                    for reference in _of_variable(name, value, values):
                        yield from _variable(tree, family, service, name, reference)


def _variable(tree, family, service, name, reference):
    if reference.host in service.names:
        return
    subject = f"{service.name}.{name}"
    if is_local(reference.host):
        if reference.scheme in images.STORE_SCHEMES and not service.network_mode:
            yield from _store_on_localhost(tree, family, service, subject, reference)
        return
    definitions = family.definitions(reference.host)
    if not definitions:
        return
    aside = reference.scheme not in ("http", "https", "ws", "wss")
    verdict = tree.listens(family, definitions).judge(reference.port, aside)
    if verdict:
        severity, reason = verdict
        evidence = f"{_short(reference.text)}, but {reason}"
        code = "env-published-port" if severity == "error" else "env-wrong-port"
        related = (definitions[0].place,)
        yield Finding(code, reference.place, subject, evidence, related, severity)


def _stores(tree, family, scheme):
    """Return [Service] that listen on the port that the stores of a scheme have."""
    port = images.STORE_SCHEMES[scheme]
    return [s for s in family.services() if port in tree.listens(family, [s]).ports]


def _store_on_localhost(tree, family, service, subject, reference):
    own = tree.listens(family, [service])
    stores = [s for s in _stores(tree, family, reference.scheme) if s.name != service.name]
    if stores and reference.port not in own.ports and not own.vague:
        evidence = f"{_short(reference.text)}, but the store is the service {stores[0].name}"
        yield Finding("env-localhost", reference.place, subject, evidence, (stores[0].place,))


def listening(tree):
    """Yield env-port."""
    for family in tree.families:
        users = {}
        for service in family.services():
            for value in tree.environment(family, service)[0].values():
                users.setdefault(value.place, set()).add(service.name)
        for view in family.views:
            for service in view.services.values():
                targets = {port.target for port in service.ports} - _DEBUGGERS
                if not targets or service.vague or service.network_mode or images.known(service.image):
                    continue
                values, _complete = tree.environment(family, service)
                said = {name: value for name, value in values.items() if _LISTEN.match(name)}
                numbers = {name: number(value.text.rpartition(":")[2].rstrip("/")) for name, value in said.items()}
                if not any(numbers.values()) or set(numbers.values()) & targets:
                    continue
                if any(str(target) in _text(service.command) for target in targets):
                    continue
                for name, port in numbers.items():
                    value = said[name]
                    # What several services get from one place is meant for one of them.
                    if port and len(users[value.place]) == 1:
                        published = ", ".join(f"{p.fixed or '?'}:{p.target}" for p in service.ports)
                        evidence = f"{name}={value.text}, but published is {published}"
                        related = (service.ports[0].place,)
                        yield Finding("env-port", value.place, f"{service.name}.{name}", evidence, related)


def dotenvs(tree):
    """Yield env-host-port: .env files that no container reads are for processes on the host."""
    used = set()
    for family in tree.families:
        for service in family.services():
            used |= {tree.path_of(family.folder, path) for path in service.env_files}
    for path, values in tree.dotenvs.items():
        if path in used or re.search(r"(?i)prod|stag|live|docker", posixpath.basename(path)):
            continue
        family = tree.by_folder.get(posixpath.dirname(path))
        for name, value in values.items() if family else ():
            for reference in references(value.text, value.place):
                if is_local(reference.host) and reference.scheme in images.STORE_SCHEMES:
                    yield from _on_host(tree, family, name, reference)


def _on_host(tree, family, name, reference):
    stores = _stores(tree, family, reference.scheme)
    published = [
        port for store in stores for port in store.ports if port.target == images.STORE_SCHEMES[reference.scheme]
    ]
    hosts = {host for port in published for host in port.host}
    everything = {host for service in family.services() for port in service.ports for host in port.host}
    if hosts and reference.port not in everything and not any(store.vague or store.network_mode for store in stores):
        evidence = (
            f"{_short(reference.text)}, but {stores[0].name} is published on {', '.join(map(str, sorted(hosts)))}"
        )
        yield Finding("env-host-port", reference.place, name, evidence, (published[0].place,))
