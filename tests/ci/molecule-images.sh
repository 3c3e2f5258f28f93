#!/usr/bin/env bash
# Make the images of the Molecule instances, unless they are there, and print their references as JSON.
# A fresh host is `debian12` or `debian13`; with an engine and its plugins it is `debian12-docker` or `debian13-docker`.
set -euo pipefail

declare -A suites=([debian12]=bookworm [debian13]=trixie)
packages=systemd-sysv,dbus,python3,iproute2,iptables,ufw,procps,ca-certificates,debian-archive-keyring
bundle=/etc/ssl/certs/ca-certificates.crt
work=
trap '[ -z "$work" ] || rm -rf "$work"' EXIT

here() { docker image inspect "$1" >/dev/null 2>&1; }

# What a real host of this release is like: the distribution, systemd and this machine's certificate authorities.
host_image() { # reference, suite
    work=$(mktemp -d)
    # shellcheck disable=SC2016  # mmdebstrap expands them
    mmdebstrap --quiet --variant=minbase --include="$packages" \
        --aptopt='Acquire::Languages "none"' \
        --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
        --dpkgopt='path-exclude=/usr/share/locale/*' \
        --customize-hook="copy-in $bundle /etc/ssl/certs" \
        --customize-hook='chroot "$1" systemctl mask --quiet systemd-udevd.service systemd-logind.service getty.target' \
        --customize-hook='rm -rf "$1"/var/lib/apt/lists/* "$1"/var/cache/apt/*.bin' \
        "$2" "$work/root.tar"
    docker import --change 'CMD ["/sbin/init"]' "$work/root.tar" "$1" >/dev/null
    rm -rf "$work"
}

# The same with an engine that may pull from a registry on the outer machine's bridge.
docker_image() { # reference, parent, suite
    work=$(mktemp -d)
    printf '{"insecure-registries": ["172.16.0.0/12"]}\n' >"$work/daemon.json"
    printf 'deb http://deb.debian.org/debian trixie main\n' >"$work/trixie.list"
    printf 'Package: *\nPin: release n=trixie\nPin-Priority: 100\n' >"$work/trixie.pref"
    {
        echo "FROM $2"
        echo 'COPY daemon.json /etc/docker/daemon.json'
        if [ "$3" = bookworm ]; then
            echo 'COPY trixie.list /etc/apt/sources.list.d/trixie.list'
            echo 'COPY trixie.pref /etc/apt/preferences.d/trixie'
            install='docker.io docker-compose/trixie docker-buildx/trixie'
        else
            install='docker.io docker-cli docker-compose docker-buildx'
        fi
        echo "RUN apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends" \
            "$install python3-requests python3-apt >/dev/null && apt-get clean && rm -rf /var/lib/apt/lists/*"
    } >"$work/Dockerfile"
    docker build --quiet --tag "$1" "$work" >/dev/null
    rm -rf "$work"
}

exec 9>"${TMPDIR:-/tmp}/optiinfra-molecule-images.lock"
flock 9
# Of what the images are made from: this recipe, without its comments, and the certificate authorities.
version=$(grep -v '^ *#' "$0" | cat - "$bundle" | sha256sum | cut -c1-12)
separator='{'
for platform in debian12 debian13; do
    host=localhost/optiinfra/molecule-$platform:$version
    engine=localhost/optiinfra/molecule-$platform-docker:$version
    here "$host" || host_image "$host" "${suites[$platform]}" >&2
    here "$engine" || docker_image "$engine" "$host" "${suites[$platform]}" >&2
    printf '%s"%s": "%s", "%s-docker": "%s"' "$separator" "$platform" "$host" "$platform" "$engine"
    separator=', '
done
echo '}'
