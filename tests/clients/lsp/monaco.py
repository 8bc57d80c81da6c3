#!/usr/bin/env python3
"""The editor core of VS Code, in Chromium, with its language client (monaco-languageclient), at the language server: findings,
suggestions, hover and formatting as a person sees them.

Arguments: the browser, the directory of the bundled page, the program, the directory of the mesh. Prints `ok` at the end.
"""

import asyncio
import http
import json
import pathlib
import subprocess
import sys
import threading
import time

import websockets.asyncio.server
from websockets.datastructures import Headers
from websockets.http11 import Response

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent))
import devtools

PATIENCE = 120
TYPES = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".json": "application/json"}
PAGE = """<!doctype html><meta charset="utf-8"><link rel="stylesheet" href="/page.css">
<div id="editor" style="width: 900px; height: 500px"></div><script type="module" src="/page.js"></script>"""


def answer(pages, mesh):
    """What is served beside the WebSocket."""
    files = {
        "/": ("text/html", PAGE.encode()),
        "/mesh": ("application/json", json.dumps({"root": str(mesh), "text": (mesh / "mesh.mesh").read_text()}).encode()),
    }
    for file in pages.iterdir():
        files["/" + file.name] = (TYPES.get(file.suffix, "application/octet-stream"), file.read_bytes())

    def process(_, request):
        if request.path == "/lsp":
            return None
        kind, body = files.get(request.path, ("text/plain", None))
        status = http.HTTPStatus.OK if body is not None else http.HTTPStatus.NOT_FOUND
        body = body or b""
        headers = Headers({"Content-Type": kind, "Content-Length": str(len(body)), "Connection": "close"})
        return Response(status.value, status.phrase, headers, body)

    return process


async def bridge(socket, program):
    """One language server for one page: messages of the WebSocket are its standard input and output."""
    server = await asyncio.create_subprocess_exec(
        program, "lsp", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )

    async def to_page():
        while header := await server.stdout.readline():
            length = None
            while header.strip():
                name, value = header.decode().split(":")
                if name.lower() == "content-length":
                    length = int(value)
                header = await server.stdout.readline()
            await socket.send((await server.stdout.readexactly(length)).decode())

    pump = asyncio.create_task(to_page())
    try:
        async for message in socket:
            body = message.encode()
            server.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
            await server.stdin.drain()
    finally:
        pump.cancel()
        server.kill()
        await server.wait()


def serve(pages, program, mesh):
    """The port at which all of this is."""
    ready = threading.Event()
    port = []

    async def run():
        handler = lambda socket: bridge(socket, program)
        async with websockets.asyncio.server.serve(
            handler, "127.0.0.1", 0, process_request=answer(pages, mesh), max_size=None
        ) as server:
            port.append(server.sockets[0].getsockname()[1])
            ready.set()
            await asyncio.get_running_loop().create_future()

    threading.Thread(target=lambda: asyncio.run(run()), daemon=True).start()
    assert ready.wait(PATIENCE)
    return port[0]


def until(browser, script, fits):
    """Waits until a script comes to something that fits."""
    end = time.monotonic() + PATIENCE
    while not fits(found := browser.run(script)):
        failed = browser.run("window.failed ?? null")
        assert failed is None, failed
        assert time.monotonic() < end, (script, found)
        time.sleep(0.05)
    return found


def look(browser, port):
    browser.open_page()
    gone = browser.ask("Page.navigate", url=f"http://127.0.0.1:{port}/")
    assert "errorText" not in gone, gone
    browser.wait("Page.loadEventFired")
    until(browser, "window.test !== undefined", lambda there: there)
    # A mistake that is typed is shown, and goes.
    browser.run("test.replace('shop.cart', 'shop.kart'), true")
    until(browser, "test.findings()", lambda found: found == ["E0103"])
    browser.run("test.replace('shop.kart', 'shop.cart'), true")
    until(browser, "test.findings()", lambda found: found == [])
    # What is suggested, in the editor's own list.
    browser.run("test.suggest('[shop.cart]', 1), true")
    until(browser, "test.suggested()", lambda rows: any("shop.cart" in row for row in rows))
    browser.run("test.hover('shop.cart', 6), true")
    until(browser, "test.hovered()", lambda text: "service shop.cart" in text)
    # Formatting, by the editor's own command.
    before = browser.run("test.text()")
    browser.run("test.replace('    calls    = ', 'calls='), true")
    until(browser, "test.text()", lambda text: text != before)
    browser.run("test.format().then(() => true)")
    until(browser, "test.text()", lambda text: text == before)


def main():
    program, pages, meshc, mesh = sys.argv[1:]
    port = serve(pathlib.Path(pages), meshc, pathlib.Path(mesh))
    with devtools.started(program) as browser:
        look(browser, port)
    print("ok")


main()
