"""A browser session with W3C WebDriver, which chromedriver implements over HTTP."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from needs import skip_or_fail, skip_unless_required
from ports import reserved_ports
from waiting import wait_until


@dataclass(frozen=True)
class Browser:
    """A browser. Methods find elements by XPath and wait for them."""

    http: httpx2.Client
    session: str
    downloads: Path

    def open(self, url: str) -> None:
        self._post("/url", url=url)

    def write(self, xpath: str, text: str) -> None:
        self._post(f"/element/{self._find(xpath)}/value", text=text)

    def click(self, xpath: str) -> None:
        self._post(f"/element/{self._find(xpath)}/click")

    def sees(self, text: str) -> bool:
        return text in str(self.run("return document.body.innerText"))

    def run(self, script: str, *arguments: object) -> Any:
        """Runs a script in the open page and returns its result."""
        return self._post("/execute/sync", script=script, args=arguments).json()["value"]

    def _find(self, xpath: str) -> str:
        found: list[str] = []

        def there() -> bool:
            answer = self._post("/element", using="xpath", value=xpath)
            if answer.status_code == 200:
                found.extend(answer.json()["value"].values())
            return bool(found)

        wait_until(there)
        return found[0]

    def _post(self, path: str, **body: object) -> httpx2.Response:
        return self.http.post(f"/session/{self.session}{path}", json=body)


def chromedriver() -> str:
    """Its path. Skips the test unless `browser` is required, and fails it if there is none."""
    skip_unless_required("browser")
    named = os.environ.get("PIGWAV_CHROMEDRIVER") or shutil.which("chromedriver")
    return named or skip_or_fail("browser", "there is no `chromedriver` on the PATH")


@contextmanager
def browsing(driver: str, folder: Path) -> Iterator[Browser]:
    with (
        reserved_ports(1) as (port,),
        subprocess.Popen(
            [driver, f"--port={port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as process,
        httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as http,
    ):
        try:
            wait_until(lambda: _is_ready(http))
            answer = http.post("/session", json={"capabilities": {"alwaysMatch": _wanted(folder)}})
            assert answer.status_code == 200, answer.text
            session = answer.json()["value"]["sessionId"]
            yield Browser(http, session, folder)
            http.delete(f"/session/{session}")
        finally:
            process.terminate()


def _wanted(folder: Path) -> dict[str, Any]:
    # No sandbox: tests may run as root, and open only our own pages.
    arguments = ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--no-proxy-server"]
    preferences = {"download.default_directory": str(folder)}
    return {"goog:chromeOptions": {"args": [*arguments, "--window-size=1400,1000"], "prefs": preferences}}


def _is_ready(http: httpx2.Client) -> bool:
    try:
        return bool(http.get("/status").json()["value"]["ready"])
    except httpx2.TransportError:
        return False
