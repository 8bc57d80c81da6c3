#!/usr/bin/env python3
"""Clients that people use, grpcio, websockets and curl, with servers of the same kinds behind sidecars.

Two servers are started at the addresses of two applications, and asked through a gateway and through a sidecar. Prints
`ok` at the end; whatever goes wrong ends it with a traceback.
"""

import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import grpc
import websockets.exceptions
import websockets.sync.client
import websockets.sync.server

from waiting import PATIENCE, error_of, eventually

DETAILS = 20_000
# grpcio itself takes no more than 16 KiB of metadata unless it is told to.
OPTIONS = [("grpc.max_metadata_size", 64 * 1024), ("grpc.absolute_max_metadata_size", 64 * 1024)]


class Service(grpc.GenericRpcHandler):
    """Echoes in all four ways, fails in all ways, and says how long it has."""

    def __init__(self):
        self.cancelled = threading.Event()

    def service(self, details):
        kinds = {
            "Unary": grpc.unary_unary_rpc_method_handler(lambda request, context: self.once(request, context)),
            "Lines": grpc.unary_stream_rpc_method_handler(lambda request, _: (request for _ in range(100))),
            "Count": grpc.stream_unary_rpc_method_handler(lambda requests, _: str(sum(map(len, requests))).encode()),
            "Talk": grpc.stream_stream_rpc_method_handler(lambda requests, _: (request.upper() for request in requests)),
            "Fail": grpc.unary_unary_rpc_method_handler(self.fail),
            "Left": grpc.unary_unary_rpc_method_handler(lambda _, context: str(context.time_remaining()).encode()),
            "Hang": grpc.unary_unary_rpc_method_handler(self.hang),
        }
        return kinds.get(details.method.rsplit("/", 1)[-1])

    def once(self, request, context):
        context.send_initial_metadata((("x-first", "1"),))
        context.set_trailing_metadata((("x-last", "2"), ("x-bytes-bin", bytes(range(256)))))
        return request

    def fail(self, request, context):
        code = next(code for code in grpc.StatusCode if code.value[0] == int(request))
        context.abort(code, "d" * DETAILS)

    def hang(self, _, context):
        over = threading.Event()
        context.add_callback(over.set)
        assert over.wait(PATIENCE), "nobody ended the call"
        self.cancelled.set()
        return b""


def call_all(address, host, service):
    """The four kinds of calls, all statuses, and deadlines."""
    options = [("grpc.default_authority", host), *OPTIONS]
    with grpc.insecure_channel(address, options=options) as channel:
        unary = lambda name: channel.unary_unary(f"/shop.Echo/{name}")
        eventually(lambda: unary("Left")(b"", timeout=PATIENCE))
        for size in (0, 10, 300_000):
            answer, call = unary("Unary").with_call(b"u" * size, timeout=PATIENCE)
            assert len(answer) == size
            assert dict(call.initial_metadata())["x-first"] == "1"
            assert dict(call.trailing_metadata())["x-bytes-bin"] == bytes(range(256))
        assert list(channel.unary_stream("/shop.Echo/Lines")(b"line", timeout=PATIENCE)) == [b"line"] * 100
        parts = (b"x" * 1000 for _ in range(200))
        assert channel.stream_unary("/shop.Echo/Count")(parts, timeout=PATIENCE) == b"200000"
        said = [f"word {number}".encode() for number in range(50)]
        answers = channel.stream_stream("/shop.Echo/Talk")(iter(said), timeout=PATIENCE)
        assert list(answers) == [word.upper() for word in said]
        for code in grpc.StatusCode:
            if code is grpc.StatusCode.OK:
                continue
            error = error_of(lambda: unary("Fail")(str(code.value[0]).encode(), timeout=PATIENCE))
            assert error.code() is code, (code, error)
            assert len(error.details()) == DETAILS, (code, len(error.details()))
        # Its clients round what they tell.
        left = float(unary("Left")(b"", timeout=20))
        assert 0 < left < 22, left
        service.cancelled.clear()
        error = error_of(lambda: unary("Hang")(b"", timeout=0.5))
        assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED, error
        assert service.cancelled.wait(PATIENCE), "the server still works for nobody"
        assert error_of(lambda: unary("Nothing")(b"", timeout=PATIENCE)).code() is grpc.StatusCode.UNIMPLEMENTED


def converse(connection):
    """An echo that ends with a code and a reason of its own when it is told to."""
    for message in connection:
        if message == "end":
            connection.close(4001, "as told")
            return
        connection.send(message)


def talk(address, host):
    """Texts, bytes, pings, a subprotocol, and both ends' own end."""
    place, port = address.rsplit(":", 1)
    connect = lambda: websockets.sync.client.connect(
        f"ws://{host}/room",
        sock=socket.create_connection((place, int(port))),
        subprotocols=["two", "one"],
        max_size=None,
        open_timeout=PATIENCE,
    )
    with eventually(connect) as connection:
        assert connection.subprotocol == "one", connection.subprotocol
        for message in ("text", "ä€", "", b"bytes", "t" * 300_000, bytes(1_000_000)):
            connection.send(message)
            assert connection.recv(PATIENCE) == message
        assert connection.ping().wait(PATIENCE)
    with connect() as connection:
        connection.send("end")
        try:
            raise AssertionError(connection.recv(PATIENCE))
        except websockets.exceptions.ConnectionClosed as closed:
            assert (closed.rcvd.code, closed.rcvd.reason) == (4001, "as told"), closed


def fetch(address, host, *words):
    """What curl prints of an answer: its version, its status and its body."""
    form = "\n%{http_version} %{response_code}"
    command = ["curl", "-sS", "--max-time", str(PATIENCE), "-w", form, "-H", f"Host: {host}", *words, f"http://{address}/"]
    body, last = subprocess.run(command, check=True, capture_output=True, text=True).stdout.rsplit("\n", 1)
    return last, body


def main():
    api, chat, ingress, api_call, chat_call = sys.argv[1:]
    service = Service()
    server = grpc.server(ThreadPoolExecutor(16), options=OPTIONS)
    server.add_generic_rpc_handlers((service,))
    assert server.add_insecure_port(api)
    server.start()
    place, port = chat.rsplit(":", 1)
    rooms = websockets.sync.server.serve(converse, place, int(port), subprotocols=["one"], max_size=None)
    threading.Thread(target=rooms.serve_forever, daemon=True).start()
    call_all(ingress, "api.example", service)
    call_all(api_call, "api.shop", service)
    talk(ingress, "chat.example")
    talk(chat_call, "chat.shop")
    for words, version in ((["--http1.1"], "1.1"), (["--http2-prior-knowledge"], "2")):
        assert fetch(ingress, "page.example", *words, "-d", "hello") [0] == f"{version} 200"
    rooms.shutdown()
    server.stop(0)
    print("ok")


main()
