# Copyright: (c) 2026, The optiinfra.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Endpoints by name: found, as variables, as a bash function with completion, and their states. Pure."""

from __future__ import annotations

import re

from ._binding import host_port
from ._error import StackError
from ._report import reachable_address, url

SERVED, SILENT, SQUATTED, WIDER, UNKNOWN = "served", "silent", "squatted", "wider", "unknown"
# What a finding says of the endpoint that it is about, the worst first.
STATES = {"squatter": SQUATTED, "wider-exposure": WIDER, "firewall-bypassed": WIDER, "declared-silent": SILENT}
_VALUES = {
    "port": lambda assignment, host: assignment["published"],
    "target": lambda assignment, host: assignment["target"],
    "address": lambda assignment, host: host or reachable_address(assignment["host_ip"]),
    "url": url,
}
WHAT = tuple(_VALUES)


def find(assignments, name):
    """Return the assignment of an endpoint, by ``service.name`` or ``stack/service.name``.

    :raises StackError: when there is none, or several stacks have one
    """
    found = [a for a in assignments if name in (a["id"], a["endpoint"])]
    if len(found) == 1:
        return found[0]
    if found:
        ids = ", ".join(a["id"] for a in found)
        raise StackError("{0!r} is an endpoint of several stacks: {1}".format(name, ids))
    known = ", ".join(a["endpoint"] for a in assignments) or "none"
    raise StackError("no endpoint {0!r}; there are {1}".format(name, known))


def value(assignment, what, host=None):
    """Return port, target, address or URL of an endpoint, as seen from its host or by the name ``host``."""
    return _VALUES[what](assignment, host)


def variables(assignments, host=None):
    """Return {NAME: value}: address, port and URL of each endpoint, for a .env file.

    Endpoints whose names differ in nothing but punctuation are left out, since none of them can have the name.
    """
    names = {}
    for assignment in assignments:
        name = re.sub(r"[^A-Z0-9]", "_", assignment["id"].upper())
        names.setdefault("_" + name if name[:1].isdigit() else name, []).append(assignment)
    out = {}
    for name, found in sorted(names.items()):
        if len(found) == 1:
            for what, ending in (("address", "HOST"), ("port", "PORT"), ("url", "URL")):
                out["{0}_{1}".format(name, ending)] = str(value(found[0], what, host))
    return out


def _quoted(text):
    return "'{0}'".format(text.replace("'", "'\"'\"'"))


def completion(assignments):
    """Return a file for bash: the function ``port``, which tells the port of an endpoint, and completion for it.

    An assignment with the key ``host`` is named ``host/stack/service.name``. Shorter names go where one has them.

    :arg assignments: those of one host, or of several hosts
    """
    full, short = {}, {}
    for a in assignments:
        host = a.get("host") or ""
        identity = "{0}/{1}".format(host, a["id"]) if host else a["id"]
        address = host_port(reachable_address(a["host_ip"]), a["published"])
        full[identity] = "{0} {1} {2}".format(a["published"], address, url(a))
        for name in {a["id"], a["endpoint"]} - {identity}:
            short.setdefault(name, []).append(identity)
    known = {**full, **{name: full[ids[0]] for name, ids in short.items() if len(ids) == 1 and name not in full}}
    return _BASH.format(
        endpoints="\n".join("    " + _quoted(name) for name in sorted(full)),
        ports="\n".join("    [{0}]={1}".format(_quoted(name), _quoted(known[name])) for name in sorted(known)),
    )


def states(result):
    """Return {id: state} of the endpoints that an audit declares: served, silent, squatted, wider or unknown."""
    idle = {f["subject"] for f in result["findings"] if f["code"] == "stack-not-running"}
    owners = {(row["declared"], row["project"], row["service"]) for row in result["open_ports"]}
    found = {
        a["id"]: SERVED if (a["id"], a["stack"], a["service"]) in owners else SILENT if a["stack"] in idle else UNKNOWN
        for a in result.get("declared") or ()
    }
    for code in reversed(list(STATES)):
        found.update((f["subject"], STATES[code]) for f in result["findings"] if f["code"] == code)
    return {a["id"]: found[a["id"]] for a in result.get("declared") or ()}


_BASH = r"""# Ports of endpoints for bash: source it, or put it into /etc/profile.d.
#   port            all endpoints
#   port NAME       the port of one;  port -a NAME: address and port;  port -u NAME: URL
[ -n "${{BASH_VERSION-}}" ] || return 0
_optiinfra_endpoints=(
{endpoints}
)
unset _optiinfra_ports
declare -gA _optiinfra_ports=(
{ports}
)

port() {{
    local column=0 name
    local -a parts
    case ${{1-}} in
    -a) column=1 ;;
    -u) column=2 ;;
    -*)
        echo 'usage: port [-a | -u] [ENDPOINT]' >&2
        return 2
        ;;
    esac
    [ "$column" = 0 ] || shift
    if [ $# = 0 ]; then
        for name in "${{_optiinfra_endpoints[@]}}"; do
            read -ra parts <<<"${{_optiinfra_ports[$name]}}"
            printf '%-50s %s\n' "$name" "${{parts[column]}}"
        done
        return 0
    fi
    name=${{_optiinfra_ports[${{1:-/}}]-}}
    if [ -z "$name" ]; then
        printf 'port: no endpoint %q, or several of that name\n' "$1" >&2
        return 1
    fi
    read -ra parts <<<"$name"
    printf '%s\n' "${{parts[column]}}"
}}

_optiinfra_complete() {{
    local name word=${{COMP_WORDS[COMP_CWORD]}}
    COMPREPLY=()
    for name in -a -u "${{!_optiinfra_ports[@]}}"; do
        [[ $name != "$word"* ]] || COMPREPLY+=("$(printf %q "$name")")
    done
}}
complete -F _optiinfra_complete port
"""
