"""The proxies that are compared, each with the configuration that does the same: authorization by certificate, outlier
detection, metrics and an access log in JSON, one worker."""
import json, os, pathlib, shutil

from machine import MEASURED, RELEASE, ROOT, Process, free_port

ENVOY = ROOT / "tests" / ".tools" / "bin" / "envoy"
# TLS upstreams of the row `load`.
UPSTREAMS = 5000
OUTLIER = {"consecutive_connections": 5, "interval": "10s", "ejection": "30s"}


class Peer:
    """A proxy: `command` and its configuration are what differs."""

    title = program = None
    # Rows that it takes part in.
    rows = ("pass_through", "handshakes", "http", "requests", "requests_to_http2")
    # Whether its allocations are not calls that a tool knows by name.
    has_own_allocator = False

    def __init__(self, program=None):
        self.program = program or self.program

    def requests_to_http2(self, case, folder):
        return self.requests(case, folder)

    def missing(self):
        """What to do if the program is not there."""
        return None if self.program and shutil.which(self.program) else f"{self.title} is not installed ({self.hint})"

    def start(self, what, case, folder, under=(), seconds=60):
        """A process that serves `case` at its port after so many seconds at most; `under` is a tool that runs it."""
        folder = folder / f"{self.title.replace(' ', '-')}-{free_port()}"
        folder.mkdir()
        process = Process([*under, *self.command(getattr(self, what)(case, folder), folder)], {MEASURED}, folder)
        process.serves(case.port, seconds)
        return process


def written(folder, name, content):
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content, indent=1))
    return path


class Meshd(Peer):
    title, program, hint = "meshd", str(RELEASE / "meshd"), "cargo build --release --bins"

    def __init__(self, program=None, title=None):
        super().__init__(program)
        self.title = title or self.title

    def command(self, config, folder):
        return [self.program, "run", "--workers", "1", "--drain-seconds", "0", "--finish-seconds", "0", "--config", config]

    def whole(self, case, folder, kind, **more):
        pool = {"max_connections": 1 << 20, "max_pending": 1 << 20, "max_requests": 1 << 20}
        group = {"name": "g", "endpoints": [{"host": "127.0.0.1", "port": case.upstream}], "outlier": OUTLIER}
        # What is behind speaks one protocol, whatever clients speak.
        upstreams = {"app": {"connect_timeout": "5s", "protocol": case.behind, "pool": pool, "groups": [group]}}
        metrics = {"name": "metrics", "bind": f"127.0.0.1:{free_port()}", "kind": {"metrics": {}}}
        listeners = [{"name": "in", "bind": f"127.0.0.1:{case.port}", "kind": kind}, metrics]
        whole = {"version": 1, "node": {"name": "n", "cluster": "c"}, "listeners": listeners, "upstreams": upstreams}
        return written(folder, "meshd.json", whole | {"access_log": {"file": str(folder / "access.log")}} | more)

    def pass_through(self, case, folder):
        chain = {"sni": [case.name], "to": [{"upstream": "app"}]}
        return self.whole(case, folder, {"pass_through": {"chains": [chain]}})

    def http(self, case, folder):
        route = {"to": [{"upstream": "app"}], "timeout": "15s", "idle_timeout": "300s"}
        host = {"name": "v", "hosts": ["*"], "routes": [route]}
        return self.whole(case, folder, {"http": {"virtual_hosts": [host]}})

    def requests(self, case, folder):
        return self.handshakes(case, folder)

    def load(self, case, folder):
        config = pathlib.Path(self.handshakes(case, folder))
        whole = json.loads(config.read_text())
        for number in range(UPSTREAMS):
            tls = {"sni": f"u{number}.bench", "peers": [case.client.spiffe]}
            group = {"name": "g", "endpoints": [{"host": "127.0.0.1", "port": case.upstream}], "outlier": OUTLIER, "tls": tls}
            whole["upstreams"][f"u{number}"] = whole["upstreams"]["app"] | {"groups": [group]}
        config.write_text(json.dumps(whole))
        return config

    def handshakes(self, case, folder):
        app = {"http": {"upstream": "app"}}
        chain = {"sni": [case.name], "peers": [case.client.spiffe], "app": app}
        identity = {"certificate": str(case.server.chain), "private_key": str(case.server.key), "trust_bundle": str(case.root)}
        return self.whole(case, folder, {"inbound": {"chains": [chain]}}, identity=identity)


class Envoy(Peer):
    title, program, hint = "Envoy", str(ENVOY), "tests/tools/install"
    has_own_allocator = True

    def command(self, config, folder):
        return [self.program, "-c", config, "--concurrency", "1", "--disable-hot-restart", "-l", "error"]

    def log(self, folder, **fields):
        times = {"time": "%START_TIME%", "remote": "%DOWNSTREAM_REMOTE_ADDRESS%", "flags": "%RESPONSE_FLAGS%"}
        times |= {"duration_ms": "%DURATION%", "bytes": "%BYTES_SENT%", "endpoint": "%UPSTREAM_HOST%", "upstream": "%UPSTREAM_CLUSTER%"}
        kind = "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog"
        config = {"@type": kind, "path": str(folder / "access.log"), "log_format": {"json_format": times | fields}}
        return [{"name": "file", "typed_config": config}]

    def whole(self, case, folder, chain, by_name=True):
        inspector = {"@type": "type.googleapis.com/envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector"}
        listener = {
            "name": "in",
            "address": {"socket_address": {"address": "127.0.0.1", "port_value": case.port}},
            "filter_chains": [chain],
        }
        if by_name:
            listener["listener_filters"] = [{"name": "tls", "typed_config": inspector}]
            listener["filter_chains"] = [{"filter_chain_match": {"server_names": [case.name]}} | chain]
        address = {"address": {"socket_address": {"address": "127.0.0.1", "port_value": case.upstream}}}
        most = {"max_connections": 1 << 20, "max_pending_requests": 1 << 20, "max_requests": 1 << 20}
        cluster = {
            "name": "app",
            "type": "STATIC",
            "connect_timeout": "5s",
            "circuit_breakers": {"thresholds": [most]},
            "outlier_detection": {"consecutive_local_origin_failure": 5, "split_external_local_origin_errors": True},
            "load_assignment": {"cluster_name": "app", "endpoints": [{"lb_endpoints": [{"endpoint": address}]}]},
        }
        if case.behind == "http2":
            options = "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
            spoken = {"@type": options, "explicit_http_config": {"http2_protocol_options": {}}}
            cluster["typed_extension_protocol_options"] = {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": spoken}
        return written(folder, "envoy.json", {"static_resources": {"listeners": [listener], "clusters": [cluster]}})

    def pass_through(self, case, folder):
        proxy = {"@type": "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy", "stat_prefix": "in"}
        proxy |= {"cluster": "app", "access_log": self.log(folder, sni="%REQUESTED_SERVER_NAME%")}
        return self.whole(case, folder, {"filters": [{"name": "tcp", "typed_config": proxy}]})

    def load(self, case, folder):
        config = pathlib.Path(self.handshakes(case, folder))
        whole = json.loads(config.read_text())
        clusters = whole["static_resources"]["clusters"]
        shown = {"certificate_chain": {"filename": str(case.client.chain)}, "private_key": {"filename": str(case.client.key)}}
        expected = [{"san_type": "URI", "matcher": {"exact": case.client.spiffe}}]
        checked = {"trusted_ca": {"filename": str(case.root)}, "match_typed_subject_alt_names": expected}
        kind = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext"
        for number in range(UPSTREAMS):
            common = {"tls_certificates": [shown], "validation_context": checked}
            context = {"@type": kind, "sni": f"u{number}.bench", "common_tls_context": common}
            name, socket = f"u{number}", {"name": "tls", "typed_config": context}
            assignment = clusters[0]["load_assignment"] | {"cluster_name": name}
            clusters.append(clusters[0] | {"name": name, "load_assignment": assignment, "transport_socket": socket})
        config.write_text(json.dumps(whole))
        return config

    def handshakes(self, case, folder):
        tls = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext"
        shown = {"certificate_chain": {"filename": str(case.server.chain)}, "private_key": {"filename": str(case.server.key)}}
        expected = [{"san_type": "URI", "matcher": {"exact": case.client.spiffe}}]
        checked = {"trusted_ca": {"filename": str(case.root)}, "match_typed_subject_alt_names": expected}
        common = {"tls_certificates": [shown], "validation_context": checked}
        common |= {"tls_params": {"tls_minimum_protocol_version": "TLSv1_3", "tls_maximum_protocol_version": "TLSv1_3"}}
        context = {"@type": tls, "require_client_certificate": True, "common_tls_context": common}
        context |= {"disable_stateless_session_resumption": True, "disable_stateful_session_resumption": True}
        if case.http2:
            common["alpn_protocols"] = ["h2", "http/1.1"]
        socket = {"name": "tls", "typed_config": context}
        return self.whole(case, folder, self.manager(folder, peer="%DOWNSTREAM_PEER_URI_SAN%") | {"transport_socket": socket})

    def manager(self, folder, **fields):
        """A filter chain for requests, with a line in the log for each."""
        router = {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}
        route = {"cluster": "app", "timeout": "15s"}
        host = {"name": "v", "domains": ["*"], "routes": [{"match": {"prefix": "/"}, "route": route}]}
        fields |= {"method": "%REQ(:METHOD)%", "path": "%REQ(:PATH)%", "host": "%REQ(:AUTHORITY)%", "status": "%RESPONSE_CODE%"}
        fields |= {"protocol": "%PROTOCOL%", "request_id": "%REQ(X-REQUEST-ID)%", "user_agent": "%REQ(USER-AGENT)%"}
        manager = {
            "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
            "stat_prefix": "in",
            "route_config": {"virtual_hosts": [host]},
            "http_filters": [{"name": "router", "typed_config": router}],
            "access_log": self.log(folder, **fields),
        }
        return {"filters": [{"name": "http", "typed_config": manager}]}

    def http(self, case, folder):
        return self.whole(case, folder, self.manager(folder), by_name=False)

    def requests(self, case, folder):
        return self.handshakes(case, folder)


class HAProxy(Peer):
    title, program, hint = "HAProxy", "haproxy", "apt-get install haproxy"

    def command(self, config, folder):
        return [self.program, "-db", "-f", config]

    def whole(self, case, folder, bind, mode, rules):
        form = '{"time":"%t","remote":"%ci:%cp","flags":"%ts","duration_ms":%Tt,"bytes":%B,"upstream":"%b","endpoint":"%si"}'
        lines = ["global", "  nbthread 1", "  maxconn 8000", "  log stdout format raw local0", "defaults", f"  mode {mode}"]
        lines += ["  timeout connect 5s", "  timeout client 1h", "  timeout server 1h", "  log global", f"  log-format '{form}'"]
        lines += ["frontend in", f"  bind 127.0.0.1:{case.port} {bind}", *rules]
        proto = "proto h2 " if case.behind == "http2" else ""
        lines += ["backend app", f"  server one 127.0.0.1:{case.upstream} {proto}check observe layer4 inter 1h error-limit 5 on-error mark-down"]
        return written(folder, "haproxy.cfg", "\n".join(lines) + "\n")

    def pass_through(self, case, folder):
        named = f"{{ req.ssl_sni -i {case.name} }}"
        inspect = ["  tcp-request inspect-delay 5s", "  tcp-request content accept if { req.ssl_hello_type 1 }"]
        return self.whole(case, folder, "", "tcp", inspect + [f"  use_backend app if {named}"])

    def handshakes(self, case, folder):
        both = written(folder, "server.pem", case.server.chain.read_text() + case.server.key.read_text())
        tls = f"ssl crt {both} ca-file {case.root} verify required ssl-min-ver TLSv1.3 no-tls-tickets"
        if case.http2:
            tls += " alpn h2,http/1.1"
        return self.whole(case, folder, tls, "http", ["  default_backend app"])

    def http(self, case, folder):
        bind = "proto h2" if case.http2 else ""
        return self.whole(case, folder, bind, "http", ["  default_backend app"])

    def requests(self, case, folder):
        return self.handshakes(case, folder)


class Nginx(Peer):
    title, program, hint = "nginx", "nginx", "apt-get install nginx-light libnginx-mod-stream"
    # It speaks no HTTP/2 to what is behind it.
    rows = ("pass_through", "handshakes", "http", "requests")

    def command(self, config, folder):
        # Its worker would not be allowed to write what a tool finds out about it.
        stays = "user root; " if os.geteuid() == 0 else ""
        return [self.program, "-c", config, "-p", folder, "-g", f"{stays}daemon off;"]

    def whole(self, folder, block):
        module = next(pathlib.Path("/usr/lib/nginx/modules").glob("ngx_stream_module.so"), None)
        load = f"load_module {module};\n" if module else ""
        events = "events { worker_connections 16000; }"
        text = f"{load}worker_processes 1;\npid {folder}/pid;\nerror_log {folder}/error.log;\n{events}\n{block}\n"
        return written(folder, "nginx.conf", text)

    def pass_through(self, case, folder):
        form = '\'{"time":"$time_iso8601","remote":"$remote_addr:$remote_port","duration":$session_time,"bytes":$bytes_sent,"endpoint":"$upstream_addr"}\''
        server = f"server {{ listen 127.0.0.1:{case.port} backlog=4096; ssl_preread on; proxy_pass $to; tcp_nodelay on; }}"
        to = f"map $ssl_preread_server_name $to {{ {case.name} app; }} upstream app {{ server 127.0.0.1:{case.upstream}; }}"
        return self.whole(folder, f"stream {{ log_format j {form}; access_log {folder}/access.log j buffer=32k flush=1s; {to} {server} }}")

    def handshakes(self, case, folder):
        shown = f"ssl_certificate {case.server.chain}; ssl_certificate_key {case.server.key};"
        checked = f"ssl_client_certificate {case.root}; ssl_verify_client on; ssl_verify_depth 3;"
        whole = "ssl_protocols TLSv1.3; ssl_session_tickets off; ssl_session_cache off;"
        kind = "ssl http2" if case.http2 else "ssl"
        server = f"server {{ listen 127.0.0.1:{case.port} {kind} backlog=4096; {shown} {checked} {whole} {self.KEPT} }}"
        return self.requests_of(case, folder, server)

    # Connections to the upstream stay, as with the others.
    KEPT = 'location / { proxy_pass http://app; proxy_http_version 1.1; proxy_set_header connection ""; }'

    def requests_of(self, case, folder, server):
        to = f"upstream app {{ server 127.0.0.1:{case.upstream}; keepalive 256; keepalive_requests 1000000000; }}"
        log = f"access_log {folder}/access.log combined buffer=32k flush=1s; keepalive_requests 1000000000;"
        return self.whole(folder, f"http {{ {log} {to} {server} }}")

    def http(self, case, folder):
        kind = "http2" if case.http2 else ""
        return self.requests_of(case, folder, f"server {{ listen 127.0.0.1:{case.port} {kind} backlog=4096; {self.KEPT} }}")

    def requests(self, case, folder):
        return self.handshakes(case, folder)


class Origin(Peer):
    """What is behind the proxies where it is about requests: nginx answers so many bytes."""

    title, program = "origin", "nginx"

    def command(self, size, port, folder):
        # A word of its configuration has at most 4 KiB.
        parts, rest = divmod(size, 1024)
        answer = f"location / {{ set $k {'x' * 1024}; return 200 \"{'${k}' * parts}{'x' * rest}\"; }}"
        server = f"server {{ listen 127.0.0.1:{port} backlog=4096; {answer} }}"
        text = f"worker_processes 1; daemon off; pid {folder}/origin.pid; error_log {folder}/origin-error.log; events {{ worker_connections 8000; }}\n"
        text += f"http {{ access_log off; keepalive_requests 1000000000; {server} }}"
        return [self.program, "-c", written(folder, "origin.conf", text), "-p", folder]


class Relay(Peer):
    """Copies, and looks at nothing: what the kernel's part costs."""

    title, program, hint, rows = "bare relay", str(RELEASE / "wire"), "cargo build --release -p mesh-tests --bin wire", ("pass_through",)

    def pass_through(self, case, folder):
        return case

    def command(self, case, folder):
        return [self.program, "relay", f"127.0.0.1:{case.port}", f"127.0.0.1:{case.upstream}"]
