#!/bin/sh
# build.sh REFERENCE MIRROR: make the base image of everything built from packages: a minimal Debian 12 with wget (health
# checks) and the certificate authorities that this host trusts, so that builds reach what the host reaches.
set -eu
reference=$1 mirror=$2
bundle=/etc/ssl/certs/ca-certificates.crt
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mmdebstrap --quiet --variant=minbase --include=ca-certificates,wget \
    --aptopt='Acquire::Languages "none"' \
    --aptopt='APT::Install-Recommends "false"' \
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-exclude=/usr/share/info/*' \
    --customize-hook="copy-in $bundle /etc/ssl/certs" \
    --customize-hook='rm -rf "$1"/var/lib/apt/lists/* "$1"/var/cache/apt/*.bin "$1"/var/log/*.log' \
    bookworm "$work/root.tar" \
    "deb $mirror bookworm main" "deb $mirror bookworm-updates main" >&2
docker import \
    --change 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8' \
    --change 'LABEL org.opencontainers.image.title="OptiInfra base (Debian 12)"' \
    "$work/root.tar" "$reference" >/dev/null
