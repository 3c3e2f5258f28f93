#!/bin/sh
# The interface of the postgres image: POSTGRES_USER, POSTGRES_PASSWORD, POSTGRES_DB (each also as _FILE),
# POSTGRES_INITDB_ARGS, POSTGRES_HOST_AUTH_METHOD, PGDATA and /docker-entrypoint-initdb.d. Data is never initialised
# twice; an initialisation that was cut short starts again, since it works in a folder of its own.
# shellcheck disable=SC2030,SC2031  # the subshell of initialise has a PGDATA of its own
set -eu

fail() {
    echo "postgres: $*" >&2
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

run_script() {
    echo "postgres: running $1"
    case $1 in
        *.sh) if [ -x "$1" ]; then "$1"; else . "$1"; fi ;;
        *.sql) query -f "$1" ;;
        *.sql.gz) gunzip -c "$1" | query ;;
        *) echo "postgres: ignoring $1" ;;
    esac
}

query() {
    psql -v ON_ERROR_STOP=1 --no-psqlrc --quiet --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" "$@"
}

initialise() ( # FOLDER
    export PGDATA="$1" PGPASSWORD="$POSTGRES_PASSWORD" PGHOST=
    printf '%s\n' "$POSTGRES_PASSWORD" |
        eval 'initdb --username="$POSTGRES_USER" --pwfile=/dev/stdin '"${POSTGRES_INITDB_ARGS:-}"
    printf '\nhost all all all %s\n' "${POSTGRES_HOST_AUTH_METHOD:-scram-sha-256}" >>"$PGDATA/pg_hba.conf"
    pg_ctl --silent --wait --options "-c listen_addresses='' -p 5432" start
    trap 'pg_ctl --silent --mode fast --wait stop' EXIT
    if [ "$POSTGRES_DB" != postgres ]; then
        printf 'CREATE DATABASE :"db";\n' | query --dbname postgres --set db="$POSTGRES_DB"
    fi
    for script in /docker-entrypoint-initdb.d/*; do
        [ ! -e "$script" ] || run_script "$script"
    done
)

[ "${1#-}" = "${1:--}" ] || set -- postgres "$@"
if [ "$1" != postgres ]; then
    exec "$@"
fi
for argument; do
    case $argument in
        --help | '-?' | --version | -V | --describe-config) exec "$@" ;;
    esac
done
if [ "$(id -u)" = 0 ]; then
    mkdir -p "$PGDATA" /var/run/postgresql
    chmod 0700 "$PGDATA"
    chmod 3775 /var/run/postgresql
    find "$PGDATA" /var/run/postgresql \! -user postgres -exec chown postgres:postgres {} +
    exec setpriv --reuid=postgres --regid=postgres --init-groups "$0" "$@"
fi

staging=$PGDATA/.initialising
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    for name in POSTGRES_USER POSTGRES_PASSWORD POSTGRES_DB; do
        from_file "$name"
    done
    POSTGRES_USER=${POSTGRES_USER:-postgres}
    POSTGRES_DB=${POSTGRES_DB:-$POSTGRES_USER}
    export POSTGRES_USER POSTGRES_DB POSTGRES_PASSWORD
    if [ ! -e "$PGDATA/.initialised" ]; then
        [ -n "$POSTGRES_PASSWORD" ] ||
            fail 'the database is not initialised and no superuser password is given: set POSTGRES_PASSWORD'
        rm -rf "$staging"
        [ -z "$(ls -A "$PGDATA")" ] || fail "$PGDATA holds files but no database; give an empty volume"
        mkdir -m 0700 "$staging"
        initialise "$staging"
        touch "$PGDATA/.initialised"
    fi
    # PG_VERSION last: what has it is complete.
    find "$staging" -mindepth 1 -maxdepth 1 \! -name PG_VERSION -exec mv -t "$PGDATA" {} +
    mv "$staging/PG_VERSION" "$PGDATA/"
    rmdir "$staging"
    echo 'postgres: initialised; starting'
fi
rm -f "$PGDATA/.initialised"
[ "$(cat "$PGDATA/PG_VERSION")" = "$PG_MAJOR" ] ||
    fail "$PGDATA was written by PostgreSQL $(cat "$PGDATA/PG_VERSION"), this is $PG_MAJOR: dump it there, load it here"
unset POSTGRES_PASSWORD POSTGRES_PASSWORD_FILE
exec "$@"
