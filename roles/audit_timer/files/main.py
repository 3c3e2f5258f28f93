# Copyright: (c) 2026, The optiinfra.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Audits the ports of this host, prints the report and writes metrics for node_exporter. Standard library only."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time

from . import _accept, _audit, _lock, _look, _metrics
from ._stack import StackError

TEXTS = ("textfile", "lock", "stack_root", "docker_host")
LISTS = ("accept", "external_interfaces")


def settings(path):
    """Return what a file of settings says.

    :raises StackError: naming file, key and value
    """
    try:
        with open(path, encoding="utf-8") as handle:
            found = json.load(handle)
    except (OSError, ValueError) as exc:
        raise StackError(f"{path}: {exc}") from None
    if not isinstance(found, dict):
        raise StackError(f"{path}: a mapping is expected")
    for key, value in found.items():
        if key not in TEXTS + LISTS:
            raise StackError(f"{path}: {key}: there is {', '.join(TEXTS + LISTS)}")
        if not isinstance(value, str if key in TEXTS else list):
            kind = "a text" if key in TEXTS else "a list"
            raise StackError(f"{path}: {key}: {value!r}: {kind} is expected")
    found["accept"] = _accept.checked(found.get("accept", []), _audit.CODES)
    return found


def run(command):
    """Return (exit code, output, errors) of a tool; one that does not end is given up."""
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=60,
            env={**os.environ, "LC_ALL": "C"},
        )
    except (OSError, subprocess.TimeoutExpired) as exc:
        return 1, "", str(exc)
    return done.returncode, *(text.decode("utf-8", "replace") for text in (done.stdout, done.stderr))


def audit(given):
    """Return the audit of this host by what the settings say."""
    options = _look.Options()._replace(
        **{key: given[key] for key in ("lock", "stack_root", "docker_host") if given.get(key)},
        external_interfaces=tuple(given.get("external_interfaces", ())),
    )
    return _look.audit(options, _look.Tools(shutil.which, run), _look.declared(options), given["accept"])


def main():
    about = "Audit the ports of this host: the report to standard output, metrics to a file."
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("settings", help=f"JSON file of settings: {', '.join(TEXTS + LISTS)}")
    parser.add_argument("--check", action="store_true", help="only read the settings")
    arguments = parser.parse_args()
    # Where ufw, iptables and nft are on hosts whose PATH is a user's.
    os.environ["PATH"] = f"{os.environ.get('PATH', '/usr/bin:/bin')}:/usr/sbin:/sbin"
    begin, result = time.time(), {}
    try:
        given = settings(arguments.settings)
        if arguments.check:
            return None
        try:
            result = audit(given)
            print("\n".join(result["report"]))
        finally:
            # A host that cannot be audited says so: old metrics would look like a host that is well.
            times = {"audit_timestamp_seconds": int(begin), "audit_duration_seconds": round(time.time() - begin, 3)}
            if given.get("textfile"):
                _lock.write(given["textfile"], _metrics.exposition({"": {**result, **times}}))
    except StackError as exc:
        return str(exc)
    return None


if __name__ == "__main__":
    sys.exit(main())
