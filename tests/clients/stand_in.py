#!/usr/bin/env python3
"""Clients that people use, with the stand-in applications of `meshc up`: grpcio with its own stubs for health and its own
reader of reflection, which finds the messages of the echo; websockets.

Arguments: the ingress, the calls of two services, the application of the second, and meshc. Prints `ok` at the end.
"""

import json
import queue
import socket
import subprocess
import sys

import grpc
import websockets.exceptions
import websockets.sync.client
from google.protobuf import descriptor_pool, message_factory
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from waiting import PATIENCE, error_of, eventually

SERVING, NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING
WEB = "spiffe://cluster.local/ns/shop/sa/web"


class Echo:
    """The echo as its own description says it is."""

    def __init__(self, channel):
        pool = descriptor_pool.DescriptorPool(ProtoReflectionDescriptorDatabase(channel))
        for method in pool.FindServiceByName("meshc.v1.Echo").methods:
            kind = "stream" if method.client_streaming else "unary", "stream" if method.server_streaming else "unary"
            call = getattr(channel, "_".join(kind))(
                f"/meshc.v1.Echo/{method.name}",
                request_serializer=message_factory.GetMessageClass(method.input_type).SerializeToString,
                response_deserializer=message_factory.GetMessageClass(method.output_type).FromString,
            )
            setattr(self, method.name.lower(), call)
            self.request = message_factory.GetMessageClass(method.input_type)


def channel_to(address, host):
    options = [("grpc.default_authority", host), ("grpc.max_metadata_size", 64 * 1024)]
    # The proxies are asked again at once after a failure, and not only seconds later.
    options += [("grpc.min_reconnect_backoff_ms", 100), ("grpc.max_reconnect_backoff_ms", 200)]
    options += [("grpc.absolute_max_metadata_size", 64 * 1024)]
    return grpc.insecure_channel(address, options=options)


def echoed(channel):
    """The four kinds of calls, all statuses, and delays; returns who calls, as the application is told."""
    echo = Echo(channel)
    asked = echo.request
    answer = echo.say(asked(text="hello"), metadata=[("x-tone", "low")], timeout=PATIENCE)
    assert (answer.text, answer.service, answer.cluster) == ("hello", "shop.api", "west"), answer
    assert answer.metadata["x-tone"] == "low", answer
    caller = answer.caller
    answer = echo.collect((asked(text=f"{number}") for number in range(100)), timeout=PATIENCE)
    assert (answer.received, answer.text) == (100, "\n".join(map(str, range(100)))), answer
    answers = list(echo.repeat(asked(text="again", times=50), timeout=PATIENCE))
    assert [answer.text for answer in answers] == ["again"] * 50
    # Each is answered before the next is said.
    words = queue.SimpleQueue()
    answers = echo.talk(iter(words.get, None), timeout=PATIENCE)
    for number in range(20):
        words.put(asked(text=f"word {number}"))
        answer = next(answers)
        assert (answer.text, answer.received) == (f"word {number}", number + 1), answer
    words.put(None)
    assert list(answers) == []
    for code in grpc.StatusCode:
        if code is grpc.StatusCode.OK:
            continue
        failing = asked(status=code.value[0], message="m" * 20_000, times=3)
        error = error_of(lambda: echo.say(failing, timeout=PATIENCE))
        assert (error.code(), len(error.details())) == (code, 20_000), (code, error.code(), error.details()[:200])
    answers = echo.repeat(asked(times=3, status=5, message="over"), timeout=PATIENCE)
    assert [next(answers).received for _ in range(3)] == [1, 1, 1]
    error = error_of(lambda: next(answers))
    assert (error.code(), error.details()) == (grpc.StatusCode.NOT_FOUND, "over"), error
    error = error_of(lambda: echo.say(asked(status=17), timeout=PATIENCE))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT, error
    late = error_of(lambda: echo.say(asked(delay_ms=60_000), timeout=0.5))
    assert late.code() is grpc.StatusCode.DEADLINE_EXCEEDED, late
    # It stands in for any service, so it has every method.
    for kind in ("unary_unary", "unary_stream"):
        answer = getattr(channel, kind)("/shop.Api/Get")(b"anything", timeout=PATIENCE)
        assert (answer if kind == "unary_unary" else b"".join(answer)) == b""
    _, call = channel.unary_unary("/shop.Api/Get").with_call(b"anything", timeout=PATIENCE)
    told = json.loads(dict(call.trailing_metadata())["x-answer"])
    assert (told["service"], told["path"], told["received"]) == ("shop.api", "/shop.Api/Get", 5 + 8), told
    return caller


def described(channel):
    """Under both names of reflection there are the same services."""
    asked = reflection_pb2.ServerReflectionRequest(list_services="")
    known = ["grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection"]
    known += ["grpc.reflection.v1alpha.ServerReflection", "meshc.v1.Echo"]
    for version in ("v1", "v1alpha"):
        call = channel.stream_stream(
            f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo",
            request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
            response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
        )
        (answer,) = call(iter([asked]), timeout=PATIENCE)
        assert sorted(it.name for it in answer.list_services_response.service) == known, answer


def healthy(channel):
    stub = health_pb2_grpc.HealthStub(channel)
    for service in ("", "meshc.v1.Echo", "shop.Api"):
        answer = stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=PATIENCE)
        assert answer.status == SERVING, (service, answer)
    listed = stub.List(health_pb2.HealthListRequest(), timeout=PATIENCE).statuses
    assert listed["meshc.v1.Echo"].status == SERVING and "" in listed, listed


def failing(channel, address, host, switch):
    """What `meshc fail` does to calls and conversations that are under way, and to those that come."""
    echo, stub = Echo(channel), health_pb2_grpc.HealthStub(channel)
    say = lambda timeout=PATIENCE: echo.say(echo.request(text="still"), timeout=timeout)
    watch = stub.Watch(health_pb2.HealthCheckRequest(), timeout=PATIENCE * 4)
    assert next(watch).status == SERVING
    switch("fail", "api", "--how", "error")
    assert next(watch).status == NOT_SERVING
    error = error_of(say)
    assert (error.code(), error.details()) == (grpc.StatusCode.INTERNAL, "told to fail"), error
    switch("heal", "api")
    assert next(watch).status == SERVING
    switch("fail", "api", "--how", "hang")
    assert error_of(lambda: say(0.5)).code() is grpc.StatusCode.DEADLINE_EXCEEDED
    switch("heal", "api")
    assert eventually(say).text == "still"
    switch("fail", "api", "--how", "gone")
    # An answer that has begun is reset, which grpcio calls INTERNAL.
    error = error_of(lambda: next(watch))
    assert error.code() is grpc.StatusCode.INTERNAL and "RST_STREAM" in error.details(), error
    error = error_of(say)
    assert error.code() is grpc.StatusCode.UNAVAILABLE, error
    switch("heal", "api")
    assert eventually(say).text == "still"

    with connect(address, host) as conversation:
        switch("fail", "chat", "--how", "hang")
        conversation.send("wait")
        try:
            raise AssertionError(conversation.recv(0.5))
        except TimeoutError:
            pass
        switch("heal", "chat")
        assert conversation.recv(PATIENCE) == "wait"
        switch("fail", "chat", "--how", "error")
        conversation.send("text")
        closed = end_of(conversation)
        assert (closed.rcvd.code, closed.rcvd.reason) == (1011, "told to fail"), closed
    try:
        with connect(address, host) as conversation:
            raise AssertionError(conversation)
    except websockets.exceptions.InvalidStatus as refused:
        assert refused.response.status_code == 500, refused
    switch("heal", "chat")
    with connect(address, host) as conversation:
        switch("fail", "chat", "--how", "gone")
        end_of(conversation)
    switch("heal", "chat")


def end_of(conversation):
    try:
        raise AssertionError(conversation.recv(PATIENCE))
    except websockets.exceptions.ConnectionClosed as closed:
        return closed


def connect(address, host):
    place, port = address.rsplit(":", 1)
    return websockets.sync.client.connect(
        f"ws://{host}/room",
        sock=socket.create_connection((place, int(port))),
        subprotocols=["two", "one"],
        max_size=None,
        open_timeout=PATIENCE,
        close_timeout=PATIENCE,
    )


def conversed(address, host):
    with connect(address, host) as connection:
        assert connection.subprotocol == "two", connection.subprotocol
        for message in ("text", "ä€", "", b"bytes", "t" * 300_000, bytes(1_000_000)):
            connection.send(message)
            assert connection.recv(PATIENCE) == message
        connection.send(["in ", "three ", "parts"])
        assert connection.recv(PATIENCE) == "in three parts"
        assert connection.ping().wait(PATIENCE)


def main():
    ingress, api_call, chat_call, chat, meshc = sys.argv[1:]

    def switch(word, service, *how):
        subprocess.run([meshc, word, service, "--in", "west", *how], check=True, stdout=subprocess.DEVNULL)

    with channel_to(ingress, "api.example") as outside, channel_to(api_call, "api.shop") as inside:
        assert echoed(inside) == WEB
        assert echoed(outside) not in ("", WEB), "the gateway calls for its clients"
        for channel in (outside, inside):
            described(channel)
            healthy(channel)
        # Without a sidecar, on a port of HTTP, where HTTP/2 is told by its first bytes.
        with channel_to(chat, "chat") as alone:
            echo = Echo(alone)
            assert echo.say(echo.request(text="alone"), timeout=PATIENCE).caller == ""
        conversed(ingress, "chat.example")
        conversed(chat_call, "chat.shop")
        failing(inside, chat_call, "chat.shop", switch)
    print("ok")


main()
