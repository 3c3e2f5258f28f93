# Copyright: (c) 2026, The optiinfra.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What ufw's own files have to say so that exactly the planned public endpoints and SSH can be reached.

Two paths lead to a published port. What a process of the host accepts (SSH, docker-proxy) meets INPUT: rules with our
comment in ufw's user.rules, the first ones there. What Docker hands to a container by DNAT meets FORWARD only: our
chain, called by DOCKER-USER, matches the port that was asked for, so it knows no container's address. Pure: text in,
text out.
"""

from __future__ import annotations

import binascii
import ipaddress
import re
from typing import NamedTuple

from ._binding import ANY4, ANY6, is_loopback, is_wildcard, port_number
from ._error import StackError
from ._ufw import TUPLE, comment

MARK = "optiinfra.platform: "
BEGIN = "# BEGIN optiinfra.platform"
END = "# END optiinfra.platform"
CHAIN = "OPTIINFRA-GUARD"
ANYWHERE = {4: "0.0.0.0/0", 6: "::/0"}
INTERNAL = ("docker+", "br-+")
# Reached by anyone, these tell or do things without asking who it is.
OPEN_SERVICES = ("locust", "prometheus", "dcgm")

_BLOCK = re.compile(r"^{0}$.*?^{1}$\n?".format(re.escape(BEGIN), re.escape(END)), re.M | re.S)
_INTERFACE = re.compile(r"^[A-Za-z0-9_.@-]{1,15}\+?$")


class Allow(NamedTuple):
    """Traffic that may enter: to ``port`` of ``address`` (empty: every one), from ``source``."""

    family: int
    protocol: str
    port: int
    address: str
    source: str
    why: str


def _networks(where, cidrs):
    """Return the networks that are meant, checked, in the order given, each once."""
    if not isinstance(cidrs, (list, tuple)) or not cidrs:
        raise StackError("{0}: a list of networks is needed, such as [192.0.2.0/24]".format(where))
    found = []
    for cidr in cidrs:
        try:
            network = ipaddress.ip_network(str(cidr).strip())
        except ValueError as exc:
            raise StackError("{0}: {1!r} is no network: {2}".format(where, cidr, exc)) from None
        if network not in found:
            found.append(network)
    return found


def _sources(networks):
    return [(network.version, str(network)) for network in networks]


def endpoints(assignments):
    """Return the assignments that are meant to be reached from outside."""
    return [a for a in assignments if a.get("exposure") == "public" and not is_loopback(a["host_ip"])]


def allowed(assignments, allowed_cidrs, ssh_ports):
    """Return [Allow], SSH first.

    :raises StackError: for a network that is none, an endpoint that is not planned, or no way in for SSH
    """
    if not ssh_ports:
        raise StackError(
            "no port of SSH was found, and without one the next run might be locked out: give ssh_ports "
            "(ssh_ports: [22])"
        )
    anywhere = [(4, ANYWHERE[4]), (6, ANYWHERE[6])]
    rules = []
    try:
        numbers = sorted({port_number(port) for port in ssh_ports})
    except ValueError as exc:
        raise StackError("ssh_ports: {0!r}: {1}".format(ssh_ports, exc)) from None
    for port in numbers:
        rules.extend(Allow(family, "tcp", port, "", source, "SSH") for family, source in anywhere)
    public = endpoints(assignments)
    known = {name for a in public for name in (a["id"], a["endpoint"])}
    strange = sorted(set(allowed_cidrs) - known)
    if strange:
        raise StackError(
            "allowed_cidrs: {0}: no public endpoint has this name; there is {1}".format(
                ", ".join(strange), ", ".join(sorted(known)) or "none"
            )
        )
    for a in public:
        key = a["id"] if a["id"] in allowed_cidrs else a["endpoint"]
        sources = anywhere
        if key in allowed_cidrs:
            sources = _sources(_networks("allowed_cidrs.{0}".format(key), allowed_cidrs[key]))
        address = "" if is_wildcard(a["host_ip"]) else a["host_ip"]
        for family, source in sources:
            if address and ipaddress.ip_address(address).version != family:
                continue
            rule = Allow(family, a["protocol"], a["published"], address, source, a["id"])
            if not any(rule[:5] == other[:5] for other in rules):
                rules.append(rule)
    return rules


def warnings(assignments, rules):
    """Return a sentence for each public endpoint that asks nobody who it is and lets everybody in."""
    out = []
    for a in endpoints(assignments):
        name = next((word for word in OPEN_SERVICES if word in a["service"].lower()), None)
        if name and any(r.why == a["id"] and r.source == ANYWHERE[r.family] for r in rules):
            out.append(
                "{0}: port {1} is open to anywhere, and {2} asks for no password; set allowed_cidrs: "
                "{{{3}: [your network]}}".format(a["id"], a["published"], name, a["endpoint"])
            )
    return out


def _user_rule(rule):
    """Return the lines with which ufw itself would keep this rule."""
    prefix = "ufw6" if rule.family == 6 else "ufw"
    anywhere = ANYWHERE[rule.family]
    comment = binascii.hexlify((MARK + rule.why).encode()).decode()
    words = "### tuple ### allow {0} {1} {2} any {3} in comment={4}".format(
        rule.protocol, rule.port, rule.address or anywhere, rule.source, comment
    )
    text = "-A {0}-user-input -p {1}".format(prefix, rule.protocol)
    if rule.address:
        text += " -d {0}".format(rule.address)
    text += " --dport {0}".format(rule.port)
    if rule.source != anywhere:
        text += " -s {0}".format(rule.source)
    return [words, text + " -j ACCEPT", ""]


def _is_ours(line):
    found = TUPLE.match(line)
    return bool(found) and comment(found["words"]).startswith(MARK)


def user_rules(before, rules, path):
    """Return ufw's user.rules with our rules first, without those of ours that are no longer wanted.

    :raises StackError: when the file is not as ufw writes it
    """
    lines = before.split("\n")
    try:
        start = lines.index("### RULES ###") + 1
    except ValueError:
        raise StackError(
            "{0}: the line '### RULES ###' of ufw is missing; is this a file of ufw?".format(path)
        ) from None
    kept, skipping = [], False
    for line in lines[start:]:
        if TUPLE.match(line):
            skipping = _is_ours(line)
        elif line.startswith("###"):
            skipping = False
        if not skipping:
            kept.append(line)
        elif not line.strip():
            skipping = False
    while kept and not kept[0].strip():
        kept.pop(0)
    own = [line for rule in rules if rule.protocol != "sctp" for line in _user_rule(rule)]
    return "\n".join([*lines[:start], "", *own, *kept]) if own or kept != lines[start:] else before


def guard(rules, family, internal=INTERNAL):
    """Return the lines of our chain for one family: what may be forwarded to containers, and the rest dropped."""
    for name in internal:
        if not _INTERFACE.match(name):
            raise StackError("internal_interfaces: {0!r} is no name of an interface".format(name))
    add = "-A {0} ".format(CHAIN)
    lines = ["*filter", ":{0} - [0:0]".format(CHAIN)]
    lines.append(add + "-m conntrack --ctstate RELATED,ESTABLISHED -j RETURN")
    lines.extend(add + "-i {0} -j RETURN".format(name) for name in internal)
    for rule in rules:
        if rule.family != family or rule.why == "SSH":
            continue
        text = add + "-p {0}".format(rule.protocol)
        if rule.source != ANYWHERE[family]:
            text += " -s {0}".format(rule.source)
        text += " -m conntrack --ctstate DNAT --ctorigdstport {0} --ctdir ORIGINAL".format(rule.port)
        if rule.address:
            text += " --ctorigdst {0}".format(rule.address)
        lines.append(text + " -j RETURN")
    # Handed to a container by DNAT, or sent straight to its address by a neighbour.
    lines.append(add + "-m conntrack --ctstate DNAT -j DROP")
    lines.extend(add + "-o {0} -j DROP".format(name) for name in internal)
    lines.append("COMMIT")
    return lines


def with_block(before, lines):
    """Return a text with our block at its end holding ``lines``, or without it when there are none."""
    text = _BLOCK.sub("", before)
    if not lines:
        return text
    if text and not text.endswith("\n"):
        text += "\n"
    return text + "\n".join([BEGIN, *lines, END]) + "\n"


HOOK = """\
# Docker keeps what DOCKER-USER holds; ufw's rules files could only replace all of it. Stopping ufw for a reload leaves
# the guard on, disabling ufw takes it off.
case "$1" in
start)
    for tables in iptables ip6tables; do
        $tables -w 10 -n -L {chain} >/dev/null 2>&1 || continue
        $tables -w 10 -N DOCKER-USER 2>/dev/null || true
        $tables -w 10 -C DOCKER-USER -j {chain} 2>/dev/null || $tables -w 10 -I DOCKER-USER 1 -j {chain}
    done
    ;;
stop | flush-all)
    if [ "$1" = flush-all ] || ! grep -qi '^ENABLED=.\\?yes' /etc/ufw/ufw.conf; then
        for tables in iptables ip6tables; do
            $tables -w 10 -D DOCKER-USER -j {chain} 2>/dev/null || true
            $tables -w 10 -F {chain} 2>/dev/null || true
            $tables -w 10 -X {chain} 2>/dev/null || true
        done
    fi
    ;;
esac""".format(chain=CHAIN).split("\n")


PLAIN = "# It was not executable before."


def with_hook(before, wanted, executable=True):
    """Return ufw's after.init with our lines right behind its first one, or without them."""
    plain = PLAIN in before or not executable
    text = _BLOCK.sub("", before)
    if not wanted:
        return text
    if not text.startswith("#!"):
        text = "#!/bin/sh\n" + text
    first, _newline, rest = text.partition("\n")
    return "\n".join([first, BEGIN, *([PLAIN] if plain else []), *HOOK, END]) + "\n" + rest


def setting(before, key, value):
    """Return a file of shell assignments in which ``key`` has this value; the last assignment counts."""
    pattern = re.compile(r"^\s*{0}=.*$".format(re.escape(key)), re.M)
    found = pattern.findall(before)
    if found and found[-1].split("=", 1)[1].strip().strip("\"'").lower() == value.strip('"').lower():
        return before
    line = "{0}={1}".format(key, value)
    if found:
        return pattern.sub(line, before)
    return before + ("" if not before or before.endswith("\n") else "\n") + line + "\n"


def denying(before):
    """Return /etc/default/ufw with incoming traffic denied; whether it is dropped or rejected is the owner's choice."""
    rejected = setting(before, "DEFAULT_INPUT_POLICY", '"REJECT"')
    return before if rejected == before else setting(before, "DEFAULT_INPUT_POLICY", '"DROP"')


def is_marked(text):
    """Tell whether a file holds anything of ours."""
    return BEGIN in text or any(_is_ours(line) for line in text.splitlines())


def is_live(saved, rules, family, internal=INTERNAL):
    """Tell from what iptables-save prints whether the kernel has our rules and ufw's.

    Whether they are called is what a flush, a restart or another tool changes; the rules come from files.
    """
    prefix = "ufw6" if family == 6 else "ufw"
    lines = saved.splitlines()
    user = [line for line in lines if line.startswith("-A DOCKER-USER ")]
    jump = "-A DOCKER-USER -j {0}".format(CHAIN)
    called = jump in user and "-A DOCKER-USER -j RETURN" not in user[: user.index(jump)]
    ours = [line for line in lines if line.startswith("-A {0} ".format(CHAIN))]
    wanted = [line for line in guard(rules, family, internal) if line.startswith("-A ")]
    accepts = sum(line.startswith("-A {0}-user-input ".format(prefix)) for line in lines)
    return (
        called
        and len(ours) == len(wanted)
        and accepts >= sum(rule.family == family and rule.protocol != "sctp" for rule in rules)
        and "-A INPUT -j {0}-before-input".format(prefix) in lines
        and any(
            line.startswith(":INPUT DROP") or line == "-A INPUT -j {0}-reject-input".format(prefix) for line in lines
        )
    )


def ssh_from_environment(environment):
    """Return the port of this host that the session of SSH came in by, or None."""
    words = environment.get("SSH_CONNECTION", "").split()
    try:
        return port_number(words[3]) if len(words) == 4 else None
    except ValueError:
        return None


def confused(interfaces, internal):
    """Return those interfaces that lead outside although they are called internal."""
    return [
        name for name in interfaces if any(name.startswith(p[:-1]) if p.endswith("+") else name == p for p in internal)
    ]


def summary(rules):
    """Return [{port, protocol, address, source, why}] for people."""
    return [
        {"port": r.port, "protocol": r.protocol, "address": r.address or (ANY6 if r.family == 6 else ANY4),
         "source": r.source, "why": r.why}
        for r in rules
    ]  # fmt: skip


def rollback_script(folder, token, seconds, files, enabled):
    """Return a script that puts the kept files back after a time, unless the file ``pending`` is gone or another's.

    ``files`` is {kept: path}. Files that were not there before are kept as empty ones, which does no harm.
    """
    pending = "{0}/pending".format(folder)
    lines = [
        "#!/bin/sh",
        "sleep {0}".format(int(seconds)),
        # A run of the module that is under way, or a confirmation, comes first.
        "exec 9>{0}/lock".format(folder),
        "flock 9",
        '[ "$(cat {0} 2>/dev/null)" = {1} ] || exit 0'.format(pending, token),
        *("cp -p {0} {1}".format(kept, path) for kept, path in files.items()),
        "ufw reload" if enabled else "ufw --force disable",
        "grep -q '^{0}$' /etc/ufw/after.init || for tables in iptables ip6tables; do".format(BEGIN),
        "    $tables -w 10 -D DOCKER-USER -j {0}".format(CHAIN),
        "    $tables -w 10 -F {0}".format(CHAIN),
        "    $tables -w 10 -X {0}".format(CHAIN),
        "done",
        "mv {0} {0}.rolled-back".format(pending),
    ]
    return "\n".join(lines) + "\n"
