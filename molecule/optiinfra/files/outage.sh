#!/usr/bin/env bash
# ClickHouse is away for a few intervals; then no interval of that time is missing.
set -euo pipefail

clickhouse() {
    printf '%s' "$1" | docker exec --interactive optiinfra-clickhouse sh -ec '
        cat > /tmp/query
        printf "http://%s:%s@127.0.0.1:8123/" "$CLICKHOUSE_USER" "$CLICKHOUSE_PASSWORD" |
            wget -q -O - --auth-no-challenge --post-file /tmp/query -i -'
}

docker stop --time 20 optiinfra-clickhouse >/dev/null
began=$(date +%s)
sleep 15
ended=$(date +%s)
docker start optiinfra-clickhouse >/dev/null
query="SELECT uniqExact(at) FROM optiinfra.metrics WHERE target = 'gpu1-dcgm' AND metric = 'DCGM_FI_DEV_GPU_UTIL'
    AND toUnixTimestamp(at) > $began AND toUnixTimestamp(at) < $ended"
for _ in $(seq 60); do
    sleep 1
    count=$(clickhouse "$query" 2>/dev/null) || continue
    # 15 s at an interval of 3 s, less one at each end.
    [ "$count" -lt 3 ] || exit 0
done
echo "only ${count:-0} intervals of the outage were written" >&2
exit 1
