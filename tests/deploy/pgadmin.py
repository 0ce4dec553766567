"""A client of pgAdmin's web interface."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx2

from waiting import wait_until


@dataclass(frozen=True)
class PgAdmin:
    """A logged-in session."""

    http: httpx2.Client

    def servers(self) -> dict[str, int]:
        """Ids by name of the servers in the first group."""
        return {node["label"]: node["_id"] for node in self._data("GET", "/browser/server/nodes/1/")}

    def connect(self, server: int) -> dict:
        """Connects to a server without sending a password."""
        return self._data("POST", f"/browser/server/connect/1/{server}")

    def _data(self, method: str, path: str) -> dict:
        answer = self.http.request(method, path)
        assert answer.status_code == 200, answer.text
        return answer.json().get("data") or answer.json()["result"]


@contextmanager
def logged_in(url: str, email: str, password: str) -> Iterator[PgAdmin]:
    with httpx2.Client(base_url=url, follow_redirects=True, timeout=60) as http:
        answer = http.post("/authenticate/login", data=_form(http) | {"email": email, "password": password})
        assert answer.url.path == "/browser/", "pgAdmin refused the login"
        token = re.search(r"\['csrf_token'\] = '([^']+)'", http.get("/browser/js/utils.js").text)
        assert token
        http.headers["X-pgA-CSRFToken"] = token[1]
        yield PgAdmin(http)


def _form(http: httpx2.Client) -> dict[str, str]:
    page = http.get("/login")
    assert page.status_code == 200
    assert "pgAdmin 4" in page.text
    token = re.search(r'"csrfToken": "([^"]+)"', page.text)
    assert token
    return {"csrf_token": token[1], "internal_button": "Login"}


def shows_its_login_page(url: str) -> bool:
    try:
        return httpx2.get(f"{url}/login", timeout=10).status_code == 200
    except httpx2.TransportError:
        return False


def until_it_shows_its_login_page(url: str) -> None:
    wait_until(lambda: shows_its_login_page(url), within_s=60)
