#!/usr/bin/env bash
# Replace the containers that are asked from outside: new addresses, new rules of Docker's.
set -euo pipefail
/root/by-hand.sh
docker compose --project-directory /etc/optiinfra/vultr_demo up --detach --force-recreate --no-deps chat-api prometheus
