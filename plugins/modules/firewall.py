#!/usr/bin/python
# Copyright: (c) 2026, The optiinfra.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: firewall
short_description: Let exactly the planned public endpoints and SSH be reached, through ufw and past Docker
version_added: 0.1.0
author:
  - The optiinfra.platform maintainers (@optiinfra)
description:
  - Docker hands published ports to containers before ufw's rules for incoming traffic are asked, so a denying ufw alone
    guards none of them. This module writes both halves into ufw's own files, for IPv4 and IPv6. The first are allow
    rules for SSH and the public endpoints, with incoming traffic denied by default. The second is a guard called by
    C(DOCKER-USER), by the port that was asked for, that drops everything else that comes from outside to a container.
  - C(ufw reload), a restart of the engine, a recreated container and a reboot keep them.
  - The whole desired state is computed in memory, tested with C(iptables-restore --test), written once and loaded with
    one reload, only when something differs. When loading fails, the old files are put back and loaded.
  - Rules of its own that are no longer planned are removed, rules of others are left alone. Its allow rules come first.
  - Refused are hosts that it cannot guard, such as those with an active firewalld or the engine's nftables backend.
extends_documentation_fragment:
  - optiinfra.platform.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
options:
  assignments:
    description: What M(optiinfra.platform.port_plan) returns. Those whose exposure is C(public) are let in.
    type: list
    elements: dict
    default: []
  allowed_cidrs:
    description:
      - Networks that may reach an endpoint, by its name (C(service.name) or C(stack/service.name)). Others are open to
        anywhere.
    type: dict
    default: {}
  ssh_ports:
    description:
      - Ports of SSH, let in from anywhere, before everything else. By default those on which sshd listens. The one that
        this session came in by is let in at any rate. Without any the module fails.
    type: list
    elements: int
    default: []
  internal_interfaces:
    description: Interfaces of container networks, with a C(+) at the end for all that begin so. They are not guarded.
    type: list
    elements: str
    default: [docker+, br-+]
  rollback_after:
    description:
      - Seconds after which the old rules come back, unless the file RV(pending) was removed by then. Remove it from a
        fresh connection, which proves that the new rules let one in, as the role does. V(0) does without.
    type: int
    default: 0
  state:
    description:
      - With V(absent), the guard and the rules of the endpoints are removed. ufw stays as it is, and with it the rules
        for SSH.
    type: str
    choices: [present, absent]
    default: present
"""

EXAMPLES = r"""
- name: Only what is planned as public can be reached
  optiinfra.platform.firewall:
    assignments: "{{ plan.assignments }}"
    allowed_cidrs:
      locust.web: [192.0.2.0/24]
"""

RETURN = r"""
rules:
  description: What is let in from outside, in order.
  returned: success
  type: list
  elements: dict
  contains:
    port: {description: The port, type: int}
    protocol: {description: Its protocol, type: str}
    address: {description: The address of the host, type: str}
    source: {description: Who may reach it, type: str}
    why: {description: The endpoint or SSH, type: str}
reason:
  description: Why the firewall was loaded. Empty when it was not.
  returned: success
  type: str
pending:
  description: The file to remove within O(rollback_after) seconds. Empty when nothing waits.
  returned: success
  type: str
ssh_ports:
  description: The ports of SSH that were given or found.
  returned: success
  type: list
  elements: int
"""

import fcntl
import json
import os
import uuid

from ansible_collections.optiinfra.platform.plugins.module_utils import _base, _firewall, _sockets, _topology
from ansible_collections.optiinfra.platform.plugins.module_utils._engine import Engine, EngineError
from ansible_collections.optiinfra.platform.plugins.module_utils._error import StackError

BEFORE = "/etc/ufw/before.rules"
BEFORE6 = "/etc/ufw/before6.rules"
USER = "/etc/ufw/user.rules"
USER6 = "/etc/ufw/user6.rules"
AFTER = "/etc/ufw/after.rules"
AFTER6 = "/etc/ufw/after6.rules"
HOOK = "/etc/ufw/after.init"
CONF = "/etc/ufw/ufw.conf"
DEFAULTS = "/etc/default/ufw"
# In this order they are written: what opens SSH before what closes the rest.
FILES = (USER, USER6, AFTER, AFTER6, HOOK, DEFAULTS, CONF)
OLD = "/var/lib/optiinfra/firewall"


def _read(path, missing=""):
    try:
        with open(path, encoding="utf-8") as handle:
            return handle.read()
    except FileNotFoundError:
        return missing
    except (OSError, UnicodeError) as exc:
        raise StackError("{0}: {1}".format(path, exc)) from None


def _refuse_what_cannot_be_guarded(module):
    if not module.get_bin_path("ufw"):
        raise StackError("ufw is not installed: install the package ufw (the role optiinfra.platform.firewall does)")
    for path in (USER, USER6, AFTER, AFTER6, CONF, DEFAULTS):
        if not os.path.exists(path):
            raise StackError(
                "{0} is missing: ufw is not completely installed (apt-get install --reinstall ufw)".format(path)
            )
    for pid in (int(name) for name in os.listdir("/proc") if name.isdigit()):
        if _read_comm(pid) == "firewalld" and not _sockets.process(pid).container:
            raise StackError("firewalld is active, and two firewalls undo each other: stop and disable it, or ufw")
    backend = _firewall_backend()
    if backend.startswith("nftables"):
        raise StackError(
            "Docker's firewall backend is {0}, which has no chain DOCKER-USER, so published ports cannot be guarded "
            'here: set "firewall-backend": "iptables" in /etc/docker/daemon.json and restart Docker'.format(backend)
        )


def _read_comm(pid):
    try:
        return _read("/proc/{0}/comm".format(pid)).strip()
    except StackError:
        return ""


def _firewall_backend():
    """Return what Docker guards with: what the running engine says, else what its configuration asks for."""
    try:
        return ((Engine()._get("/info") or {}).get("FirewallBackend") or {}).get("Driver") or ""
    except EngineError:
        pass
    try:
        return str(json.loads(_read("/etc/docker/daemon.json", "{}") or "{}").get("firewall-backend", ""))
    except (ValueError, AttributeError):
        return ""


def _own_port():
    """Return the port that this session came in by, which is let in whatever else is said."""
    return {_firewall.ssh_from_environment(os.environ)} - {None}


def _ssh_ports():
    """Return the ports of sshd, and the one that this session came in by."""
    found = [s for s in _sockets.listeners(("tcp",)) if s.binding.port]
    holders = _sockets.owners([s.inode for s in found])
    ports = {
        s.binding.port
        for s in found
        if s.inode in holders
        and not holders[s.inode].container
        and holders[s.inode].name == "sshd"
        and not _firewall.is_loopback(s.binding.address)
    }
    return sorted(ports | _own_port())


def _wanted(before, rules, params, executable):
    """Return {path: text} for all our files."""
    present = params["state"] == "present"
    internal = params["internal_interfaces"]
    text = dict(before)
    for path, after, family in ((USER, AFTER, 4), (USER6, AFTER6, 6)):
        own = [rule for rule in rules if rule.family == family]
        text[path] = _firewall.user_rules(before[path], own, path)
        text[after] = _firewall.with_block(before[after], _firewall.guard(rules, family, internal) if present else [])
    text[HOOK] = _firewall.with_hook(before[HOOK], present, executable)
    if present:
        text[CONF] = _firewall.setting(before[CONF], "ENABLED", "yes")
        text[DEFAULTS] = _firewall.setting(before[DEFAULTS], "IPV6", "yes")
        text[DEFAULTS] = _firewall.denying(text[DEFAULTS])
    return text


def _check(module, text):
    """Have the new rules judged before anything is written."""
    # Those before ours are not changed, but one that does not load would take all of the firewall down.
    others = {path: _read(path) for path in (BEFORE, BEFORE6)}
    text = {**others, **text}
    for path, family in ((BEFORE, 4), (USER, 4), (AFTER, 4), (BEFORE6, 6), (USER6, 6), (AFTER6, 6)):
        if family == 6 and not os.path.exists("/proc/net/if_inet6"):
            continue
        tool = "ip6tables-restore" if family == 6 else "iptables-restore"
        rc, _out, err = module.run_command([module.get_bin_path(tool, True), "-n", "--test"], data=text[path])
        if rc and path in others:
            raise StackError("{0} is not accepted by {1}, nothing was written: {2}".format(path, tool, err.strip()))
        if rc:
            raise StackError(
                "{0} would not be accepted by {1}, nothing was written: {2}".format(path, tool, err.strip())
            )


def _saved(module, family):
    tool = "ip6tables-save" if family == 6 else "iptables-save"
    rc, out, _err = module.run_command([module.get_bin_path(tool, True), "-t", "filter"])
    return out if rc == 0 else ""


def _families():
    return (4, 6) if os.path.exists("/proc/net/if_inet6") else (4,)


def _is_live(module, rules):
    internal = module.params["internal_interfaces"]
    return all(_firewall.is_live(_saved(module, family), rules, family, internal) for family in _families())


def _guard_is_live(module):
    return any(":{0} ".format(_firewall.CHAIN) in _saved(module, family) for family in _families())


def _write(module, path, text, mode=None):
    temporary = os.path.join(module.tmpdir, "ufw")
    with open(temporary, "w", encoding="utf-8") as handle:
        handle.write(text)
    if not os.path.exists(path):
        os.chmod(temporary, 0o640)
    module.atomic_move(temporary, path)
    if mode is not None:
        os.chmod(path, mode)


def _unhook(module):
    """Take the guard out of the kernel."""
    for tool in ("iptables", "ip6tables"):
        command = [module.get_bin_path(tool, True), "-w", "10"]
        for words in (["-D", "DOCKER-USER", "-j"], ["-F"], ["-X"]):
            module.run_command(command + words + [_firewall.CHAIN])


def _reload(module, text):
    """Load what the files say. Return what went wrong, or an empty text."""
    ufw = module.get_bin_path("ufw", True)
    command = [ufw, "reload"] if _is_enabled(text) else [ufw, "--force", "disable"]
    rc, out, err = module.run_command(command)
    if _firewall.BEGIN not in text[HOOK]:
        _unhook(module)
    return "" if rc == 0 else (err or out).strip() or "{0} returned {1}".format(" ".join(command), rc)


def _kept(path):
    return os.path.join(OLD, path.strip("/").replace("/", "-"))


def _lock():
    """Wait until no rollback is under way, and keep the next one waiting until this process ends."""
    handle = open(os.path.join(OLD, "lock"), "w", encoding="utf-8")  # noqa: SIM115
    fcntl.flock(handle, fcntl.LOCK_EX)
    return handle


def _promise_rollback(module, before):
    """Have the old files put back later by a process that outlives this session. Return the file that stands for it."""
    pending, script = os.path.join(OLD, "pending"), os.path.join(OLD, "rollback.sh")
    token = uuid.uuid4().hex
    files = {_kept(path): path for path in FILES}
    text = _firewall.rollback_script(OLD, token, module.params["rollback_after"], files, _is_enabled(before))
    _write(module, script, text)
    _write(module, pending, token)
    # A session of its own, without our pipes: it lives on when this connection ends, and is not waited for.
    detach = 'setsid --fork /bin/sh "$1" </dev/null >/dev/null 2>&1'
    rc, _out, err = module.run_command(["/bin/sh", "-c", detach, "detach", script], cwd="/")
    if rc:
        raise OSError("the rollback could not be started: {0}".format(err.strip()))
    return pending


def _is_enabled(text):
    return _firewall.setting(text[CONF], "ENABLED", "yes") == text[CONF]


def _apply(module, before, text, modes, rules, lock):
    """Write what differs and load it once; put everything back when that fails. Return what to remove in time."""
    os.makedirs(OLD, mode=0o700, exist_ok=True)
    lock = lock or _lock()
    for path in FILES:
        if os.path.exists(path):
            mode = modes[path][0] if path in modes else os.stat(path).st_mode & 0o777
            _write(module, _kept(path), before[path], mode)
    problem, pending = "", ""
    try:
        if module.params["rollback_after"] > 0:
            pending = _promise_rollback(module, before)
        for path in FILES:
            if text[path] != before[path] or modes.get(path, (0, 0))[0] != modes.get(path, (0, 0))[1]:
                _write(module, path, text[path], modes[path][1] if path in modes else None)
        problem = _reload(module, text)
        if not problem and module.params["state"] == "present" and not _is_live(module, rules):
            problem = "ufw reload succeeded, but the kernel does not have all of the rules"
    except OSError as exc:
        problem = str(exc)
    if not problem:
        return pending
    if pending:
        os.unlink(pending)
    for path in reversed(FILES):
        _write(module, path, before[path], modes[path][0] if path in modes else None)
    again = _reload(module, before)
    # A ufw that could not be loaded says of itself that it is disabled.
    if _read(CONF) != before[CONF]:
        _write(module, CONF, before[CONF])
    raise StackError(
        "the firewall could not be loaded: {0}\n{1} (the old files are also in {2})".format(
            problem,
            "The old rules could not be loaded again either: " + again if again else "The old rules are loaded again.",
            OLD,
        )
    )


def work(module):
    params = module.params
    _refuse_what_cannot_be_guarded(module)
    outside = _topology.default_interfaces(_read("/proc/net/route"), _read("/proc/net/ipv6_route"))
    wrong = _firewall.confused(outside, params["internal_interfaces"])
    if wrong:
        raise StackError(
            "internal_interfaces: {0} leads outside, so it must not count as internal: name the bridges of Docker "
            "one by one".format(", ".join(wrong))
        )
    present = params["state"] == "present"
    ssh = sorted({*params["ssh_ports"], *_own_port()}) if params["ssh_ports"] else _ssh_ports()
    assignments = _base.checked_assignments(params["assignments"]) if present else []
    rules = _firewall.allowed(assignments, params["allowed_cidrs"] if present else {}, ssh)
    # Without the folder there is no rollback to wait for.
    lock = _lock() if os.path.isdir(OLD) and not module.check_mode else None
    before = {path: _read(path) for path in FILES}
    mode = os.stat(HOOK).st_mode & 0o777 if os.path.exists(HOOK) else 0o640
    if not present and not any(_firewall.is_marked(text) for text in before.values()):
        rules = []  # Nothing of ours was ever here; nothing of ours comes.
    text = _wanted(before, rules, params, executable=bool(mode & 0o100))
    new_mode = mode | 0o110 if present else mode
    if not present and _firewall.PLAIN in before[HOOK]:
        new_mode = mode & ~0o111
    reason = ""
    if text != before or new_mode != mode:
        reason = "the files differ"
    elif present and not _is_live(module, rules):
        reason = "the kernel does not have what the files say"
    elif not present and _guard_is_live(module):
        reason = "the kernel still has the guard"
    if reason:
        _check(module, text)
    pending = ""
    if reason and not module.check_mode:
        pending = _apply(module, before, text, {HOOK: (mode, new_mode)}, rules, lock)
    for warning in _firewall.warnings(assignments, rules):
        module.warn(warning)
    return {
        "changed": bool(reason),
        "reason": reason,
        "pending": pending,
        "rules": _firewall.summary(rules),
        "ssh_ports": sorted(set(ssh)),
        "diff": [
            {"before": before[p], "after": text[p], "before_header": p, "after_header": p}
            for p in FILES
            if text[p] != before[p]
        ],
    }


def main():
    _base.run(
        {
            "assignments": {"type": "list", "elements": "dict", "default": []},
            "allowed_cidrs": {"type": "dict", "default": {}},
            "ssh_ports": {"type": "list", "elements": "int", "default": []},
            "internal_interfaces": {"type": "list", "elements": "str", "default": ["docker+", "br-+"]},
            "rollback_after": {"type": "int", "default": 0},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
        work,
    )


if __name__ == "__main__":
    main()
