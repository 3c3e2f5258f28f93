# Copyright: (c) 2026, The optiinfra.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filters that derive things from assignments: the deployable Compose project, URLs, the closing table."""

from __future__ import annotations

from ansible.errors import AnsibleFilterError
from ansible_collections.optiinfra.platform.plugins.module_utils import _endpoints, _map, _report
from ansible_collections.optiinfra.platform.plugins.module_utils._binding import ANY4, ANY6
from ansible_collections.optiinfra.platform.plugins.module_utils._stack import StackError


def _without_extensions(value):
    """Return a value without the keys that begin with x-, at any depth."""
    if isinstance(value, dict):
        return {key: _without_extensions(item) for key, item in value.items() if not str(key).startswith("x-")}
    if isinstance(value, list):
        return [_without_extensions(item) for item in value]
    return value


def _ports(assignment):
    """Return the Compose port entries of an assignment; every address takes one for each family."""
    addresses = [assignment["host_ip"]] if assignment["host_ip"] else [ANY4, ANY6]
    return [
        {
            "target": assignment["target"],
            "published": str(assignment["published"]),
            "host_ip": address,
            "protocol": assignment["protocol"],
            "mode": "ingress",
        }
        for address in addresses
    ]


def compose_render(project, assignments):
    """Return the project that Compose runs: extensions gone, ports as assigned, references untouched.

    :arg project: the stack as a mapping
    :arg assignments: what port_plan returned; those of other stacks are ignored
    :raises AnsibleFilterError: when an assignment names a service that is not there
    """
    rendered = _without_extensions(project)
    ports = {}
    for assignment in assignments:
        if assignment["stack"] == project.get("name"):
            ports.setdefault(assignment["service"], []).extend(_ports(assignment))
    unknown = set(ports) - set(rendered["services"])
    if unknown:
        raise AnsibleFilterError(f"compose_render: no service {', '.join(sorted(unknown))} in {project.get('name')}")
    for name, service in rendered["services"].items():
        service.pop("ports", None)
        # On the host's network the process has the port itself.
        if name in ports and service.get("network_mode") != "host":
            service["ports"] = ports[name]
    return rendered


def url_for(assignments, endpoint, host=None):
    """Return the URL of an endpoint, by ``service.name`` or ``stack/service.name``.

    :raises AnsibleFilterError: when there is none, or several stacks have one
    """
    try:
        return _report.url(_endpoints.find(assignments, endpoint), host)
    except StackError as exc:
        raise AnsibleFilterError(f"url_for: {exc}") from None


def endpoint_urls(assignments, host=None):
    """Return {stack/service.name: URL}."""
    return {a["id"]: _report.url(a, host) for a in assignments}


def port_map(plan, stacks):
    """Return the port map of stacks as Markdown.

    :arg plan: what port_plan returned
    :arg stacks: the stacks as the lookup returns them, in the same order
    """
    try:
        return _map.port_map(stacks, plan["assignments"], plan["moves"])
    except StackError as exc:
        raise AnsibleFilterError(f"port_map: {exc}") from None


def qualified_overrides(overrides):
    """Return the port overrides of several stacks as those of one plan: {stack/service.name: port}.

    :arg overrides: {stack: {service.name or stack/service.name: port}}
    """
    return {
        endpoint if "/" in endpoint else f"{stack}/{endpoint}": port
        for stack, ports in overrides.items()
        for endpoint, port in (ports or {}).items()
    }


class FilterModule:
    """Filters about assignments."""

    def filters(self):
        return {
            "compose_render": compose_render,
            "endpoint_completion": _endpoints.completion,
            "endpoint_urls": endpoint_urls,
            "endpoint_variables": _endpoints.variables,
            "port_map": port_map,
            "qualified_overrides": qualified_overrides,
            "service_table": _report.service_table,
            "url_for": url_for,
        }
