#!/usr/bin/env bash
# sshd.sh FOLDER CONTAINER ADDRESS: have sshd in an instance, and in FOLDER a key for it, its host key, and an
# ssh_config by which the container's name is enough to log in.
set -euo pipefail
folder=$1 container=$2 address=$3
cd "$folder"
[ -e id_ed25519 ] || ssh-keygen -q -t ed25519 -N '' -C molecule -f id_ed25519
docker exec --interactive "$container" sh -euc '
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends openssh-server >/dev/null
    install -d -m 0700 /root/.ssh
    cat >/root/.ssh/authorized_keys' <id_ed25519.pub
host_key=$(docker exec "$container" cut -d ' ' -f 1,2 /etc/ssh/ssh_host_ed25519_key.pub)
touch known_hosts ssh_config
sed -i "/^$container /d" known_hosts
sed -i "/^Host $container\$/,+6d" ssh_config
echo "$container $host_key" >>known_hosts
cat >>ssh_config <<CONFIG
Host $container
  HostName $address
  HostKeyAlias $container
  User root
  IdentityFile $folder/id_ed25519
  UserKnownHostsFile $folder/known_hosts
  StrictHostKeyChecking yes
CONFIG
