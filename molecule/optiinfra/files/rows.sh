#!/usr/bin/env bash
# rows.sh write|read: a row in PostgreSQL and one in ClickHouse.
set -euo pipefail

clickhouse() {
    printf '%s' "$1" | docker exec --interactive optiinfra-clickhouse sh -ec '
        cat > /tmp/query
        printf "http://%s:%s@127.0.0.1:8123/" "$CLICKHOUSE_USER" "$CLICKHOUSE_PASSWORD" |
            wget -q -O - --auth-no-challenge --post-file /tmp/query -i -'
}

postgres() {
    docker exec optiinfra-postgres psql -U optiinfra -Atqc "$1"
}

if [ "$1" = write ]; then
    postgres 'CREATE TABLE kept (a int); INSERT INTO kept VALUES (42)'
    clickhouse 'CREATE TABLE optiinfra.kept (a UInt8) ENGINE = MergeTree ORDER BY a'
    clickhouse 'INSERT INTO optiinfra.kept VALUES (42)'
    # The same image by another name is another image to Compose: the container is replaced.
    docker tag "$(docker inspect --format '{{.Image}}' optiinfra-postgres)" localhost/another/postgres:15
else
    docker inspect --format '{{.Config.Image}}' optiinfra-postgres
    postgres 'SELECT a FROM kept'
    clickhouse 'SELECT a FROM optiinfra.kept'
fi
