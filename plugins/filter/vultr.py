# Copyright: (c) 2026, The optiinfra.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filters of the role vultr_instance: the firewall rules that a plan needs at Vultr, and what Vultr offers."""

from __future__ import annotations

import difflib
import ipaddress

from ansible.errors import AnsibleFilterError
from ansible_collections.optiinfra.platform.plugins.module_utils import _firewall
from ansible_collections.optiinfra.platform.plugins.module_utils._base import checked_assignments
from ansible_collections.optiinfra.platform.plugins.module_utils._stack import StackError

# Rules whose note begins with this are ours: they are purged when they are no longer planned.
MARK = _firewall.MARK
NEAR = 8


def _rule(allow, why):
    network = ipaddress.ip_network(allow.source)
    return {
        "ip_type": f"v{allow.family}",
        "protocol": allow.protocol,
        "port": str(allow.port),
        "subnet": str(network.network_address),
        "subnet_size": network.prefixlen,
        "notes": MARK + why,
    }


def vultr_rules(assignments, ssh_ports, allowed_cidrs=None, ssh_cidrs=None):
    """Return the rules of a Vultr firewall group: SSH and the public endpoints, for IPv4 and IPv6.

    :arg assignments: what port_plan returned
    :arg ssh_ports: ports of SSH
    :arg allowed_cidrs: {service.name or stack/service.name: [network]}; others may be reached from anywhere
    :arg ssh_cidrs: networks that may reach SSH; none given means anywhere
    :raises AnsibleFilterError: naming the key and the value that is wrong
    """
    try:
        allows = _firewall.allowed(checked_assignments(assignments), allowed_cidrs or {}, ssh_ports)
        networks = _firewall._networks("ssh_cidrs", ssh_cidrs) if ssh_cidrs else []
    except StackError as exc:
        raise AnsibleFilterError(str(exc)) from None
    rules = {}
    for allow in allows:
        if allow.protocol not in ("tcp", "udp"):
            raise AnsibleFilterError(f"{allow.why}: Vultr's firewall has no rules for {allow.protocol}")
        sources = [allow]
        if networks and allow.why == "SSH":
            sources = [allow._replace(source=str(n)) for n in networks if n.version == allow.family]
        for source in sources:
            rule = _rule(source, allow.why)
            # Vultr refuses a rule that is there; addresses of the host make no difference to it.
            rules.setdefault(_identity(rule), rule)
    return list(rules.values())


def _network(text):
    try:
        return str(ipaddress.ip_network(text, strict=False))
    except ValueError:
        return ""


def _identity(rule):
    """Return what makes a rule the same as another. Rules for Cloudflare or a load balancer have a source by name."""
    source = rule.get("source") or ""
    name = "" if _network(source) else source
    network = _network(f"{rule['subnet']}/{rule['subnet_size']}")
    return rule["ip_type"], rule["protocol"], str(rule["port"]), network, name


def vultr_rule_changes(current, wanted):
    """Return {add, remove} that bring a group's rules to what is wanted. Rules that are not ours are left alone.

    :arg current: what vultr.cloud.firewall_rule_info returned
    :arg wanted: what vultr_rules returned
    """
    there = {_identity(rule) for rule in current}
    needed = {_identity(rule) for rule in wanted}
    return {
        "add": [rule for rule in wanted if _identity(rule) not in there],
        "remove": [
            rule for rule in current if (rule.get("notes") or "").startswith(MARK) and _identity(rule) not in needed
        ],
    }


def _near(word, names):
    """Return the names that are most like a word, or all of few."""
    if len(names) <= NEAR:
        return sorted(names)
    found = difflib.get_close_matches(word, names, NEAR, 0.5)
    return found or sorted(names)[:NEAR]


def _no(given, what):
    return f"{given!r} is no {what}" if given else "none is given"


def _price(plan):
    words = [f"${plan['monthly_cost']} a month"]
    if plan.get("gpu_type"):
        words.insert(0, f"{plan['gpu_type']}, {plan['gpu_vram_gb']} GB")
    return f"{plan['id']} ({', '.join(words)})"


def _has_gpu(plan):
    return plan.get("type") == "vcg" or bool(plan.get("gpu_type"))


def vultr_problem(offer, region, plan, os, gpu=True):
    """Return why an instance cannot be had, with what there is instead; empty when it can.

    :arg offer: {regions, plans, os: what Vultr lists of each}
    """
    regions = {item["id"]: item for item in offer["regions"]}
    if region not in regions:
        near = ", ".join(_near(region, list(regions)))
        return f"vultr_instance_region: {_no(region, 'region of Vultr')}; near are {near}"
    here = [p for p in offer["plans"] if region in p["locations"] and (_has_gpu(p) or not gpu)]
    here = sorted(here, key=lambda p: p["monthly_cost"])
    priced = ", ".join(_price(p) for p in here[: 2 * NEAR]) or "none"
    kind = "plans with a GPU" if gpu else "plans"
    plans = {item["id"]: item for item in offer["plans"]}
    if plan not in plans:
        by_id = {p["id"]: p for p in here}
        near = ", ".join(_price(by_id[name]) for name in _near(plan, list(by_id))) if plan else priced
        return f"vultr_instance_plan: {_no(plan, 'plan of Vultr')}; {kind} in {region}: {near or 'none'}"
    if gpu and not _has_gpu(plans[plan]):
        return (
            f"vultr_instance_plan: {plan!r} has no GPU; {kind} in {region}: {priced}. "
            "For an instance without one, set vultr_instance_gpu: false"
        )
    if region not in plans[plan]["locations"]:
        where = ", ".join(sorted(plans[plan]["locations"])) or "no region at the moment"
        return f"vultr_instance_plan: {plan!r} is to be had in {where}, not in {region}; {kind} in {region}: {priced}"
    names = [item["name"] for item in offer["os"]]
    if os not in names:
        return f"vultr_instance_os: {os!r} is no operating system of Vultr; near are {', '.join(_near(os, names))}"
    return ""


def vultr_drift(instance, region, plan, os, tags):
    """Return why an instance that is there cannot be taken for the one that is wanted; empty when it can."""
    label = instance["label"]
    missing = [tag for tag in tags if tag not in (instance.get("tags") or [])]
    if missing:
        return (
            f"there is an instance {label!r} at Vultr ({instance['id']}) without the tag {', '.join(missing)}, so it "
            "was not made by this role: add the tag to it there, or choose another vultr_instance_label"
        )
    wanted = {"region": region, "plan": plan, "os": os}
    other = [f"{key} {instance[key]!r}, not {value!r}" for key, value in wanted.items() if instance[key] != value]
    if other:
        return (
            f"the instance {label!r} at Vultr ({instance['id']}) has {'; '.join(other)}. This role does not change "
            "that: set the variables to what it has, or remove it (vultr_instance_state: absent) and create it anew"
        )
    return ""


class FilterModule:
    """Filters about Vultr."""

    def filters(self):
        return {
            "vultr_drift": vultr_drift,
            "vultr_problem": vultr_problem,
            "vultr_rule_changes": vultr_rule_changes,
            "vultr_rules": vultr_rules,
        }
