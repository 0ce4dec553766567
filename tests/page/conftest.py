"""A browser, and visitors of the page."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import httpx2
import pytest

from accounts import Account, register
from needs import skip_unless_required
from page.chromium import FAKE_MICROPHONE, chromium_program, launched, playwright_chromium
from page.visitor import Visitor
from serving import ServedApi

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserType

NewVisitor = Callable[..., Visitor]


@pytest.fixture
def account(http: httpx2.Client) -> Account:
    return register(http)


@pytest.fixture(scope="module")
def chromium() -> Iterator[BrowserType]:
    skip_unless_required("browser")
    chromium_program()  # fails before anything starts
    with playwright_chromium() as chromium:
        yield chromium


@pytest.fixture(scope="module")
def browser_program() -> str:
    """Chromium. A module whose tests do not record overrides it with the headless shell."""
    return chromium_program()


@pytest.fixture(scope="module")
def browser(chromium: BrowserType, browser_program: str) -> Iterator[Browser]:
    """A Chromium with a microphone that beeps once a second."""
    with launched(chromium, FAKE_MICROPHONE, program=browser_program) as browser:
        yield browser


@pytest.fixture
def new_visitor(browser: Browser, api: ServedApi) -> Iterator[NewVisitor]:
    """`new_visitor(address=, permissions=, ...)` opens a tab with a storage of its own.

    The options are those of Playwright's `new_context`. At the end it asserts that nothing leaked.
    """
    visitors: list[Visitor] = []

    def open_tab(address: str = f"{api.url}/", **options: object) -> Visitor:
        # Without transitions: what a test looks at has its final colours.
        usual = {"permissions": ["microphone"], "locale": "en-GB", "reduced_motion": "reduce"}
        chosen = usual | options
        visitors.append(Visitor(browser.new_context(**chosen).new_page(), address))
        return visitors[-1]

    yield open_tab
    for visitor in visitors:
        visitor.page.context.close()
    for visitor in visitors:
        visitor.assert_nothing_leaked()


@pytest.fixture
def visitor(new_visitor: NewVisitor, account: Account) -> Visitor:
    """Somebody who is signed in."""
    visitor = new_visitor()
    visitor.sign_in(account)
    return visitor
