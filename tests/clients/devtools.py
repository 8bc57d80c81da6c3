"""Chromium without a window, told what to do over the DevTools protocol. Used by the other clients here."""

import contextlib
import itertools
import json
import re
import subprocess
import tempfile

import websockets.sync.client

PATIENCE = 60


class Browser:
    """A connection to it."""

    def __init__(self, url):
        self.socket = websockets.sync.client.connect(url, max_size=None, open_timeout=PATIENCE, legacy=True)
        self.numbers = itertools.count()
        self.session = None
        self.events = []

    def ask(self, method, **params):
        number = next(self.numbers)
        request = {"id": number, "method": method, "params": params}
        if self.session:
            request["sessionId"] = self.session
        self.socket.send(json.dumps(request))
        while True:
            message = json.loads(self.socket.recv(PATIENCE))
            if message.get("id") == number:
                assert "result" in message, message
                return message["result"]
            self.events.append(message)

    def wait(self, method):
        """The first event of this kind that has not been waited for."""
        while True:
            for place, event in enumerate(self.events):
                if event.get("method") == method:
                    return self.events.pop(place)["params"]
            self.events.append(json.loads(self.socket.recv(PATIENCE)))

    def run(self, script):
        """What a script of the page comes to."""
        result = self.ask("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in result, result
        return result["result"]["value"]

    def open_page(self):
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Runtime"):
            self.ask(f"{domain}.enable")


@contextlib.contextmanager
def started(program, *options):
    """A browser with further options, until the end of the block."""
    with tempfile.TemporaryDirectory() as home:
        command = [
            program,
            "--headless",
            # In containers and as root there is none to be had.
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-background-networking",
            "--disable-component-update",
            "--no-first-run",
            "--no-proxy-server",
            f"--user-data-dir={home}",
            "--remote-debugging-port=0",
            *options,
            "about:blank",
        ]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        try:
            said = []
            for line in process.stderr:
                said.append(line)
                if found := re.search(r"DevTools listening on (ws://127\.0\.0\.1:\S+)", line):
                    break
            else:
                raise AssertionError("".join(said))
            yield Browser(found[1])
        finally:
            process.kill()
            process.wait()
