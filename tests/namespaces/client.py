"""Kept connections under load, until the server asks each to leave: HTTP/1.1 or HTTP/2, one request at a time on each.

Reads a JSON specification from its argument and prints one JSON line:

    answered   answers that came whole
    told       connections on which the server announced its end (`connection: close`, GOAWAY)
    lost       requests that were sent and got no whole answer, and why
    dropped    connections that ended between two requests without a word
    refused    connections that could not be opened
"""

import json
import select
import socket
import struct
import sys
import threading
import time

SPECIFICATION = json.loads(sys.argv[1])
END = time.monotonic() + SPECIFICATION["seconds"]
COUNTED = {"answered": 0, "told": 0, "lost": [], "dropped": 0, "refused": 0, "statuses": {}}
LOCK = threading.Lock()


def count(what, more=1):
    with LOCK:
        COUNTED[what] += more


class Gone(Exception):
    """The connection ended."""


class Connection:
    """What both versions share: bytes, exactly as many as asked for."""

    def __init__(self):
        self.socket = socket.create_connection((SPECIFICATION["address"], SPECIFICATION["port"]), timeout=60)
        self.told = False
        self.rest = b""

    def more(self):
        part = self.socket.recv(65536)
        if not part:
            raise Gone("the connection ended")
        self.rest += part

    def take(self, length):
        while len(self.rest) < length:
            self.more()
        taken, self.rest = self.rest[:length], self.rest[length:]
        return taken

    def readable(self, seconds):
        return bool(self.rest) or bool(select.select([self.socket], [], [], seconds)[0])


class Http1(Connection):
    def ask(self, path):
        head = f"GET {path} HTTP/1.1\r\nhost: {SPECIFICATION['host']}\r\n\r\n"
        self.socket.sendall(head.encode())
        while b"\r\n\r\n" not in self.rest:
            self.more()
        head, _, self.rest = self.rest.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").lower().split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines[1:])
        if "chunked" in headers.get("transfer-encoding", ""):
            while True:
                while b"\r\n" not in self.rest:
                    self.more()
                size, _, self.rest = self.rest.partition(b"\r\n")
                self.take(int(size, 16) + 2)
                if int(size, 16) == 0:
                    break
        else:
            self.take(int(headers.get("content-length", "0")))
        self.told = headers.get("connection") == "close"
        return lines[0].split(" ")[1]

    def idle(self, seconds):
        """Waits; nothing may come."""
        if self.readable(seconds):
            self.more()


class Http2(Connection):
    """As much of RFC 9113 as one request at a time needs."""

    def __init__(self):
        super().__init__()
        self.stream = -1
        self.socket.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + self.frame(4, 0, 0, b""))

    @staticmethod
    def frame(kind, flags, stream, payload):
        return struct.pack("!I", len(payload))[1:] + struct.pack("!BBI", kind, flags, stream) + payload

    @staticmethod
    def literal(index, value):
        # A literal without indexing whose name is in the static table (RFC 7541, section 6.2.2).
        value = value.encode()
        assert index < 15 and len(value) < 127
        return bytes([index, len(value)]) + value

    def ask(self, path):
        self.stream += 2
        # :method GET and :scheme http are entries 2 and 6 of the static table; :authority is 1, :path 4.
        block = b"\x82\x86" + self.literal(1, SPECIFICATION["host"]) + self.literal(4, path)
        self.socket.sendall(self.frame(1, 0x5, self.stream, block))
        status = "?"
        while True:
            kind, flags, stream, payload = self.read()
            if kind == 1 and stream == self.stream:
                # Entry 8 is `:status: 200`.
                status = "200" if payload[:1] == b"\x88" else "other"
            if kind == 3 and stream == self.stream:
                raise Gone("the stream was reset")
            if kind in (0, 1) and stream == self.stream and flags & 1:
                return status

    def read(self):
        head = self.take(9)
        length = int.from_bytes(head[:3], "big")
        kind, flags, stream = struct.unpack("!BBI", head[3:])
        payload = self.take(length)
        if kind == 4 and not flags & 1:
            self.socket.sendall(self.frame(4, 1, 0, b""))
        elif kind == 6 and not flags & 1:
            self.socket.sendall(self.frame(6, 1, 0, payload))
        elif kind == 7:
            self.told = True
        elif kind == 0 and payload:
            more = struct.pack("!I", len(payload))
            self.socket.sendall(self.frame(8, 0, 0, more) + self.frame(8, 0, stream, more))
        return kind, flags, stream, payload

    def idle(self, seconds):
        end = time.monotonic() + seconds
        while not self.told and self.readable(max(0.0, end - time.monotonic())):
            self.read()


def one(path):
    try:
        connection = {"1.1": Http1, "2": Http2}[SPECIFICATION["protocol"]]()
    except OSError:
        count("refused")
        return
    while True:
        try:
            status = connection.ask(path)
        except (OSError, Gone) as error:
            with LOCK:
                COUNTED["lost"].append(f"{path}: {error}")
            return
        with LOCK:
            COUNTED["answered"] += 1
            COUNTED["statuses"][status] = COUNTED["statuses"].get(status, 0) + 1
        try:
            if not connection.told and time.monotonic() < END:
                connection.idle(0.5)
        except (OSError, Gone):
            # An announcement may come together with the end.
            count("told" if connection.told else "dropped")
            return
        if connection.told:
            count("told")
            return
        if time.monotonic() >= END:
            return
        path = SPECIFICATION["path"]


paths = [SPECIFICATION["path"]] * SPECIFICATION["connections"] + SPECIFICATION["slow"]
threads = [threading.Thread(target=one, args=(path,)) for path in paths]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(json.dumps(COUNTED), flush=True)
