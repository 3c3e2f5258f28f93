#!/usr/bin/env bash
# Made in the folder that holds bin/busybox: an image, and servers of one page, all or those that are named.
set -eu -o pipefail
run() { docker run --detach --restart always --name "$1" --publish "$2" localhost/page:1 httpd -f -p "${2##*:}" -h /www; }
declare -A ports=([page-web]=8100:80 [page-locust]=8200:8080 [page-db]=8300:80 [page-by-hand]=7777:80)
if [ $# = 0 ]; then
    for applet in sh httpd; do ln -sf busybox bin/$applet; done
    mkdir -p www tmp
    echo welcome > www/index.html
    tar -c . | docker import --change 'ENV PATH=/bin' - localhost/page:1
    set -- "${!ports[@]}"
fi
for name; do docker rm --force "$name" >/dev/null 2>&1 || true; run "$name" "0.0.0.0:${ports[$name]}"; done
