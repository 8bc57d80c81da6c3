#!/usr/bin/env python3
"""The page that `meshc docs --format html` writes, as a reader uses it: types into the search, goes to what is found, and
looks at it in light and dark.

Arguments: the browser, the page, and a directory for pictures of it. Prints `ok` at the end.
"""

import base64
import pathlib
import sys

import devtools

KEYS = {"Enter": 13, "Escape": 27, "ArrowDown": 40, "ArrowUp": 38}

SHOWN = """[...document.querySelectorAll('#results li')].map(row => ({
  title: row.querySelector('b')?.textContent, what: row.querySelector('.what')?.textContent,
  place: row.querySelector('i')?.textContent, chosen: row.getAttribute('aria-selected') == 'true' }))"""

OPEN = "!document.getElementById('results').hidden"


class Page:
    def __init__(self, browser, url, pictures):
        self.browser, self.pictures = browser, pictures
        browser.open_page()
        browser.ask("Emulation.setDeviceMetricsOverride", width=1280, height=860, deviceScaleFactor=1, mobile=False)
        gone = browser.ask("Page.navigate", url=url)
        assert "errorText" not in gone, gone
        browser.wait("Page.loadEventFired")

    def press(self, key):
        code = KEYS.get(key, 0)
        text = {} if code else {"text": key}
        self.browser.ask("Input.dispatchKeyEvent", type="keyDown", key=key, windowsVirtualKeyCode=code, **text)
        self.browser.ask("Input.dispatchKeyEvent", type="keyUp", key=key, windowsVirtualKeyCode=code)

    def type(self, text):
        for letter in text:
            self.press(letter)

    def run(self, script):
        return self.browser.run(script)

    def picture(self, name):
        data = self.browser.ask("Page.captureScreenshot", format="png")["data"]
        (self.pictures / f"{name}.png").write_bytes(base64.b64decode(data))

    def settled(self):
        """After the next two frames."""
        self.run("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))")


def look(page):
    assert page.run("document.title") == "Reference of the mesh language"
    assert page.run("document.activeElement.id") != "query"
    page.picture("top")

    # `/` begins a search; what is typed is found while it is typed.
    page.press("/")
    assert page.run("document.activeElement.id") == "query"
    page.type("retry_budget")
    rows = page.run(SHOWN)
    assert rows[0] == {"title": "retry_budget", "what": "attribute", "place": "namespace › policy › pool", "chosen": True}, rows
    page.press("Enter")
    page.settled()
    assert page.run("decodeURIComponent(location.hash)") == "#namespace--policy--pool.retry_budget"
    assert not page.run(OPEN)
    top = page.run("document.querySelector(':target').getBoundingClientRect().top")
    assert 50 <= top <= 860, top
    here = page.run("document.querySelector('nav a.here').textContent")
    assert here == "pool", here
    page.picture("attribute")

    # The arrows choose, and a block goes before its attributes.
    page.press("/")
    page.run("document.getElementById('query').value = ''")
    page.type("gateway")
    rows = page.run(SHOWN)
    assert rows[0]["title"] == "cluster › gateway" and rows[0]["what"] == "block", rows[:3]
    page.press("ArrowDown")
    assert [row["chosen"] for row in page.run(SHOWN)][:3] == [False, True, False]
    page.press("ArrowUp")
    page.picture("search")
    page.press("Enter")
    page.settled()
    assert page.run("location.hash") == "#cluster--gateway", page.run("location.hash")

    # Codes are found by their number and by their words, words by themselves, templates by a part of their names.
    for typed, title, what in (
        ("E0301", "E0301", "code"),
        ("least_request", "least_request", "word"),
        ("per_caller", "std.rate_limit.per_caller", "template"),
        ("max_ejected outlier", "max_ejected", "attribute"),
    ):
        page.press("/")
        page.run("document.getElementById('query').value = ''")
        page.type(typed)
        first = page.run(SHOWN)[0]
        assert first["title"].startswith(title) and first["what"] == what, (typed, first)
        page.press("Escape")
        assert not page.run(OPEN)

    page.press("/")
    page.type("qqqq")
    assert page.run("document.querySelector('#results .none').textContent") == "Nothing is called so."
    page.press("Escape")

    # Dark by what the system says, and by the button.
    paper = "getComputedStyle(document.body).backgroundColor"
    assert page.run(paper) == "rgb(255, 255, 255)"
    page.browser.ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark"}])
    assert page.run(paper) == "rgb(20, 24, 31)"
    page.picture("dark")
    page.run("document.getElementById('theme').click(), true")
    assert page.run(paper) == "rgb(255, 255, 255)"

    # On a narrow screen nothing is wider than it, and the contents open and close.
    page.browser.ask("Emulation.setDeviceMetricsOverride", width=390, height=800, deviceScaleFactor=1, mobile=True)
    page.settled()
    assert page.run("document.documentElement.scrollWidth") <= 390
    visible = "getComputedStyle(document.getElementById('contents')).display != 'none'"
    assert not page.run(visible)
    page.run("document.getElementById('menu').click(), true")
    assert page.run(visible)
    page.picture("narrow")

    # Sources have their colours, and no request left the page.
    colours = "new Set([...document.querySelectorAll('pre span')].map(one => one.className)).size"
    assert page.run(colours) == 6, page.run(colours)
    asked = [event["params"]["request"]["url"] for event in page.browser.events
             if event.get("method") == "Network.requestWillBeSent"]
    assert all(url.startswith("file:") for url in asked) and len(asked) == 1, asked
    errors = [event for event in page.browser.events if event.get("method") == "Runtime.exceptionThrown"]
    assert not errors, errors


def main():
    program, page, pictures = sys.argv[1:]
    with devtools.started(program) as browser:
        look(Page(browser, pathlib.Path(page).as_uri(), pathlib.Path(pictures)))
    print("ok")


main()
