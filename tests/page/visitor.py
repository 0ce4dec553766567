"""A person at the page, and what the page did while the person looked."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from accounts import Account

if TYPE_CHECKING:
    from playwright.sync_api import ConsoleMessage, Page, Request


@dataclass
class Visitor:
    """`page` is a tab. `address` is the page's URL, with a slash at the end."""

    page: Page
    address: str
    account: Account | None = None
    errors: list[str] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.set_default_timeout(15_000)
        self.page.on("console", self._note)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request))  # noqa: PLW0108 - Playwright marks it

    def visit(self, path: str = "") -> None:
        self.page.goto(self.address + path)

    def sign_in(self, account: Account) -> None:
        """Opens the page as this user, without the form."""
        self.account = account
        self.page.goto(f"{self.address}page/icon.svg")
        user = {"id": account.id, "name": "Anna", "token": account.token}
        self.page.evaluate("user => localStorage.setItem('pigwav.user', user)", json.dumps(user))
        self.visit()

    def assert_nothing_leaked(self) -> None:
        """No violation of the content policy, no error, no other origin, and the token in no URL and no Referer."""
        assert not self.errors, self.errors
        origin = urlsplit(self.address).netloc
        for request in self.requests:
            assert urlsplit(request.url).netloc == origin or request.url.startswith(("blob:", "data:"))
            if self.account:
                assert self.account.token not in request.url
                assert self.account.token not in request.headers.get("referer", "")

    def _note(self, message: ConsoleMessage) -> None:
        # A refused or failed request logs an error, too; tests provoke these.
        if message.type == "error" and not message.text.startswith("Failed to load resource"):
            self.errors.append(message.text)
