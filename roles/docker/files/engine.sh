#!/bin/sh
# engine.sh start|restart systemd|init-script|direct SECONDS [arguments of dockerd]
# Starts the Docker engine, waits until it answers and prints how it was started.
set -u
action=$1 method=$2 seconds=$3
shift 3
socket=/var/run/docker.sock log=/var/log/docker.log pidfile=/run/docker.pid
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

answers() {
    docker -H "unix://$socket" version >/dev/null 2>&1
}

running() {
    # A zombie, where PID 1 does not reap, has a name but no executable.
    pid=$(cat "$pidfile" 2>/dev/null) && [ -e "/proc/$pid/exe" ] && [ "$(cat "/proc/$pid/comm")" = dockerd ]
}

await() {
    left=$((seconds * 5))
    until answers; do
        left=$((left - 1))
        [ "$left" -gt 0 ] || return 1
        # Dead already: do not wait for nothing. systemd and start-stop-daemon have returned by now.
        [ "$((left % 10))" -ne 0 ] || [ "$method" = systemd ] || running || return 1
        sleep 0.2
    done
}

by_systemd() {
    systemctl reset-failed docker.service docker.socket 2>/dev/null
    systemctl enable --quiet docker.service
    if [ "$action" = restart ]; then systemctl restart docker.service; else systemctl start docker.service; fi
}

stop_direct() {
    running || return 0
    kill -TERM "$pid"
    left=300
    while [ -e "/proc/$pid/exe" ]; do
        left=$((left - 1))
        if [ "$left" -le 0 ]; then
            echo "dockerd (pid $pid) does not stop" >&2
            return 1
        fi
        sleep 0.1
    done
}

by_init_script() {
    service docker "$action"
}

direct() {
    [ "$action" = start ] || stop_direct || return 1
    running && return 0
    start-stop-daemon --start --background --no-close --pidfile "$pidfile" --exec "$(command -v dockerd)" -- "$@" \
        >>"$log" 2>&1
}

# An engine learns from its settings, without a restart, that containers are to go on running while it restarts.
if [ "$action" = restart ] && running; then
    kill -HUP "$pid"
    left=10
    until [ "$left" -le 0 ] || [ "$(docker -H "unix://$socket" info --format '{{.LiveRestoreEnabled}}' 2>&1)" = true ]; do
        left=$((left - 1))
        sleep 0.2
    done
fi

case $method in
systemd) by_systemd && await ;;
init-script)
    # Scripts of this kind raise resource limits first, which not every machine allows.
    if ! { by_init_script >>"$log" 2>&1 && await; }; then
        method=direct
        direct "$@" && await
    fi
    ;;
direct) direct "$@" && await ;;
esac
status=$?
if [ "$status" -ne 0 ]; then
    echo "The engine was started ($method) and does not answer on $socket." >&2
    if [ "$method" = systemd ]; then journalctl --no-pager -n 15 -u docker.service; else tail -n 15 "$log"; fi >&2
fi
[ "$status" -ne 0 ] || echo "$method"
exit "$status"
