"""Knock from this machine on every open port of an instance, and compare with what its audit says of the firewall.

knock.py AUDIT.json IPV4 IPV6 INTERFACE: fails where they differ; prints how many were compared.
"""

import json
import socket
import sys
from pathlib import Path

audit, ipv4, ipv6, interface = json.loads(Path(sys.argv[1]).read_text()), *sys.argv[2:]
PLACES = {
    "ipv4": (socket.AF_INET, lambda port: (ipv4, port)),
    "ipv6": (socket.AF_INET6, lambda port: (ipv6, port, 0, socket.if_nametoindex(interface))),
}


def answers(family, place, protocol, patience):
    kind = socket.SOCK_DGRAM if protocol == "udp" else socket.SOCK_STREAM
    with socket.socket(family, kind) as found:
        found.settimeout(patience)
        try:
            found.connect(place)
            if protocol == "udp":
                found.send(b"knock")
                found.recv(10)
        except OSError:
            return False
    return True


wrong, compared = [], 0
for row in audit["open_ports"]:
    for name, (family, place) in PLACES.items():
        verdict = row["firewall"][name]
        # What is allowed may take its time on a busy machine.
        if verdict in ("allowed", "denied"):
            compared += 1
            patience = 10 if verdict == "allowed" else 0.7
            if answers(family, place(row["port"]), row["protocol"], patience) != (verdict == "allowed"):
                wrong.append(
                    f"{row['address']}:{row['port']}/{row['protocol']} {name} {verdict}: {row['firewall']['rule']}"
                )
print(compared)
if wrong:
    sys.exit("\n".join(wrong))
