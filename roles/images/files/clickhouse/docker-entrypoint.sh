#!/bin/sh
# Starts ClickHouse; makes the user CLICKHOUSE_USER with CLICKHOUSE_PASSWORD (or _FILE) and the database CLICKHOUSE_DB, as
# the image clickhouse/clickhouse-server does.
set -eu
case ${1:-clickhouse-server} in
-*) set -- clickhouse-server --config-file=/etc/clickhouse-server/config.xml "$@" ;;
esac
[ "${1:-}" = clickhouse-server ] || exec "$@"
if [ "$(id -u)" = 0 ]; then
    find /var/lib/clickhouse ! -user clickhouse -exec chown clickhouse:clickhouse {} +
    exec setpriv --reuid=clickhouse --regid=clickhouse --init-groups "$0" "$@"
fi

user=${CLICKHOUSE_USER:-default}
password=${CLICKHOUSE_PASSWORD:-}
if [ -z "$password" ] && [ -n "${CLICKHOUSE_PASSWORD_FILE:-}" ]; then password=$(cat "$CLICKHOUSE_PASSWORD_FILE"); fi
database=${CLICKHOUSE_DB:-}
case $user$database in
*[!A-Za-z0-9_]*)
    echo 'docker-entrypoint.sh: CLICKHOUSE_USER and CLICKHOUSE_DB may hold letters, digits and underscores' >&2
    exit 1
    ;;
esac
hash=$(printf '%s' "$password" | sha256sum | cut -d ' ' -f 1)
users=/etc/clickhouse-server/users.d/container.xml
{
    echo '<yandex><users>'
    [ "$user" = default ] || echo '<default remove="remove"/>'
    # replace: Debian gives the user default an empty password, and two kinds of password are refused.
    echo "<$user replace=\"replace\"><password_sha256_hex>$hash</password_sha256_hex>"
    echo "<networks><ip>0.0.0.0/0</ip></networks><profile>default</profile><quota>default</quota></$user>"
    echo '</users></yandex>'
} >"$users.new"
chmod 600 "$users.new"
mv "$users.new" "$users"

# The database is made by a server that only this container reaches.
if [ -n "$database" ] && [ ! -d "/var/lib/clickhouse/metadata/$database" ]; then
    "$@" -- --listen_host=127.0.0.1 &
    server=$!
    trap 'kill "$server" 2>/dev/null' TERM INT
    until wget -q -O /dev/null -T 2 http://127.0.0.1:8123/ping 2>/dev/null; do
        kill -0 "$server" 2>/dev/null || exit 1
        sleep 0.2
    done
    printf 'http://%s:%s@127.0.0.1:8123/' "$user" "$password" >/tmp/address
    printf 'CREATE DATABASE IF NOT EXISTS %s' "$database" >/tmp/query
    chmod 600 /tmp/address
    wget -q -O - -T 10 --auth-no-challenge --post-file=/tmp/query -i /tmp/address
    rm -f /tmp/address /tmp/query
    kill "$server"
    wait "$server" || true
    trap - TERM INT
fi
exec "$@"
