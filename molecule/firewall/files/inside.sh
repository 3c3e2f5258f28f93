#!/bin/sh
# Containers reach each other by the host's own address, and what is outside (the machine at $1 answers or refuses).
set -eu
gateway=$(docker network inspect bridge --format '{{ (index .IPAM.Config 0).Gateway }}')
docker exec page-web wget -q -O - "http://$(docker inspect page-db --format '{{ .NetworkSettings.IPAddress }}'):80/" | grep -q welcome
docker exec page-web wget -q -O - -T 3 "http://$gateway:8300/" | grep -q welcome || docker exec page-web ping -c 1 "$gateway" || true
said=$(docker exec page-web wget -T 3 -O /dev/null "http://$1:1/" 2>&1 || true)
case "$said" in *"timed out"*) echo "no way out: $said"; exit 1 ;; esac
