#!/bin/sh
# Starts PostgreSQL and makes its cluster first if there is none. Reads POSTGRES_PASSWORD, POSTGRES_USER, POSTGRES_DB
# (each also as <NAME>_FILE), POSTGRES_INITDB_ARGS and /docker-entrypoint-initdb.d/*.{sh,sql}, as the image postgres does.
set -eu

# A cluster grows here and becomes PGDATA when it is complete: a start that is killed half-way is begun anew.
growing=$PGDATA/.growing

say() { echo "docker-entrypoint.sh: $*" >&2; }

# read_variable NAME DEFAULT: the value of NAME, else the content of the file NAME_FILE, else the default
read_variable() {
    eval "value=\${$1:-} file=\${$1_FILE:-}"
    if [ -z "$value" ] && [ -n "$file" ]; then value=$(cat "$file"); fi
    printf '%s' "${value:-$2}"
}

make_cluster() {
    user=$(read_variable POSTGRES_USER postgres)
    database=$(read_variable POSTGRES_DB "$user")
    password=$(read_variable POSTGRES_PASSWORD '')
    if [ -z "$password" ]; then
        say 'POSTGRES_PASSWORD is not set: a new cluster needs a password for its superuser'
        exit 1
    fi
    rm -rf "$growing"
    mkdir -m 700 "$growing"
    printf '%s\n' "$password" >/tmp/password
    chmod 600 /tmp/password
    # shellcheck disable=SC2086 # several arguments are meant
    initdb --pgdata="$growing" --username="$user" --pwfile=/tmp/password --encoding=UTF8 --locale=C.UTF-8 \
        --auth-local=trust ${POSTGRES_INITDB_ARGS:-} >&2
    rm -f /tmp/password
    echo "listen_addresses = '*'" >>"$growing/postgresql.conf"
    echo 'host all all all scram-sha-256' >>"$growing/pg_hba.conf"
    pg_ctl --pgdata="$growing" --silent --wait start \
        --options="-c listen_addresses= -c unix_socket_directories=/tmp -c fsync=off" >&2
    if [ "$database" != postgres ]; then
        createdb --host=/tmp --username="$user" "$database"
    fi
    for script in /docker-entrypoint-initdb.d/*; do
        case $script in
        *.sql) psql --no-psqlrc --quiet -v ON_ERROR_STOP=1 --host=/tmp --username="$user" --dbname="$database" -f "$script" ;;
        *.sh) PGHOST=/tmp PGUSER=$user PGDATABASE=$database sh "$script" ;;
        esac
    done
    pg_ctl --pgdata="$growing" --silent --wait --mode=fast stop >&2
    sync
    # PG_VERSION last: it is what tells a complete cluster.
    for entry in "$growing"/*; do
        [ "$entry" = "$growing/PG_VERSION" ] || mv "$entry" "$PGDATA/"
    done
    mv "$growing/PG_VERSION" "$PGDATA/"
    rmdir "$growing"
    say "made a cluster with the database $database"
}

case ${1:-postgres} in
-*) set -- postgres "$@" ;;
esac
[ "${1:-postgres}" = postgres ] || exec "$@"

if [ "$(id -u)" = 0 ]; then
    mkdir -p "$PGDATA"
    chmod 700 "$PGDATA"
    find "$PGDATA" ! -user postgres -exec chown postgres:postgres {} +
    exec setpriv --reuid=postgres --regid=postgres --init-groups "$0" "$@"
fi

if [ ! -s "$PGDATA/PG_VERSION" ]; then
    if [ -e "$growing" ]; then
        say 'the last start was ended before the cluster was complete; beginning anew'
        find "$PGDATA" -mindepth 1 -delete
    elif [ -n "$(ls -A "$PGDATA")" ]; then
        say "$PGDATA holds something that is no PostgreSQL cluster; give it an empty volume"
        exit 1
    fi
    make_cluster
fi
exec "$@"
