"""Listen on what the arguments name, address=port or address=port/udp, and answer; * is both families by one socket."""

import selectors
import socket
import sys

held = selectors.DefaultSelector()
for word in sys.argv[1:]:
    where, _slash, kind = word.partition("/")
    address, port = where.rsplit("=", 1)
    family = socket.AF_INET6 if ":" in address or address == "*" else socket.AF_INET
    found = socket.socket(family, socket.SOCK_DGRAM if kind == "udp" else socket.SOCK_STREAM)
    if family == socket.AF_INET6:
        found.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, address != "*")
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    found.bind(("::" if address == "*" else address, int(port)))
    if kind != "udp":
        found.listen()
    held.register(found, selectors.EVENT_READ)
while True:
    for key, _events in held.select():
        if key.fileobj.type == socket.SOCK_STREAM:
            key.fileobj.accept()[0].close()
        else:
            data, sender = key.fileobj.recvfrom(100)
            key.fileobj.sendto(data, sender)
