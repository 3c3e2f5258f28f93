# Copyright: (c) 2026, The optiinfra.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who listens in other network namespaces of this host, those of the engine's containers left out. Read only."""

from __future__ import annotations

import os
from typing import NamedTuple, Tuple

from ._sockets import by_proc, by_sock_diag, containers_of, owners, pids

CLONE_NEWNET = 0x40000000
NAMED = "/run/netns"


class Namespace(NamedTuple):
    """A network namespace: its name, the container that it belongs to ("" for none), what listens there and who."""

    name: str
    container: str
    pids: tuple
    listeners: Tuple
    owners: dict = {}


def _inode(path):
    try:
        return os.stat(path).st_ino
    except OSError:
        return 0


def _setns(descriptor):
    if hasattr(os, "setns"):
        os.setns(descriptor, CLONE_NEWNET)
        return
    # Before Python 3.12. It takes time to import, so only who needs it does.
    import ctypes

    library = ctypes.CDLL(None, use_errno=True)
    if library.setns(descriptor, CLONE_NEWNET):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def _listeners(path, home):
    """Return what listens in the namespace of a file, having come back from there.

    :raises OSError: when it cannot be entered
    """
    target = os.open(path, os.O_RDONLY)
    try:
        _setns(target)
        try:
            return tuple(by_sock_diag())
        finally:
            _setns(home)
    finally:
        os.close(target)


def others(known=()):
    """Return ([Namespace] with listeners, how many could not be looked into).

    :arg known: ids of the engine's containers, whose ports are known already
    """
    own = _inode("/proc/self/ns/net")
    inside, unseen = {}, 0
    for pid in pids():
        inode = _inode("/proc/{0}/ns/net".format(pid))
        if inode and inode != own:
            inside.setdefault(inode, []).append(pid)
    names = {}
    try:
        for name in sorted(os.listdir(NAMED)):
            names.setdefault(_inode(os.path.join(NAMED, name)), name)
    except OSError:
        pass
    todo = [inode for inode in dict.fromkeys([*inside, *names]) if inode and inode != own]
    if not todo:
        return [], 0
    found, known, home = [], set(known), os.open("/proc/self/ns/net", os.O_RDONLY)
    try:
        for inode in todo:
            members = inside.get(inode, [])
            containers = containers_of(members[0]) if members else []
            if known.intersection(containers):
                continue
            path = "/proc/{0}/ns/net".format(members[0]) if members else os.path.join(NAMED, names[inode])
            try:
                listeners = _listeners(path, home)
            except OSError:
                listeners = tuple(by_proc(root="/proc/{0}".format(members[0]))) if members else ()
                unseen += not members
            if listeners:
                name = names.get(inode) or "net:[{0}]".format(inode)
                found.append(Namespace(name, containers[-1] if containers else "", tuple(members), listeners))
    finally:
        os.close(home)
    who = owners([listener.inode for space in found for listener in space.listeners], thorough=False)
    return [space._replace(owners=who) for space in found], unseen
