"""scan.py ADDRESS PORT...: fail unless, of all 65535 ports of the address, exactly these answer."""

import resource
import select
import socket
import sys
import time

SECONDS = 1.5
ADDRESS, WANTED = sys.argv[1], [int(port) for port in sys.argv[2:]]
FAMILY = socket.AF_INET6 if ":" in ADDRESS else socket.AF_INET


def answering(ports):
    """Connect to all ports at once; return those that answer in time."""
    poll, sockets, found = select.poll(), {}, []
    for port in ports:
        connection = socket.socket(FAMILY)
        connection.setblocking(False)
        connection.connect_ex((ADDRESS, port))
        sockets[connection.fileno()] = connection, port
        poll.register(connection, select.POLLOUT)
    end = time.monotonic() + SECONDS
    while (left := end - time.monotonic()) > 0:
        for number, _event in poll.poll(left * 1000):
            connection, port = sockets[number]
            poll.unregister(number)
            if connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0:
                found.append(port)
    for connection, _port in sockets.values():
        connection.close()
    return found


limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
ports, batch = range(1, 65536), min(limit - 100, 16384)
answer = sorted(port for begin in range(0, len(ports), batch) for port in answering(ports[begin : begin + batch]))
if answer != sorted(WANTED):
    sys.exit(f"{ADDRESS}: {answer} answer, and {sorted(WANTED)} should")
print(f"{ADDRESS}: {answer} answer, {len(ports) - len(answer)} others do not")
