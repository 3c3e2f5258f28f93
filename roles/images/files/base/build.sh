#!/bin/sh
# build.sh DIRECTORY REFERENCE SUITE [MIRROR]: a small Debian with wget and this machine's certificate authorities, as an
# image; made below DIRECTORY, since /tmp may be mounted noexec.
# shellcheck disable=SC2016  # apt, mmdebstrap and its hooks expand these
set -eu
mkdir -p "$1"
reference=$2 suite=$3
work=$(mktemp -d "$1/base.XXXXXX")
chmod 0755 "$work"
export TMPDIR="$work"
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM HUP

# The mirrors that this host uses for its own packages.
sources=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | sort -u)
main=$(printf '%s\n' "$sources" | grep -E '/debian/?$' | head -n 1) || true
security=$(printf '%s\n' "$sources" | grep -E '/debian-security/?$' | head -n 1) || true
main=${4:-${main:-http://deb.debian.org/debian}}
{
    printf 'deb %s %s main\n' "$main" "$suite"
    printf 'deb %s %s-updates main\n' "$main" "$suite"
    [ -z "$security" ] || printf 'deb %s %s-security main\n' "$security" "$suite"
} >"$work/sources.list"
proxies=$(apt-config dump --format '%f "%v";%n' Acquire::http::Proxy Acquire::https::Proxy)

mmdebstrap --quiet --variant=minbase --include=ca-certificates,wget \
    --keyring=/usr/share/keyrings/debian-archive-keyring.gpg \
    --aptopt='Acquire::Languages "none"' ${proxies:+--aptopt="$proxies"} \
    --aptopt='APT::Install-Recommends "false"' \
    --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
    --dpkgopt='path-exclude=/usr/share/info/*' --dpkgopt='path-exclude=/usr/share/lintian/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' \
    --customize-hook='copy-in /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs' \
    --customize-hook='rm -rf "$1"/var/lib/apt/lists/* "$1"/var/cache/apt/*.bin "$1"/var/log/*.log "$1"/var/log/apt/*' \
    --customize-hook='printf "#!/bin/sh\nexit 101\n" >"$1/usr/sbin/policy-rc.d" && chmod 0755 "$1/usr/sbin/policy-rc.d"' \
    "$suite" "$work/root.tar" "$work/sources.list"
docker import --change 'ENV LANG=C.UTF-8' --change 'CMD ["sh"]' \
    --change 'LABEL org.opencontainers.image.title="Base of images built from packages"' \
    "$work/root.tar" "$reference"
