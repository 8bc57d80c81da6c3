"""What the clients here share: how long they wait, and for what."""

import time

import grpc
import websockets.exceptions

PATIENCE = 30


def eventually(attempt):
    """Until the proxies have noticed that there is a server again."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            return attempt()
        except (grpc.RpcError, websockets.exceptions.InvalidStatus):
            if time.monotonic() > end:
                raise
            time.sleep(0.1)


def error_of(call):
    try:
        answer = call()
    except grpc.RpcError as error:
        return error
    raise AssertionError(f"answered with {answer!r}")
