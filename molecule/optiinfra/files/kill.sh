#!/usr/bin/env bash
# kill.sh CONTAINER...: end the processes of containers as a crash does.
set -euo pipefail
for name in "$@"; do
    kill -9 "$(docker inspect --format '{{.State.Pid}}' "$name")"
done
