"""The effect of security headers in a real browser."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import httpx2
import pytest

from accounts import Account
from s3tools.browser import Browser, browsing, chromedriver
from waiting import wait_until


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    with browsing(chromedriver(), tmp_path) as browser:
        yield browser


@contextmanager
def somebodys_page(html: str) -> Iterator[str]:
    """A page of another site: `localhost` is a different origin and site than 127.0.0.1."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = html.encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *words: object) -> None:
            """Quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://localhost:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


def test_the_docs_page_works_under_its_policy_and_no_other_script_does(
    http: httpx2.Client, browser: Browser
) -> None:
    browser.open(f"{http.base_url}/docs")
    wait_until(lambda: browser.sees("/users/me/token"))
    browser.run(
        """window.violated = [];
        document.addEventListener('securitypolicyviolation', event => violated.push(event.violatedDirective));
        const script = document.createElement('script');
        script.textContent = 'window.injected = 1';
        document.body.append(script)"""
    )

    wait_until(lambda: bool(browser.run("return violated")))
    assert browser.run("return violated") == ["script-src-elem"]
    assert browser.run("return window.injected ?? null") is None


def test_a_link_plays_in_a_tab_of_its_own_and_on_anybodys_page(account: Account, browser: Browser) -> None:
    link = account.recording(seconds=2)["url"]
    browser.open(link)
    wait_until(lambda: browser.run("return document.querySelector('video, audio').readyState") == 4)

    with somebodys_page(f'<audio src="{link}" preload="auto"></audio>') as page:
        browser.open(page)
        wait_until(lambda: browser.run("return document.querySelector('audio').readyState") == 4)


def test_anybodys_page_can_read_nothing_else(account: Account, browser: Browser) -> None:
    link = account.recording()["url"]
    service = str(account.http.base_url)
    with somebodys_page("<p>hello</p>") as page:
        browser.open(page)
        for url in (link, f"{service}/records", f"{service}/metrics"):
            for mode in ("cors", "no-cors"):
                read = browser.run(
                    """const done = fetch(arguments[0], {mode: arguments[1]})
                    return done.then(answer => answer.text(), () => 'refused')""",
                    url,
                    mode,
                )
                # Without CORS, fetch() returns an opaque, empty response if the policy allows it.
                assert read in ("refused", "")
                assert (read == "") == (mode == "no-cors" and url == link)
