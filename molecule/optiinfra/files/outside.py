"""outside.py CONTAINER PORT...: fail when a port of the host that the container is answers from here."""

import json
import socket
import subprocess
import sys

name, ports = sys.argv[1], sys.argv[2:]
inspected = subprocess.run(["docker", "inspect", name], capture_output=True, check=True).stdout
networks = json.loads(inspected)[0]["NetworkSettings"]["Networks"].values()
for address in [network["IPAddress"] for network in networks]:
    for port in ports:
        try:
            socket.create_connection((address, int(port)), 2).close()
        except OSError:
            continue
        sys.exit(f"{address}:{port} answers")
