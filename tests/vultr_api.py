#!/usr/bin/env python
"""A FAKE of the Vultr API, version 2: the part of it that vultr.cloud and the role vultr_instance use.

It rents nothing. Answers carry the header ``X-Fake: vultr-api``. It listens on 127.0.0.1 only. Tests start it from
Python (``FakeVultr``) or by hand::

    tests/vultr_api.py --key KEY --address-file FILE [--hook COMMAND]

A hook stands for the machines: it is called as ``COMMAND create`` with the instance as JSON on standard input and
prints the address of the machine that it made; ``COMMAND destroy`` ends it.
"""

from __future__ import annotations

import argparse
import base64
import json
import re
import shlex
import signal
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from vultr_account import Account, NoMachines, Refused

PER_PAGE = 100
MAX_PER_PAGE = 500
PUBLIC = ("regions", "plans", "os")


class Hook:
    """Machines that a command makes and ends."""

    def __init__(self, command):
        self.command, self.running, self.addresses = shlex.split(command), {}, {}

    def call(self, verb, instance):
        done = subprocess.run(
            [*self.command, verb], input=json.dumps(instance), capture_output=True, text=True, check=False
        )
        if done.returncode:
            print(f"the fake's machine could not {verb}: {done.stderr}", flush=True)
        elif verb == "create":
            self.addresses[instance["id"]] = done.stdout.strip()

    def create(self, instance):
        self.running[instance["id"]] = threading.Thread(target=self.call, args=("create", instance))
        self.running[instance["id"]].start()

    def address(self, number):
        return self.addresses.get(number)

    def destroy(self, instance):
        self.running[instance["id"]].join()
        self.call("destroy", instance)


class FakeVultr:
    """The fake, listening on a loopback address: ``url`` is what api_endpoint has to be."""

    def __init__(self, key, machines=None, polls=1):
        self.key, self.account = key, Account(machines or NoMachines(), polls)
        self.lock, self.faults, self.log = threading.Lock(), [], []
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            server_version = "fake-vultr-api"

            def handle_any(self):
                fake.handle(self)

            do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = handle_any

            def log_message(self, *_args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/v2"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_what):
        self.server.shutdown()
        self.server.server_close()

    def fail(self, method, path, status, times=1, *, after=False, delay=0.0):
        """Have requests fail: with a status, or with none at all and a ``delay`` that outlasts the client.

        :arg path: a pattern of the whole path without /v2
        :arg after: whether the request is carried out all the same
        """
        self.faults.append(
            {"method": method, "path": path, "status": status, "times": times, "after": after, "delay": delay}
        )

    def count(self, method, path):
        """How many requests there were that were carried out."""
        return sum(m == method and re.fullmatch(path, p) is not None and s < 300 for m, p, s in self.log)

    def handle(self, request):
        url = urlsplit(request.path)
        body = request.rfile.read(int(request.headers.get("Content-Length") or 0))
        path = url.path.removeprefix("/v2")
        with self.lock:
            fault = next(
                (f for f in self.faults
                 if f["times"] > 0 and f["method"] == request.command and re.fullmatch(f["path"], path)), None
            )  # fmt: skip
            if fault:
                fault["times"] -= 1
            status, content = 0, None
            if fault is None or fault["after"]:
                status, content = self.carry_out(request, url, path, body)
            if fault:
                self.log.append((request.command, path, status or fault["status"]))
                status = fault["status"]
                content = {"error": f"A fault that a test asked for ({status}).", "status": status}
            else:
                self.log.append((request.command, path, status))
        if fault and fault["delay"]:
            time.sleep(fault["delay"])
        self.reply(request, status, content)

    def carry_out(self, request, url, path, body):
        query = {name: values[-1] for name, values in parse_qs(url.query).items()}
        parts = [part for part in path.split("/") if part]
        if request.headers.get("Authorization") != f"Bearer {self.key}" and parts[:1] not in [[p] for p in PUBLIC]:
            return 401, {"error": "Invalid API token.", "status": 401}
        try:
            status, name, content = self.account.answer(request.command, parts, query, json.loads(body or b"{}"))
            if isinstance(content, list):
                return status, paged(name, content, query)
            return status, {name: content} if name else None
        except Refused as refused:
            return refused.status, {"error": refused.error, "status": refused.status}
        except ValueError as wrong:
            return 400, {"error": str(wrong), "status": 400}

    def reply(self, request, status, content):
        data = json.dumps(content).encode() if content is not None else b""
        try:
            request.send_response(status)
            request.send_header("X-Fake", "vultr-api")
            request.send_header("Content-Type", "application/json")
            request.send_header("Content-Length", str(len(data)))
            request.end_headers()
            request.wfile.write(data)
        except OSError:
            request.close_connection = True  # The client has given up.


def paged(name, items, query):
    """Return one page with the cursors of its neighbours."""
    size = int(query.get("per_page") or PER_PAGE)
    if not 1 <= size <= MAX_PER_PAGE:
        raise Refused(400, "Invalid per_page.")
    try:
        start = int(base64.b64decode(query.get("cursor") or b"MA=="))
    except ValueError:
        raise Refused(400, "Invalid cursor.") from None
    links = {
        "next": cursor(start + size) if start + size < len(items) else "",
        "prev": cursor(max(0, start - size)) if start else "",
    }
    return {name: items[start : start + size], "meta": {"total": len(items), "links": links}}


def cursor(start):
    return base64.b64encode(str(start).encode()).decode()


def main():
    parser = argparse.ArgumentParser(description="A FAKE of the Vultr API, for tests.")
    parser.add_argument("--key", required=True, help="the only API key that is taken")
    parser.add_argument("--address-file", required=True, type=Path, help="where the URL is written when it listens")
    parser.add_argument("--hook", help="the command that makes and ends machines")
    options = parser.parse_args()
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    with FakeVultr(options.key, Hook(options.hook) if options.hook else None) as fake:
        print(f"FAKE Vultr API on {fake.url}; it rents nothing", flush=True)
        options.address_file.write_text(fake.url)
        stop.wait()


if __name__ == "__main__":
    main()
