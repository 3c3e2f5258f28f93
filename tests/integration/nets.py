"""outside -- host -- container as network namespaces, with IPv4 and IPv6, and traffic between them."""

from __future__ import annotations

import contextlib
import json
import subprocess

LISTEN = """
import selectors, socket, sys
held = selectors.DefaultSelector()
for word in sys.argv[1:]:
    where, _slash, kind = word.partition("/")
    address, port = where.rsplit("=", 1)
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    found = socket.socket(family, socket.SOCK_DGRAM if kind == "udp" else socket.SOCK_STREAM)
    if family == socket.AF_INET6:
        found.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    found.bind((address, int(port)))
    if kind != "udp":
        found.listen(1000)
    held.register(found, selectors.EVENT_READ)
print("up", flush=True)
while True:
    for key, _events in held.select():
        if key.fileobj.type == socket.SOCK_STREAM:
            key.fileobj.accept()[0].close()
        else:
            data, sender = key.fileobj.recvfrom(100)
            key.fileobj.sendto(data, sender)
"""
# Reads lines of [[protocol, source, destination, port, whether an answer is expected]], writes [whether one came].
# What is expected may take its time on a busy machine; for the rest, a moment has to do.
KNOCK = """
import itertools, json, select, socket, sys, time
# Each knock from a port of its own, so that no connection of earlier is what the kernel takes it for.
ports = itertools.cycle(range(32768, 61000))
for line in sys.stdin:
    asked, poll, held, answers = json.loads(line), select.poll(), {}, {}
    for index, (protocol, source, address, port, _expected) in enumerate(asked):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        found = socket.socket(family, socket.SOCK_DGRAM if protocol == "udp" else socket.SOCK_STREAM)
        found.setblocking(False)
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind((source, next(ports)))
        try:
            found.connect((address, port))
        except BlockingIOError:
            pass
        except OSError:
            answers[index] = False
            found.close()
            continue
        if protocol == "udp":
            try:
                found.send(b"knock")
            except OSError:
                pass
        held[found.fileno()] = index, found
        poll.register(found, select.POLLIN if protocol == "udp" else select.POLLOUT)
    begin = time.monotonic()
    while held:
        waiting = [index for index, _found in held.values() if asked[index][4]]
        left = begin + (8 if waiting else 0.4) - time.monotonic()
        if left <= 0:
            break
        for number, _event in poll.poll(left * 1000):
            index, found = held.pop(number)
            poll.unregister(number)
            answers[index] = found.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
            if asked[index][0] == "udp" and answers[index]:
                try:
                    found.recv(100)
                except OSError:
                    answers[index] = False
            found.close()
    for _index, found in held.values():
        found.close()
    print(json.dumps([answers.get(index, False) for index in range(len(asked))]), flush=True)
"""


class Net:
    """outside -- host -- container."""

    outside_addresses = "10.99.1.1/24 fd00:99:1::1/64"

    def __init__(self, name):
        self.outside, self.host, self.container = (f"{name}{end}" for end in "ohc")
        self.running = []

    def run(self, where, *command, **options):
        command = ["ip", "netns", "exec", where, *command]
        done = subprocess.run(command, check=False, capture_output=True, text=True, **options)
        assert done.returncode == 0, f"{command}: {done.stderr}\n{options.get('input', '')}"
        return done.stdout

    def build(self):
        for name in (self.outside, self.host, self.container):
            subprocess.run(["ip", "netns", "add", name], check=True)
            self.run(name, "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=0", "net.ipv6.conf.default.accept_dad=0")
            self.run(name, "ip", "link", "set", "lo", "up")
        self.run(self.host, "sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
        self.run(self.host, *["ip", "link", "add", "docker0", "type", "bridge"])
        self.run(self.host, "ip", "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", self.outside)
        self.run(self.host, "ip", "link", "add", "v0", "type", "veth", "peer", "name", "eth0", "netns", self.container)
        self.run(self.host, *["ip", "link", "set", "v0", "master", "docker0", "up"])
        for where, device, number in (
            (self.outside, "eth0", self.outside_addresses),
            (self.host, "eth0", "10.99.1.2/24 fd00:99:1::2/64"),
            (self.host, "docker0", "10.99.2.1/24 fd00:99:2::1/64"),
            (self.container, "eth0", "10.99.2.2/24 fd00:99:2::2/64"),
        ):
            self.run(where, "ip", "link", "set", device, "up")
            for address in number.split():
                self.run(where, "ip", "addr", "add", address, "dev", device, *(["nodad"] if ":" in address else []))
        # The neighbour knows a way straight to the containers, and they know the way back.
        self.run(self.outside, *["ip", "route", "add", "10.99.2.0/24", "via", "10.99.1.2"])
        self.run(self.outside, *["ip", "-6", "route", "add", "fd00:99:2::/64", "via", "fd00:99:1::2"])
        self.run(self.container, *["ip", "route", "add", "default", "via", "10.99.2.1"])
        self.run(self.container, *["ip", "-6", "route", "add", "default", "via", "fd00:99:2::1"])
        self.run(self.host, *["ip", "route", "add", "default", "via", "10.99.1.1"])
        self.run(self.host, *["ip", "-6", "route", "add", "default", "via", "fd00:99:1::1"])

    def start(self, where, code, *arguments):
        process = subprocess.Popen(
            ["ip", "netns", "exec", where, "python3", "-c", code, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.running.append(process)
        return process

    def listen(self, where, *what):
        """Listen on address=port or address=port/udp."""
        assert self.start(where, LISTEN, *what).stdout.readline()

    def knocker(self, where):
        """Return a function of [(protocol, source, destination, port, expected)] that tells which are answered."""
        process = self.start(where, KNOCK)

        def knock(asked):
            process.stdin.write(json.dumps(asked) + "\n")
            process.stdin.flush()
            return json.loads(process.stdout.readline())

        return knock

    def end(self):
        for process in self.running:
            process.kill()
            process.wait()
            process.stdin.close()
            process.stdout.close()
        for name in (self.outside, self.host, self.container):
            with contextlib.suppress(OSError):
                subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)
