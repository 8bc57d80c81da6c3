#!/usr/bin/env python3
"""A browser, Chromium without a window, at the TLS port of an ingress gateway: a page over HTTP/2, a WebSocket, and requests
to another origin that are allowed and refused (CORS). It is told what to do over the DevTools protocol.

Arguments: the browser, the address of the port, the certificate that its clients trust, and whether the end of a WebSocket is
`clean` or `reset`. Every name under `.example` is that address to the browser, and no other name is found. Prints `ok` at
the end.
"""

import base64
import hashlib
import json
import subprocess
import sys

import devtools

CONVERSE = """new Promise((done, failed) => {
  const heard = [], socket = new WebSocket('wss://page.example/room', ['one', 'two'])
  socket.onopen = () => { socket.send('first'); socket.send('second') }
  socket.onmessage = message => { heard.push(message.data); if (heard.length == 2) socket.close(4000, 'over') }
  socket.onclose = end => done({ heard, protocol: socket.protocol, code: end.code, clean: end.wasClean })
  socket.onerror = () => failed(new Error('no WebSocket'))
})"""

PUT = """fetch('https://api.example/PATH', { method: 'PUT', headers: { 'x-kind': 'gold' }, body: 'text' }).then(
  async answer => ({ status: answer.status, readable: answer.headers.get('x-served'), body: await answer.json() }),
  error => String(error))"""


def look(browser, end):
    browser.open_page()
    gone = browser.ask("Page.navigate", url="https://page.example/start")
    assert "errorText" not in gone, gone
    browser.wait("Page.loadEventFired")
    assert browser.run("performance.getEntriesByType('navigation')[0].nextHopProtocol") == "h2"
    page = json.loads(browser.run("document.body.innerText"))
    assert (page["service"], page["path"]) == ("shop.page", "/start"), page
    # Chromium sends "sec-fetch-mode: navigate", so this was no request of curl's.
    assert page["headers"]["sec-fetch-mode"] == "navigate", page

    said = browser.run(CONVERSE)
    assert said == {"heard": ["first", "second"], "protocol": "one", "code": 4000, "clean": end == "clean"}, said
    answer = browser.wait("Network.webSocketHandshakeResponseReceived")["response"]
    # It goes over the connection that there is, as an extended CONNECT, whose answer is 200 (RFC 8441).
    assert answer["status"] == 200, answer

    got = browser.run(PUT.replace("PATH", "open"))
    assert (got["status"], got["readable"]) == (200, "yes"), got
    assert (got["body"]["service"], got["body"]["method"]) == ("shop.api", "PUT"), got
    assert got["body"]["headers"]["x-kind"] == "gold" and got["body"]["received"] == 4, got
    missing, unlisted = "PreflightMissingAllowOriginHeader", "HeaderDisallowedByPreflightResponse"
    for path, reason in (("closed", missing), ("narrow", unlisted), ("silent", missing)):
        browser.events.clear()
        assert browser.run(PUT.replace("PATH", path)) == "TypeError: Failed to fetch", path
        failed = browser.wait("Network.loadingFailed")
        assert failed["corsErrorStatus"]["corsError"] == reason, (path, failed)


def key_of(certificate):
    """The hash of its public key, as Chromium takes it."""
    run = lambda *words, given=None: subprocess.run(["openssl", *words], input=given, check=True, capture_output=True).stdout
    key = run("x509", "-in", certificate, "-pubkey", "-noout")
    key = run("pkey", "-pubin", "-outform", "der", given=key)
    return base64.b64encode(hashlib.sha256(key).digest()).decode()


def main():
    program, address, certificate, end = sys.argv[1:]
    rules = f"--host-resolver-rules=MAP *.example {address},MAP * ~NOTFOUND"
    trusted = f"--ignore-certificate-errors-spki-list={key_of(certificate)}"
    with devtools.started(program, rules, trusted) as browser:
        look(browser, end)
    print("ok")


if __name__ == "__main__":
    main()
