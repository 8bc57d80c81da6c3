"""A stand-in application: answers with who it is and what it was told; fails while a file says so.

The answer to `/slow/N` takes N s.
"""

import http.server
import json
import os
import socket
import socketserver
import sys
import time

SERVICE, CLUSTER, PORT, SWITCH, POD, OWN = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4], sys.argv[5], sys.argv[6]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Head and body are sent one by one, and the second would wait for the first one's acknowledgement.
    disable_nagle_algorithm = True

    def do_GET(self):
        failing = os.path.exists(SWITCH)
        told = {name.lower(): value for name, value in self.headers.items()}
        certificate = told.get("x-forwarded-client-cert", "")
        callers = [part[4:] for part in certificate.split(";") if part.startswith("URI=")]
        body = json.dumps(
            {"pod": POD, "service": SERVICE, "cluster": CLUSTER, "caller": "".join(callers), "path": self.path, "headers": told}
        ).encode()
        self.send_response(500 if failing else 200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        if self.path.startswith("/slow/"):
            print(self.path, flush=True)
            # A byte a second: an answer that is never silent for long.
            for _ in range(int(self.path.removeprefix("/slow/"))):
                self.wfile.write(body[:1])
                body = body[1:]
                time.sleep(1)
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    # As many connections as a mesh may open at once; five by default.
    request_queue_size = 128
    address_family = socket.AF_INET6 if ":" in OWN else socket.AF_INET

    def server_bind(self):
        if self.address_family == socket.AF_INET6:
            # As nginx does: connections over IPv4 are not for it.
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        # Without asking the DNS for a name of its own.
        socketserver.TCPServer.server_bind(self)


Server((OWN, PORT), Handler).serve_forever()
