#!/usr/bin/env bash
# What is true on this host: processes, containers, a namespace and rules, made by hand and on purpose.
set -eu -o pipefail

# Without its proxy, the engine writes switches of its bridges.
mount -o remount,rw /proc/sys
systemctl restart docker

door() { # unit, user, doors...
    systemd-run --quiet --unit "$1" --property "User=$2" /usr/bin/python3 /usr/local/lib/doors.py "${@:3}"
}
run() { # project, service, options... -- command...
    local project=$1 service=$2
    shift 2
    docker run --detach --name "$project-$service" --label "com.docker.compose.project=$project" \
        --label "com.docker.compose.service=$service" "$@" >/dev/null
}
page=(page:1 httpd -f -p 80)

door ssh-door root 0.0.0.0=22 ::=22
door squatter nobody 127.0.0.1=8100
door strangers nobody 0.0.0.0=7001 ::=7002 '*=7003' 0.0.0.0=7004/udp 127.0.0.1=7005 ::1=7006/udp 0.0.0.0=7007
door twin-one root 0.0.0.0=7008
door twin-two root 0.0.0.0=7008

cd /root/image
ln -sf busybox bin/httpd
tar -c . | docker import --change 'ENV PATH=/bin' - page:1 >/dev/null
label=com.docker.compose.project.config_files
run demo web --label "$label=/root/old.yaml" --label 'io.optiinfra.stand-in=Not the real one' \
    --publish 127.0.0.1:8200:80 "${page[@]}"
run demo wide --publish 0.0.0.0:8201:80 "${page[@]}"
run demo silent "${page[@]}"
run demo moved --publish 127.0.0.1:8209:80 "${page[@]}"
run demo extra --publish 127.0.0.1:8207:80 "${page[@]}"
run demo host --network host page:1 httpd -f -p 0.0.0.0:8205
run demo sick page:1 httpd --no-such-option || true
run other open --publish 8202:80 "${page[@]}"
run other guarded --publish 0.0.0.0:8203:80 "${page[@]}"
run other udp --publish 0.0.0.0:8204:53/udp "${page[@]}"
# busybox has no server of datagrams: one from outside, in the container's network.
systemd-run --quiet --unit udp-door nsenter --net --target "$(docker inspect other-udp --format '{{.State.Pid}}')" \
    /usr/bin/python3 /usr/local/lib/doors.py 0.0.0.0=53/udp

ip netns add blue
ip -netns blue link set lo up
systemd-run --quiet --unit blue-door ip netns exec blue /usr/bin/python3 /usr/local/lib/doors.py 0.0.0.0=80

{
    ufw allow 22/tcp
    ufw allow from 10.0.0.0/8 to any port 7007 proto tcp
    ufw allow 9999/tcp comment 'of a service that is gone'
    ufw default deny incoming
    ufw --force enable
} >/dev/null
iptables -I DOCKER-USER -p tcp -m conntrack --ctorigdstport 8203 --ctdir ORIGINAL -j DROP

mkdir -p /etc/optiinfra/demo
{
    echo services:
    for service in web=8200 squatted=8100 wide=8201 silent=8206 moved=8209 sick; do
        printf '  %s:\n    image: page:1\n' "${service%=*}"
        [ "${service%=*}" = "$service" ] || printf "    ports:\n    - target: 80\n      published: '%s'\n%s\n%s\n" \
            "${service#*=}" '      host_ip: 127.0.0.1' '      protocol: tcp'
    done
    printf '  host:\n    image: page:1\n    network_mode: host\n'
} >/etc/optiinfra/demo/compose.yaml
