#!/usr/bin/env python3
"""VS Code itself (code-server), in Chromium, with the packaged extension: it shows a mistake of a mesh and that it is gone.

Arguments: the browser, code-server, the extension, the program, a directory. Prints what it saw, and `ok` at the end.
"""

import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent))
import devtools

PATIENCE = 300


def until(browser, script, fits):
    """Waits until a script comes to something that fits."""
    end = time.monotonic() + PATIENCE
    while not fits(found := browser.run(script)):
        assert time.monotonic() < end, (script, found, browser.run("document.body.innerText.slice(0, 2000)"))
        time.sleep(0.2)
    return found


PROBLEMS = "document.getElementById('status.problems')?.textContent.trim() ?? ''"
MISTAKES = "document.querySelectorAll('.squiggly-error').length"


def look(browser, url, entry):
    browser.open_page()
    gone = browser.ask("Page.navigate", url=url)
    assert "errorText" not in gone, gone
    until(browser, "document.querySelectorAll('.view-line').length", lambda lines: lines > 3)
    until(browser, MISTAKES, lambda mistakes: mistakes > 0)
    print("one mistake:", until(browser, PROBLEMS, lambda text: text.startswith("1")))
    entry.write_text(entry.read_text().replace("shop.kart", "shop.cart"))
    until(browser, MISTAKES, lambda mistakes: mistakes == 0)
    print("without it:", until(browser, PROBLEMS, lambda text: text.startswith("0")))


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def main():
    program, code_server, extension, meshc, folder = sys.argv[1:]
    folder, port = pathlib.Path(folder).resolve(), free_port()
    entry = folder / "mesh.mesh"
    entry.write_text(entry.read_text().replace("shop.cart", "shop.kart"))
    with tempfile.TemporaryDirectory() as home:
        home = pathlib.Path(home)
        settings = home / "data/User/settings.json"
        settings.parent.mkdir(parents=True)
        options = {
            "mesh.server.path": meshc,
            "security.workspace.trust.enabled": False,
            "workbench.startupEditor": "none",
            "telemetry.telemetryLevel": "off",
        }
        settings.write_text(json.dumps(options))
        places = [f"--user-data-dir={home}/data", f"--extensions-dir={home}/extensions"]
        environment = {**os.environ, "HOME": str(home)}
        subprocess.run([code_server, *places, "--install-extension", extension], check=True, env=environment)
        words = ["--auth=none", "--disable-telemetry", "--disable-update-check", f"--bind-addr=127.0.0.1:{port}"]
        server = subprocess.Popen([code_server, *places, *words], env=environment)
        try:
            end = time.monotonic() + PATIENCE
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port)).close()
                    break
                except OSError:
                    assert server.poll() is None and time.monotonic() < end, "code-server does not start"
                    time.sleep(0.2)
            payload = json.dumps([["openFile", f"vscode-remote://127.0.0.1:{port}{entry}"]])
            with devtools.started(program, "--window-size=1400,900") as browser:
                look(browser, f"http://127.0.0.1:{port}/?folder={folder}&payload={payload}", entry)
        finally:
            server.kill()
            server.wait()
    print("ok")


main()
