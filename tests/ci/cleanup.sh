#!/usr/bin/env bash
# cleanup.sh snapshot: remember what this machine has. cleanup.sh: end what the run started, and fail when the run left
# anything behind: processes, containers, networks, volumes.
set -euo pipefail

here() {
    docker version >/dev/null 2>&1 || return 0
    docker ps --all --format 'container {{.Names}}'
    docker network ls --filter type=custom --format 'network {{.Name}}'
    docker volume ls --format 'volume {{.Name}}'
}

if [ "${1-}" = snapshot ]; then
    here | sort >"$CI_DIR/before"
    ! docker version >/dev/null 2>&1 || touch "$CI_DIR/engine-there"
    exit 0
fi

status=0
if [ -e "$CI_DIR/engine-there" ] && ! docker version >/dev/null 2>&1; then
    echo 'the engine that was there no longer answers; what the tests made cannot be removed' >&2
    status=1
fi
# The registry that the images stage started.
for file in "$CI_DIR"/registry*.pid; do
    [ -e "$file" ] || continue
    pid=$(cat "$file")
    if [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = docker-registry ]; then kill "$pid"; fi
    rm -f "$file"
done
rm -rf "$CI_DIR/registry"

# Other people may use this machine meanwhile: instances carry the number of the run, other things a name of the tests.
left=$(comm -13 "$CI_DIR/before" <(here | sort) | grep -E '^(container|network|volume) (mol|it)-' || true)
left=$(while read -r kind name; do
    case $kind:$name in
    container:mol-*) [ "$(docker inspect --format '{{index .Config.Labels "io.optiinfra.ci-run"}}' "$name")" = "$CI_RUN" ] ;;
    *:it-*) [ -e "$CI_DIR/integration.log" ] ;;
    *:mol-*) [ -e "$CI_DIR/molecule.log" ] ;;
    *) false ;;
    esac && printf '%s %s\n' "$kind" "$name"
done <<<"$left" || true)
if [ -n "$left" ]; then
    printf 'left behind, and removed now:\n%s\n' "$left" >&2
    status=1
    while read -r kind name; do
        case $kind in
        container) docker rm --force --volumes "$name" ;;
        network) docker network rm "$name" ;;
        volume) docker volume rm "$name" ;;
        esac >/dev/null || true
    done <<<"$left"
fi

if [ -e "$CI_DIR/engine-started" ]; then
    pid=$(cat /run/docker.pid 2>/dev/null || true)
    if [ -n "$pid" ] && [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = dockerd ] && [ ! -d /run/systemd/system ]; then
        if [ -n "$(docker ps --quiet)" ]; then
            echo "the engine (pid $pid) goes on running: it has containers"
        else
            echo "stopping the engine that this run started (pid $pid)"
            kill "$pid"
            for _ in $(seq 300); do
                [ -e "/proc/$pid/exe" ] || break
                sleep 0.1
            done
        fi
    fi
    rm -f "$CI_DIR/engine-started"
fi

# Every process of the run has its number in the environment, and the engine was started without it.
sleep 0.5
for environ in /proc/[0-9]*/environ; do
    pid=${environ#/proc/} pid=${pid%/environ}
    { [ "$pid" != $$ ] && [ "$pid" != "$PPID" ]; } || continue
    { tr '\0' '\n' <"$environ" | grep -qx "CI_RUN=$CI_RUN"; } 2>/dev/null || continue
    name=$({ tr '\0' ' ' <"/proc/$pid/cmdline"; } 2>/dev/null || true)
    [ -n "$name" ] || continue # a zombie
    printf 'left behind, and ended now: process %s (%s)\n' "$pid" "$name" >&2
    kill "$pid" 2>/dev/null || true
    status=1
done
exit "$status"
