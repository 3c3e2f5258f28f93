#!/bin/sh
# new-key.sh make: prints the public part of a new host key. new-key.sh use: has sshd use it.
set -eu
umask 077
new=/etc/ssh/optiinfra_new_host_key key=/etc/ssh/ssh_host_ed25519_key
case $1 in
make)
    # What cloud-init does until the end of the first boot is not to be disturbed.
    if command -v cloud-init >/dev/null; then timeout 900 cloud-init status --wait >/dev/null 2>&1 || true; fi
    [ -e "$new" ] || ssh-keygen -q -t ed25519 -N '' -C "$(hostname)" -f "$new"
    ssh-keygen -y -f "$new"
    ;;
use)
    ssh-keygen -y -f "$new" >"$key.pub"
    chmod 644 "$key.pub"
    mv "$new" "$key"
    rm -f "$new.pub"
    if [ -d /run/systemd/system ]; then systemctl reload ssh; else service ssh reload; fi
    ;;
esac
