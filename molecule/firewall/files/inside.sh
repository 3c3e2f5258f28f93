#!/bin/sh
# From a container's network: another container serves its page, and the machine outside, at $1, answers or refuses.
set -eu
neighbour=$(docker inspect page-db --format '{{ .NetworkSettings.IPAddress }}')
nsenter --net --target "$(docker inspect page-web --format '{{ .State.Pid }}')" python3 - "$neighbour" "$1" <<'EOF'
import socket, sys, urllib.request
assert "welcome" in urllib.request.urlopen(f"http://{sys.argv[1]}:80/", timeout=3).read().decode()
try:
    socket.create_connection((sys.argv[2], 1), 3)
except ConnectionRefusedError:
    print("refused")
EOF
