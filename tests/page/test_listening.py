"""The listening page in a browser, with and without JavaScript, and behind a path prefix."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx2

from accounts import Account, register
from page.chromium import expect
from page.conftest import NewVisitor
from page.recording import RecordDialog
from pigwav.settings import Settings
from serving import served

if TYPE_CHECKING:
    from playwright.sync_api import Page


def path(recording: dict, more: str = "") -> str:
    return f"listen?id={recording['id']}&user={recording['user']}{more}"


def position(page: Page) -> int:
    return int(page.get_by_role("slider", name="Position").get_attribute("aria-valuenow") or -1)


def test_it_plays_from_where_its_address_says(account: Account, new_visitor: NewVisitor) -> None:
    recording = account.long_recording(seconds=120, title="Tuesday")
    visitor = new_visitor()
    visitor.visit(path(recording, "&t=61.5"))
    page = visitor.page
    expect(page.get_by_role("heading", name="Tuesday")).to_be_visible()
    assert position(page) == 61
    page.get_by_role("button", name="Play").click()
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    expect(page.get_by_role("slider")).to_have_attribute("aria-valuenow", "63")

    statuses = {request.response().status for request in visitor.requests if ".mp3" in request.url}
    assert statuses == {206}
    page.get_by_role("slider").press("Home")
    page.keyboard.press("Tab")
    page.locator("h1").click()
    page.keyboard.press("Space")  # plays and pauses wherever the focus is
    expect(page.get_by_role("button", name="Play")).to_be_visible()


def test_it_is_the_browsers_own_player_without_javascript(account: Account, new_visitor: NewVisitor) -> None:
    recording = account.long_recording(seconds=90, title="Plain")
    page = new_visitor(java_script_enabled=False).page
    page.goto(f"{account.http.base_url}/{path(recording, '&t=61.5')}")

    audio = page.locator("audio")
    expect(audio).to_be_visible()
    expect(audio).to_have_attribute("controls", "")
    expect(page.get_by_role("heading", name="Plain")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download MP3").click()
    assert download.value.suggested_filename == "Plain.mp3"


def test_a_dead_link_is_a_page_in_the_readers_language(account: Account, new_visitor: NewVisitor) -> None:
    recording = account.recording()
    account.http.delete(f"/records/{recording['id']}", headers=account.bearer)
    for locale, heading in (("en-GB", "This recording does not exist"), ("ru-RU", "Такой записи нет")):
        visitor = new_visitor(locale=locale)
        visitor.visit(path(recording))
        expect(visitor.page.get_by_role("heading", name=heading)).to_be_visible()


def test_a_recording_that_is_deleted_while_it_is_open_says_so(
    account: Account, new_visitor: NewVisitor
) -> None:
    recording = account.recording(title="short-lived")
    visitor = new_visitor()
    visitor.page.route("**/*.mp3*", lambda route: route.fulfill(status=404))
    visitor.visit(path(recording))
    visitor.page.get_by_role("button", name="Play").click()

    expect(visitor.page.get_by_role("alert")).to_contain_text("This recording cannot be played now.")


def test_a_hostile_title_is_shown_as_text(account: Account, new_visitor: NewVisitor) -> None:
    title = "\"><script>document.title = 'hacked'</script><img src=x onerror=alert(1)>"
    visitor = new_visitor()
    visitor.visit(path(account.recording(title=title)))

    expect(visitor.page.locator("h1")).to_have_text(title)
    expect(visitor.page).to_have_title(f"{title} – PigWav")


def test_all_of_it_works_behind_a_path_prefix(settings: Settings, new_visitor: NewVisitor) -> None:
    http = settings.http.model_copy(update={"root_path": "/voice"})
    with served(settings.model_copy(update={"http": http})) as api:
        visitor = new_visitor(f"{api.url}/voice/")
        with httpx2.Client(base_url=f"{api.url}/voice") as client:
            account = register(client, "behind a prefix")
            account.long_recording(seconds=10, title="prefixed")
        visitor.sign_in(account)
        page = visitor.page
        page.get_by_role("button", name="Play prefixed").click()
        expect(page.get_by_role("button", name="Pause prefixed")).to_be_visible()
        page.get_by_role("link", name="prefixed").click()
        expect(page.get_by_role("heading", name="prefixed")).to_be_visible()
        page.get_by_role("button", name="Play").click()
        expect(page.get_by_role("button", name="Pause")).to_be_visible()
        page.get_by_role("link", name="PigWav").click()
        expect(page.get_by_role("article", name="prefixed")).to_be_visible()
        dialog = RecordDialog(page)
        dialog.record(seconds=1)
        dialog.stop()
        dialog.send("recorded there")
        expect(page.get_by_role("article", name="recorded there")).to_be_visible(timeout=15_000)
        assert all(request.url.startswith((visitor.address, "blob:")) for request in visitor.requests)
