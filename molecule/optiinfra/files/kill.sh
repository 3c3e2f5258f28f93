#!/usr/bin/env bash
# End the processes of every container of the platform as a crash does.
set -euo pipefail
for id in $(docker ps --quiet --filter label=com.docker.compose.project=optiinfra); do
    kill -9 "$(docker inspect --format '{{.State.Pid}}' "$id")"
done
