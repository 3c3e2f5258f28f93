#!/bin/sh
# build.sh DIRECTORY REFERENCE DOCKERFILE [options of docker build]; the context comes by standard input.
set -eu
mkdir -p "$1"
context=$(mktemp -d "$1/context.XXXXXX")
trap 'rm -rf "$context"' EXIT
trap 'exit 1' INT TERM HUP
reference=$2 dockerfile=$3
shift 3
base64 -d | tar -xz -C "$context"
# For builds that fetch packages from behind a proxy of its own authority. Not part of the hash: hosts differ in it.
bundle=/etc/ssl/certs/ca-certificates.crt
[ -e "$context/ca-certificates.crt" ] || [ ! -e "$bundle" ] || cp "$bundle" "$context/ca-certificates.crt"
exec 2>&1
docker build --tag "$reference" --file "$context/$dockerfile" \
    --build-arg http_proxy --build-arg https_proxy --build-arg no_proxy "$@" "$context"
