#!/usr/bin/env bash
# A container that nobody planned, published on every address as by hand. Its image is made of /root/page once.
set -euo pipefail
docker image inspect localhost/page:1 >/dev/null 2>&1 ||
    tar -c -C /root/page . | docker import --change 'CMD ["/bin/busybox", "httpd", "-f", "-h", "/"]' - localhost/page:1
docker rm --force page 2>/dev/null || true
docker run --detach --init --restart always --name page --publish 7777:80 localhost/page:1
