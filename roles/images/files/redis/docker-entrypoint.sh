#!/bin/sh
# Starts Redis as the user redis; arguments that begin with - are its own, as in the image redis.
set -eu
case ${1:-redis-server} in
-*) set -- redis-server "$@" ;;
esac
if [ "$1" = redis-server ] && [ "$(id -u)" = 0 ]; then
    find /data ! -user redis -exec chown redis:redis {} +
    exec setpriv --reuid=redis --regid=redis --init-groups "$0" "$@"
fi
umask 0077
exec "$@"
