#!/bin/bash
# The number of healthy containers, then every TCP listener of the host but SSH.
set -euo pipefail
docker ps --filter health=healthy --quiet | wc -l
ss -Hltn | tr -s ' ' | cut -d ' ' -f 4 | grep -v ':22$' | sort -t : -k 2n | tr '\n' ' '
