#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2016,SC2154 # the container's shell expands them; ../docker, dockerd.sh and lib.sh have the variables
#
# Networks. The sandbox has a network namespace of its own, so dockerd may set up bridges and rules as it likes.
check '--network none' 0 '^lo$' docker run --rm --network none bb ls /sys/class/net
check '--network bridge: interface' 0 'inet 10.213.0.' docker run --rm bb ip -4 addr show eth0
check '--network bridge: gateway' 0 '' docker run --rm bb ping -c 1 -W 5 10.213.0.1
check '--network host' 0 'docker0' docker run --rm --network host bb ls /sys/class/net
started web --network-alias web bb sh -c 'mkdir /www; echo page >/www/index.html; exec httpd -f -p 80 -h /www'
address() { docker inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' "$1"; }
check '--network container:' 0 '^page$' docker run --rm --network container:web bb wget -qO- http://127.0.0.1/
check 'bridge: from another container' 0 '^page$' docker run --rm bb wget -qO- "http://$(address web)/"
started published -p 127.0.0.1:8099:80 bb sh -c 'mkdir /www; echo port >/www/index.html; exec httpd -f -p 80 -h /www'
reached() { wait_for 10 busybox wget -qO "$WORK/page" http://127.0.0.1:8099/; cat "$WORK/page"; }
check '-p: from the host' 0 '^port$' reached
check 'port' 0 '127.0.0.1:8099' docker port published
check 'network create' 0 '^[0-9a-f]{64}$' docker network create --subnet 10.214.0.0/24 own
started named --network own --network-alias alias bb sh -c 'mkdir /www; echo named >/www/index.html; exec httpd -f -p 80 -h /www'
check 'own network: address' 0 'inet 10.214.0.' docker exec named ip -4 addr show eth0
if [ "$iptables" = true ]; then
	check 'own network: names' 0 '^named$' docker run --rm --network own bb wget -qO- http://alias/
else
	skip 'own network: names' 'the DNS server of dockerd needs iptables'
fi
check 'network connect to a running container' 0 'inet 10.214.0.' sh -c 'docker network connect own web; docker exec web ip -4 addr show eth1'
check 'network disconnect' '!0' '' sh -c 'docker network disconnect own web; docker exec web ip addr show eth1'
check '--ip, --mac-address' 0 'inet 10.214.0.77' docker run --rm --network own --ip 10.214.0.77 bb ip -4 addr show eth0
check '--add-host, --dns' 0 '^1.2.3.4.a.nameserver 9.9.9.9' docker run --rm --add-host a:1.2.3.4 --dns 9.9.9.9 bb sh -c 'grep 1.2.3.4 /etc/hosts; grep nameserver /etc/resolv.conf'
removed web published named
check 'network rm' 0 '^own$' docker network rm own
