"""What a person does in the dialog that records."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from page.chromium import expect
from waiting import wait_until

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page


class RecordDialog:
    """The dialog of a page. Its methods wait until the dialog shows the result."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.dialog = page.get_by_role("dialog", name="Record")
        self.says = self.dialog.get_by_role("status")
        self.timer = self.dialog.locator(".timer")
        self.title = self.dialog.get_by_label("Title", exact=True)
        self.send_button = self.button("Send")

    def button(self, name: str) -> Locator:
        return self.dialog.get_by_role("button", name=name, exact=True)

    def open(self) -> None:
        self.page.get_by_role("button", name="Record", exact=True).click()

    def start(self) -> None:
        self.open()
        self.button("Start recording").click()
        expect(self.says).to_have_text("Recording")

    def record(self, *, seconds: float) -> None:
        """Starts, and returns when this much is in the file."""
        self.start()
        self.wait_for(seconds)

    def wait_for(self, seconds: float) -> None:
        wait_until(lambda: self.seconds() >= seconds, within_s=seconds + 20)

    def seconds(self) -> int:
        """What the timer shows."""
        expect(self.timer).to_have_text(re.compile(r"^\d+:\d\d$"))
        minutes, seconds = self.timer.inner_text().split(":")
        return 60 * int(minutes) + int(seconds)

    def stop(self) -> None:
        self.button("Done").click()
        expect(self.send_button).to_be_visible()

    def send(self, title: str) -> None:
        self.title.fill(title)
        self.send_button.click()
        expect(self.dialog).to_be_hidden()


def kept(page: Page) -> Locator:
    """The rows of recordings that are not sent yet."""
    return page.locator("pw-kept li")


def open_kept(page: Page) -> RecordDialog:
    """Opens the only recording that is not sent yet."""
    kept(page).get_by_role("button").click()
    dialog = RecordDialog(page)
    expect(dialog.send_button).to_be_visible()
    return dialog
