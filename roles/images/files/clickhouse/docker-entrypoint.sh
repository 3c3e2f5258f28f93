#!/bin/sh
# The interface of the clickhouse-server image: CLICKHOUSE_USER, CLICKHOUSE_PASSWORD and CLICKHOUSE_DB (each also as
# _FILE) and /docker-entrypoint-initdb.d. The named user is the only one; its password is kept as a hash.
set -eu

data=/var/lib/clickhouse
users=/etc/clickhouse-server/users.d/user.xml

fail() {
    echo "clickhouse: $*" >&2
    exit 1
}

from_file() { # NAME: take it from the file that NAME_FILE names
    eval "value=\${$1:-} file=\${$1_FILE:-}"
    if [ -n "$file" ]; then
        [ -z "$value" ] || fail "$1 and $1_FILE are both set; set one of them"
        [ -r "$file" ] || fail "$1_FILE: $file cannot be read"
        value=$(cat "$file")
    fi
    eval "$1=\$value"
    unset "$1_FILE"
}

write_user() {
    hash=$(printf '%s' "$CLICKHOUSE_PASSWORD" | sha256sum | cut -d' ' -f1)
    {
        echo '<yandex><users>'
        echo '<readonly remove="remove"/>'
        if [ "$CLICKHOUSE_USER" = default ]; then
            echo '<default><password remove="remove"/>'
        else
            echo '<default remove="remove"/>'
            echo "<$CLICKHOUSE_USER>"
            echo '<networks><ip>::/0</ip></networks><profile>default</profile><quota>default</quota>'
        fi
        echo "<password_sha256_hex>$hash</password_sha256_hex></$CLICKHOUSE_USER>"
        echo '</users></yandex>'
    } >"$users"
    chmod 0640 "$users"
}

client() {
    # By a file: the password is on no command line.
    HOME=$work clickhouse-client --config-file "$work/client.xml" --host 127.0.0.1 "$@"
}

initialise() ( # a server that only this container reaches creates the database and runs the scripts
    work=$(mktemp -d)
    server=
    trap '[ -z "$server" ] || { kill "$server" 2>/dev/null && wait "$server"; }; rm -rf "$work"' EXIT
    password=$(printf '%s' "$CLICKHOUSE_PASSWORD" | sed 's/&/\&amp;/g; s/</\&lt;/g; s/>/\&gt;/g')
    echo "<config><user>$CLICKHOUSE_USER</user><password>$password</password></config>" >"$work/client.xml"
    clickhouse-server --config-file=/etc/clickhouse-server/config.xml -- --listen_host=127.0.0.1 &
    server=$!
    tries=0
    until client --query 'SELECT 1' >/dev/null 2>&1; do
        tries=$((tries + 1))
        [ "$tries" -lt 120 ] || fail 'the server does not answer'
        kill -0 "$server" 2>/dev/null || fail 'the server ended while it was initialised'
        sleep 0.25
    done
    client --query "CREATE DATABASE IF NOT EXISTS \`$CLICKHOUSE_DB\`"
    for script in /docker-entrypoint-initdb.d/*; do
        case $script in
            *.sh) if [ -x "$script" ]; then "$script"; else . "$script"; fi ;;
            *.sql) client --multiquery --database "$CLICKHOUSE_DB" <"$script" ;;
            *.sql.gz) gunzip -c "$script" | client --multiquery --database "$CLICKHOUSE_DB" ;;
        esac
    done
)

[ "${1#-}" = "${1:--}" ] || set -- clickhouse-server "$@"
if [ "$1" != clickhouse-server ]; then
    exec "$@"
fi
if [ "$(id -u)" = 0 ]; then
    find "$data" \! -user clickhouse -exec chown clickhouse:clickhouse {} +
    exec setpriv --reuid=clickhouse --regid=clickhouse --init-groups "$0" "$@"
fi

for name in CLICKHOUSE_USER CLICKHOUSE_PASSWORD CLICKHOUSE_DB; do
    from_file "$name"
done
CLICKHOUSE_USER=${CLICKHOUSE_USER:-default}
CLICKHOUSE_DB=${CLICKHOUSE_DB:-default}
[ -n "$CLICKHOUSE_PASSWORD" ] || fail 'no password is given: set CLICKHOUSE_PASSWORD'
printf '%s' "$CLICKHOUSE_USER" | grep -Eqx '[A-Za-z_][A-Za-z0-9_-]*' ||
    fail "CLICKHOUSE_USER: '$CLICKHOUSE_USER' is not a name of letters, digits, - and _"
printf '%s' "$CLICKHOUSE_DB" | grep -Eqx '[A-Za-z_][A-Za-z0-9_-]*' ||
    fail "CLICKHOUSE_DB: '$CLICKHOUSE_DB' is not a name of letters, digits, - and _"
write_user
if [ ! -e "$data/.initialised-$CLICKHOUSE_DB" ]; then
    initialise
    touch "$data/.initialised-$CLICKHOUSE_DB"
fi
unset CLICKHOUSE_PASSWORD
shift
# [::] takes both kinds of connections, but cannot be listened on where no interface has an IPv6 address.
listen=0.0.0.0
if grep -qv ' lo$' /proc/net/if_inet6 2>/dev/null; then listen=::; fi
exec clickhouse-server --config-file="${CLICKHOUSE_CONFIG:-/etc/clickhouse-server/config.xml}" "$@" \
    -- --listen_host="$listen"
