# Copyright: (c) 2026, The optiinfra.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which TCP ports of a host answer, as seen from here: many at once, each within a limit. Standard library only."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import resource
import time

from ._binding import host_port

# What the kernel says when a firewall rejects, or nothing is routed there.
_REJECTED = (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EACCES, errno.EPERM)


async def _connect(address, port, timeout):
    """Return (state, seconds, reader, writer): reachable, refused (nobody listens) or filtered (dropped, rejected)."""
    begin = time.monotonic()
    try:
        reader, writer = await asyncio.wait_for(asyncio.open_connection(address, port), timeout)
    except asyncio.TimeoutError:
        return "filtered", time.monotonic() - begin, None, None
    except OSError as exc:
        state = "filtered" if exc.errno in _REJECTED else "refused" if exc.errno == errno.ECONNREFUSED else "failed"
        return state, time.monotonic() - begin, None, None
    return "reachable", time.monotonic() - begin, reader, writer


async def _ask(reader, writer, address, port, path):
    """Return the status of a GET request as a text, such as 200, or what went wrong."""
    request = "GET {0} HTTP/1.0\r\nHost: {1}\r\nUser-Agent: optiinfra.platform\r\n\r\n".format(
        path, host_port(address, port)
    )
    writer.write(request.encode("ascii", "replace"))
    await writer.drain()
    words = (await reader.readline()).split()
    return words[1].decode("ascii", "replace") if len(words) > 1 and words[0].startswith(b"HTTP/") else "no HTTP answer"


async def _probe(target, timeout, limit):
    async with limit:
        state, seconds, reader, writer = await _connect(target["address"], target["port"], timeout)
        found = dict(target, state=state, milliseconds=round(seconds * 1000, 2), http="")
        if writer is None:
            return found
        try:
            if target.get("health"):
                answer = _ask(reader, writer, target["address"], target["port"], target["health"])
                found["http"] = await asyncio.wait_for(answer, timeout)
        except (OSError, ValueError, asyncio.TimeoutError) as exc:
            found["http"] = str(exc) or "no answer"
        finally:
            writer.close()
            with contextlib.suppress(OSError, asyncio.TimeoutError):
                await asyncio.wait_for(writer.wait_closed(), 1)
        return found


def _descriptors(wanted):
    """Return how many connections there can be at once: as many as wanted, if the machine allows so many files."""
    keep = 64  # what Python and Ansible have open
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limits = [limit for limit in (wanted + keep, hard) if limit != resource.RLIM_INFINITY]
    if soft != resource.RLIM_INFINITY and soft < min(limits):
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(limits), hard))
    return max(1, min([wanted, *(limit - keep for limit in limits)]))


async def _all(targets, timeout, concurrency):
    limit = asyncio.Semaphore(concurrency)
    return await asyncio.gather(*(_probe(target, timeout, limit) for target in targets))


def probe(targets, timeout=3.0, concurrency=1024):
    """Return the targets, in their order, each with ``state``, ``milliseconds`` and ``http``.

    :arg targets: [{address, port, health: HTTP path or None}]
    :arg timeout: seconds for the connection, and again for the HTTP answer
    :arg concurrency: connections at once; fewer where the machine allows fewer open files
    """
    return asyncio.run(_all(targets, timeout, _descriptors(min(concurrency, max(1, len(targets))))))


def judge(results):
    """Return a text for each result that is not as expected (``expect``: reachable, unreachable or absent)."""
    problems = []
    for found in results:
        name = "{0} ({1})".format(host_port(found["address"], found["port"]), found.get("id") or "undeclared")
        reachable = found["state"] == "reachable"
        if found.get("expect") == "reachable" and not reachable:
            problems.append("{0} is {1}, and should be reachable".format(name, found["state"]))
        elif found.get("expect") == "unreachable" and reachable:
            problems.append("{0} is reachable, and should not be".format(name))
        elif reachable and found.get("health") and not found["http"].startswith(("2", "3")):
            problems.append("{0}: {1} answers {2}".format(name, found["health"], found["http"]))
    return problems
