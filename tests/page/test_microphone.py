"""Sentences for people whose browser gives the page no microphone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from accounts import Account
from page.chromium import expect, launched
from page.conftest import NewVisitor
from page.recording import RecordDialog
from serving import ServedApi

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserType

INSECURE_HOST = "pigwav.example"


@pytest.fixture(scope="module")
def browser(chromium: BrowserType) -> Iterator[Browser]:
    """A Chromium without a microphone, to which INSECURE_HOST is this machine."""
    with launched(chromium, f"--host-resolver-rules=MAP {INSECURE_HOST} 127.0.0.1") as browser:
        yield browser


def test_without_a_microphone(new_visitor: NewVisitor, account: Account) -> None:
    visitor = new_visitor()
    visitor.sign_in(account)
    dialog = RecordDialog(visitor.page)
    dialog.open()
    dialog.button("Start recording").click()

    expect(dialog.says).to_have_text("No microphone was found. Connect one, then try again.")
    expect(dialog.button("Start recording")).to_be_focused()


def test_over_plain_http_from_another_host(new_visitor: NewVisitor, account: Account, api: ServedApi) -> None:
    visitor = new_visitor(f"http://{INSECURE_HOST}:{api.port}/", permissions=[])
    visitor.sign_in(account)
    dialog = RecordDialog(visitor.page)
    dialog.open()

    expect(dialog.says).to_contain_text("only to pages over https, or on this very machine (localhost)")
    expect(dialog.button("Start recording")).to_have_count(0)


def test_in_a_browser_that_cannot_write_files(new_visitor: NewVisitor, account: Account) -> None:
    visitor = new_visitor()
    visitor.page.add_init_script("delete globalThis.FileSystemFileHandle")
    visitor.sign_in(account)
    dialog = RecordDialog(visitor.page)
    dialog.open()

    expect(dialog.says).to_have_text("This browser cannot record here. Update it, or upload a WAV.")
