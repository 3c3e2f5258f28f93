#!/usr/bin/python
# Copyright: (c) 2026, The optiinfra.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: port_audit
short_description: Compare the ports that are declared with those that are open on a host
version_added: 0.1.0
author:
  - The optiinfra.platform maintainers (@optiinfra)
description:
  - Finds every listener (TCP and UDP, IPv4 and IPv6) with its process, user, systemd unit and container, and every port
    that the container engine publishes, in one pass.
  - Says of each whether the firewall lets a first packet from outside get there, by walking the rules of iptables,
    ip6tables and nftables as that packet does, translated ports on their way to containers included.
  - Joins them with what is declared, which is what the given stacks are planned to have, or else what the lock on the
    host says, and returns findings with code, severity, evidence and remedy.
  - Reads only. Runs without privileges as well, and then says what it could not see.
extends_documentation_fragment:
  - optiinfra.platform.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
options:
  assignments:
    description:
      - What is declared, as M(optiinfra.platform.port_plan) returns it. Without it, what O(lock) says.
    type: list
    elements: dict
  lock:
    description: The file on the host that keeps the assignments of all its stacks.
    type: path
    default: /var/lib/optiinfra/ports.json
  fail_on:
    description: The least severity of a finding that makes the task fail.
    type: str
    choices: [never, info, warning, error]
    default: never
  accept:
    description: Findings that are known and accepted.
    type: list
    elements: dict
    default: []
    suboptions:
      code:
        description: The finding's code.
        type: str
        required: true
      subject:
        description: The finding's subject; C(*) in it stands for anything.
        type: str
        required: true
      until:
        description: The last day on which it is accepted, as C(YYYY-MM-DD).
        type: str
      reason:
        description: Why it is accepted.
        type: str
  baseline:
    description:
      - A YAML or JSON file on the controller with more findings that are accepted, as a list of what O(accept) takes or
        below the key C(accept). There O(accept[].reason) has to be given, and C(hosts), a list of patterns of hosts or
        groups, says where an entry counts.
    type: path
  stack_root:
    description: Where the role P(optiinfra.platform.stack#role) keeps the Compose files of stacks on the host.
    type: path
    default: /etc/optiinfra
  docker_host:
    description: The engine's socket on the host. Defaults to E(DOCKER_HOST), then C(unix:///var/run/docker.sock).
    type: str
  external_interfaces:
    description:
      - The interfaces by which the outside comes in. Without it, all that are up and have an address, except the
        loopback, dummies, and bridges without a default route.
    type: list
    elements: str
    default: []
notes:
  - A verdict of the firewall is V(allowed), V(denied), V(partly) (for some senders, which RV(open_ports) names),
    V(unknown) or V(none) (not open in that family, or only to this host). It is V(unknown) where a rule that
    decides has a match that is not understood, or where the rules cannot be read. V(allowed) may have exceptions,
    which are named.
  - The packet that is asked about is the first one of a sender that was never here, so limits on rates are not
    reached.
  - The codes of findings, with severity, meaning and remedy, follow.
  - C(squatter) (error). Somebody else holds what is declared. Stop it, or plan the endpoint elsewhere with
    overrides.
  - C(declared-silent) (error). The stack runs, and nobody has a port that it declares. Deploy the stack again, and
    look at the container's log.
  - C(unhealthy) (error). A container of a declared stack does not run or is not healthy. Look at the container's
    log.
  - C(wider-exposure) (error, warning where the firewall denies it). Open on more addresses than declared. Deploy
    the stack again; until then guard the port in the firewall.
  - C(firewall-bypassed) (error). The firewall denies the port to the host, and the translation to a container leads
    past it, as Docker does with ufw. Publish it on 127.0.0.1, or guard DOCKER-USER with the role firewall.
  - C(firewall-not-loaded) (error). ufw is enabled in its files, and the kernel has none of its rules. Run ufw
    reload, and look why it was not loaded at boot.
  - C(undeclared-published) (error, warning where the firewall denies it). A container of a declared stack publishes
    what its stack does not declare. Declare the port in the stack file, or do not publish it.
  - C(drift-file) (warning). The Compose file that was written to the host has other ports than the plan. Deploy the
    stack again.
  - C(drift-container) (warning). A running container publishes other ports than its Compose file says, was made
    from another file, or its definition or configuration has changed since. Deploy the stack again.
  - C(stack-not-running) (warning). Ports are declared, and no container of the stack runs. Deploy the stack, or
    release its ports with port_plan state=absent.
  - C(public-denied) (warning). Declared public, and the firewall denies it. Run the role firewall, or declare the
    endpoint private or loopback.
  - C(undeclared-listener) (warning, info where the firewall denies it). Nobody declares it, and it listens beyond
    loopback. Declare it, stop it, or accept it.
  - C(shared-port) (warning, info for UDP). Two owners listen on the same address and port, and the kernel hands
    connections to either. Let one of them have the port.
  - C(rule-unused) (warning). A rule lets in a port that nobody declares or listens on beyond loopback. Delete the
    rule, or declare what it is for.
  - C(ephemeral-port) (warning). Outgoing connections may take the port first. Reserve it in
    net.ipv4.ip_local_reserved_ports, or plan another port.
  - C(acceptance-expired) (warning). A finding was accepted until a day that is over, and it is still there. Mend
    what it accepts, or accept it anew with a later day.
  - C(acceptance-unused) (info). What was accepted is not there. Delete the entry.
  - C(namespace-listener) (info). Somebody listens in another network namespace, of a container that is none of the
    engine's or made by hand; no port of the host is taken by it. Nothing, if you know it.
  - C(local-listener) (info). Nobody declares it, and it listens on loopback only. Nothing, if you know it.
  - C(stand-in) (info). A container stands in for a service. Give the service's own image, see the role images.
"""

EXAMPLES = r"""
# ansible all -m optiinfra.platform.port_audit
- name: Fail when anything is open that should not be
  optiinfra.platform.port_audit:
    fail_on: warning
    accept:
      - {code: undeclared-listener, subject: "0.0.0.0:22/tcp", reason: administration, until: "2027-06-30"}
    # What is accepted on which hosts of the fleet, by entries such as the one above with hosts: [web*]
    baseline: baseline.yml
"""

RETURN = r"""
report:
  description: The findings above severity info, a line each, what to do, what was not seen, and a line of numbers.
  returned: success or failure
  type: list
  elements: str
findings:
  description: What does not fit, the most severe first.
  returned: success or failure
  type: list
  elements: dict
  contains:
    code: {description: Stable name of the kind of finding, type: str}
    severity: {description: "info, warning or error", type: str}
    subject: {description: "An endpoint, stack, container or address:port/protocol", type: str}
    evidence: {description: What was seen, type: str}
    remedy: {description: What to do, type: str}
accepted:
  description: Findings that O(accept) or O(baseline) cover, with C(until) and C(reason).
  returned: success or failure
  type: list
  elements: dict
declared:
  description: What is declared on the host, be it by O(assignments) or by O(lock).
  returned: success or failure
  type: list
  elements: dict
  contains:
    id: {description: "The endpoint, stack/service.name", type: str}
    stack: {description: Its stack, type: str}
    service: {description: Its service, type: str}
    endpoint: {description: "Its name without the stack, service.name", type: str}
    published: {description: Its port of the host, type: int}
    target: {description: The container's port, type: int}
    host_ip: {description: "The address, empty for every one", type: str}
    protocol: {description: "tcp, udp or sctp", type: str}
    app_protocol: {description: "What is spoken there, such as http", type: str}
    exposure: {description: "loopback, private or public", type: str}
open_ports:
  description: Every open port with its owner.
  returned: success or failure
  type: list
  elements: dict
  contains:
    address: {description: "The address, * for every one", type: str}
    port: {description: The port, type: int}
    protocol: {description: "tcp, udp or sctp", type: str}
    families: {description: "ipv4, ipv6 or both", type: list, elements: str}
    exposure: {description: "loopback, or reachable for what is bound to more than that", type: str}
    process: {description: Name of the process, type: str}
    pid: {description: "Its number, the lowest of several", type: int}
    pids: {description: All processes that listen there, type: list, elements: int}
    user: {description: Its user, type: str}
    command: {description: "Its command line, secrets left out", type: str}
    unit: {description: Its systemd unit, type: str}
    container: {description: Its container, type: str}
    project: {description: Compose project of the container, type: str}
    service: {description: Compose service of the container, type: str}
    declared: {description: The endpoint that is declared there, type: str}
    firewall:
      description:
        - The verdicts C(ipv4) and C(ipv6), the C(rule) that decides (several, if the families differ) and C(sources),
          who gets through where not everybody does.
      type: dict
  sample:
    - {address: 127.0.0.1, port: 5432, protocol: tcp, container: optiinfra-postgres, declared: optiinfra/postgres.sql}
firewall:
  description: Where the rules come from (C(backend)), the interfaces C(outside), and what the files of C(ufw) say.
  returned: success or failure
  type: dict
  sample: {backend: iptables (nf_tables), outside: [eth0], ufw: {enabled: true, incoming: deny}}
namespaces:
  description: What listens in other network namespaces than the host's, those of the engine's containers left out.
  returned: success or failure
  type: list
  elements: dict
  sample:
    - {name: blue, container: "", pids: [71], listeners: [{address: 0.0.0.0, port: 80, protocol: tcp, pid: 71}]}
unseen:
  description: What could not be examined, and why.
  returned: success or failure
  type: list
  elements: str
"""

from ansible_collections.optiinfra.platform.plugins.module_utils import _accept, _audit, _base, _look
from ansible_collections.optiinfra.platform.plugins.module_utils._error import StackError

ACCEPT = {
    "code": {"type": "str", "required": True},
    "subject": {"type": "str", "required": True},
    "until": {"type": "str"},
    "reason": {"type": "str"},
}


def work(module):
    params = module.params
    options = _look.Options(
        params["lock"], params["stack_root"], params["docker_host"], tuple(params["external_interfaces"])
    )
    if params["assignments"] is None:
        assignments = _look.declared(options)
    else:
        assignments = _base.checked_assignments(params["assignments"])
    accept = _accept.checked(params["accept"], _audit.CODES)
    if params["baseline"]:
        raise StackError("baseline: {0!r}: is read on the controller, by the action plugin".format(params["baseline"]))
    tools = _look.Tools(module.get_bin_path, module.run_command)
    result = _look.audit(options, tools, assignments, accept)
    if params["fail_on"] != "never":
        least = _audit.SEVERITIES.index(params["fail_on"])
        if any(_audit.SEVERITIES.index(f["severity"]) >= least for f in result["findings"]):
            module.fail_json(msg="\n".join(result["report"]), **result)
    return result


def main():
    _base.run(
        {
            "assignments": {"type": "list", "elements": "dict"},
            "lock": {"type": "path", "default": "/var/lib/optiinfra/ports.json"},
            "fail_on": {"type": "str", "choices": ["never", "info", "warning", "error"], "default": "never"},
            "accept": {"type": "list", "elements": "dict", "default": [], "options": ACCEPT},
            "baseline": {"type": "path"},
            "stack_root": {"type": "path", "default": "/etc/optiinfra"},
            "docker_host": {"type": "str"},
            "external_interfaces": {"type": "list", "elements": "str", "default": []},
        },
        work,
    )


if __name__ == "__main__":
    main()
