"""No state of the page violates a rule of axe-core, best practices included, in light or dark."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from accounts import Account
from factories import wav
from page.axe import COLOURS, axe_source, faults
from page.chromium import expect
from page.conftest import NewVisitor
from page.recording import RecordDialog, kept
from page.visitor import Visitor

if TYPE_CHECKING:
    from playwright.sync_api import Page


@pytest.fixture(scope="module")
def axe() -> str:
    return axe_source()


def nothing_more(visitor: Visitor) -> None:
    expect(visitor.page.get_by_role("article").first).to_be_visible()


def no_recording(visitor: Visitor) -> None:
    expect(visitor.page.get_by_text("No recordings yet.")).to_be_visible()


def nothing_found(visitor: Visitor) -> None:
    visitor.page.get_by_role("searchbox").fill("nothing")
    expect(visitor.page.get_by_text("No title has these words.")).to_be_visible()


def one_that_plays(visitor: Visitor) -> None:
    visitor.page.get_by_role("button", name="Play A").click()
    expect(visitor.page.get_by_role("slider")).to_be_visible()


def a_menu(visitor: Visitor) -> None:
    visitor.page.get_by_role("button", name="More about A").click()
    expect(visitor.page.get_by_role("menu")).to_be_visible()


def details(visitor: Visitor) -> None:
    a_menu(visitor)
    visitor.page.get_by_role("menuitem", name="Details").click()
    expect(visitor.page.get_by_role("dialog")).to_be_visible()


def a_new_title(visitor: Visitor) -> None:
    a_menu(visitor)
    visitor.page.get_by_role("menuitem", name="Rename").click()
    expect(visitor.page.get_by_role("dialog")).to_be_visible()


def a_message(visitor: Visitor) -> None:
    a_menu(visitor)
    visitor.page.get_by_role("menuitem", name="Delete").click()
    expect(visitor.page.get_by_role("button", name="Undo")).to_be_visible()


def the_account(visitor: Visitor) -> None:
    visitor.page.get_by_role("button", name="Anna").click()
    expect(visitor.page.get_by_role("dialog")).to_be_visible()


def an_upload_that_waits(visitor: Visitor) -> None:
    visitor.page.context.set_offline(True)
    file = {"name": "One.wav", "mimeType": "audio/wav", "buffer": wav()}
    visitor.page.locator("input[type=file]").set_input_files([file])
    expect(visitor.page.get_by_text("The page tries again by itself.")).to_be_visible()


def an_upload_that_is_refused(visitor: Visitor) -> None:
    file = {"name": "One.wav", "mimeType": "audio/wav", "buffer": b"no audio"}
    visitor.page.locator("input[type=file]").set_input_files([file])
    expect(visitor.page.get_by_role("alert")).to_be_visible()


def the_recorder(visitor: Visitor) -> None:
    RecordDialog(visitor.page).open()
    expect(RecordDialog(visitor.page).button("Start recording")).to_be_visible()


def a_recording_that_runs(visitor: Visitor) -> None:
    RecordDialog(visitor.page).record(seconds=1)


def a_recording_before_it_is_sent(visitor: Visitor) -> None:
    a_recording_that_runs(visitor)
    RecordDialog(visitor.page).stop()


def a_recording_that_is_not_sent(visitor: Visitor) -> None:
    a_recording_before_it_is_sent(visitor)
    visitor.page.keyboard.press("Escape")
    expect(kept(visitor.page)).to_have_count(1)


States = list[Callable[[Visitor], None]]
STATES: States = [
    nothing_more,
    nothing_found,
    one_that_plays,
    a_menu,
    details,
    a_new_title,
    a_message,
    the_account,
    an_upload_that_waits,
    an_upload_that_is_refused,
    the_recorder,
    a_recording_that_runs,
    a_recording_before_it_is_sent,
    a_recording_that_is_not_sent,
]


@pytest.mark.parametrize("bring_about", STATES, ids=lambda state: state.__name__)
def test_a_signed_in_user_meets_no_fault(
    new_visitor: NewVisitor, account: Account, axe: str, bring_about: Callable[[Visitor], None]
) -> None:
    account.recording(title="A")
    visitor = new_visitor()
    visitor.sign_in(account)
    bring_about(visitor)

    assert_no_fault(visitor.page, axe)


def test_an_empty_list_has_no_fault(visitor: Visitor, axe: str) -> None:
    no_recording(visitor)
    assert_no_fault(visitor.page, axe)


def test_signing_in_has_no_fault(new_visitor: NewVisitor, axe: str) -> None:
    visitor = new_visitor()
    visitor.visit()
    expect(visitor.page.get_by_label("Name")).to_be_visible()
    assert_no_fault(visitor.page, axe)
    visitor.page.get_by_role("button", name="I have a user id and a token").click()
    visitor.page.get_by_label("User id").fill("1")
    visitor.page.get_by_label("Token").fill("wrong")
    visitor.page.get_by_role("button", name="Sign in").click()
    expect(visitor.page.get_by_role("alert")).not_to_be_empty()
    assert_no_fault(visitor.page, axe)


def test_the_listening_page_and_a_dead_link_have_no_fault(
    new_visitor: NewVisitor, account: Account, axe: str
) -> None:
    recording = account.recording(title="A")
    visitor = new_visitor()
    visitor.visit(f"listen?id={recording['id']}&user={recording['user']}")
    expect(visitor.page.get_by_role("slider")).to_be_visible()
    assert_no_fault(visitor.page, axe)
    visitor.visit("listen?id=none&user=1")
    expect(visitor.page.get_by_role("heading")).to_be_visible()
    assert_no_fault(visitor.page, axe)


def assert_no_fault(page: Page, axe: str) -> None:
    page.emulate_media(color_scheme="light")
    assert faults(page, axe) == []
    page.emulate_media(color_scheme="dark")  # the schemes differ in colours only
    assert faults(page, axe, *COLOURS) == []
