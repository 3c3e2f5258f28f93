# Copyright: (c) 2026, The optiinfra.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The lock: which port each endpoint of a host has, kept so that no later plan moves it.

A JSON file: {"version": 1, "assignments": {"stack/service.name": {published, target, host_ip, protocol, preferred}}}.
An entry may say service, app_protocol and exposure as well, for those who read it without the stack's file.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import tempfile

from ._binding import PROTOCOLS, port_number
from ._error import StackError

VERSION = 1


def _fail(path, problem):
    raise StackError("{0}: {1}. Restore it, or remove it to plan every port anew".format(path, problem))


def parse(text, path):
    """Return {id: entry} of a lock's text ("" for none yet).

    :raises StackError: naming file, key and value; a lock that cannot be read is never replaced
    """
    if not text.strip():
        return {}
    try:
        data = json.loads(text)
    except ValueError as exc:
        _fail(path, "not JSON ({0})".format(exc))
    return checked(data, path)


def checked(data, path):
    """Return {id: entry} of a lock's data.

    :raises StackError: naming file, key and value
    """
    if not isinstance(data, dict) or not isinstance(data.get("assignments"), dict):
        _fail(path, "assignments: a mapping is expected")
    if data.get("version") != VERSION:
        _fail(path, "version: {0!r} is not {1}".format(data.get("version"), VERSION))
    for identity, entry in data["assignments"].items():
        try:
            for key in ("published", "target", "preferred"):
                port_number(entry[key])
            texts = (entry["host_ip"], *(entry.get(key, "") for key in ("service", "app_protocol", "exposure")))
            sound = all(isinstance(text, str) for text in texts)
            sound = sound and entry["protocol"] in PROTOCOLS and "/" in identity
        except (KeyError, TypeError, ValueError):
            sound = False
        if not sound:
            _fail(path, "assignments.{0}: {1!r} is no assignment".format(identity, entry))
    return data["assignments"]


def render(entries):
    """Return a lock's text."""
    if not entries:
        return ""
    return json.dumps({"version": VERSION, "assignments": entries}, indent=2, sort_keys=True) + "\n"


def read(path):
    """Return the text of a lock, "" when there is none.

    :raises StackError: when it is there and cannot be read
    """
    try:
        with open(path, encoding="utf-8") as handle:
            return handle.read()
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as exc:
        raise StackError("{0}: cannot be read: {1}".format(path, exc)) from None


def write(path, text):
    """Replace a lock's text at once, or leave it as it was.

    :raises StackError: when it cannot be written (disk full, no permission)
    """
    temporary = None
    try:
        handle = tempfile.NamedTemporaryFile(  # noqa: SIM115
            "w", encoding="utf-8", dir=os.path.dirname(path) or ".", prefix=".ports-", delete=False
        )
        temporary = handle.name
        with handle:
            handle.write(text)
            handle.flush()
            os.fsync(handle.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except OSError as exc:
        if temporary:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
        raise StackError("{0}: cannot be written: {1}. What it held is unchanged".format(path, exc)) from None


@contextlib.contextmanager
def exclusive(path):
    """Hold the lock's folder, made if needed, so that two plays on one host do not plan at the same time.

    :raises StackError: when the folder cannot be made or held
    """
    folder = os.path.dirname(path) or "."
    try:
        os.makedirs(folder, mode=0o755, exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as exc:
        raise StackError("{0}: cannot be used: {1}".format(folder, exc)) from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
