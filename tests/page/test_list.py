"""The list of recordings: play, seek, share, rename, delete."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import httpx2
import pytest

from accounts import Account
from factories import wav
from page.chromium import expect, headless_shell_program
from page.conftest import NewVisitor
from page.many import many_recordings
from page.visitor import Visitor
from serving import ServedApi
from waiting import wait_until

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page


UNDO_MS = 6_000


@pytest.fixture(scope="module")
def browser_program() -> str:
    return headless_shell_program()


def row(page: Page, title: str) -> Locator:
    return page.get_by_role("article", name=title, exact=True)


def choose(page: Page, title: str, item: str) -> None:
    """An item of the row's menu."""
    row(page, title).get_by_role("button", name="More about").click()
    page.get_by_role("menuitem", name=item).click()


def seconds(clock: Locator) -> int:
    minutes, _, rest = clock.inner_text().partition(":")
    return int(minutes) * 60 + int(rest)


def is_playing(page: Page, title: str) -> None:
    expect(row(page, title).get_by_role("button", name=f"Pause {title}")).to_be_visible()


def test_an_empty_list_says_so(visitor: Visitor) -> None:
    expect(visitor.page.get_by_text("No recordings yet.")).to_be_visible()


def test_one_recording_plays_at_a_time(account: Account, new_visitor: NewVisitor) -> None:
    for title in ("first", "second"):
        account.long_recording(seconds=20, title=title)
    visitor = new_visitor()
    visitor.sign_in(account)
    page = visitor.page
    row(page, "first").get_by_role("button", name="Play first").click()
    is_playing(page, "first")
    expect(row(page, "first").locator(".time")).to_have_text(re.compile("0:0[1-9]"))
    row(page, "second").get_by_role("button", name="Play second").click()

    is_playing(page, "second")
    expect(row(page, "first").get_by_role("button", name="Play first")).to_be_visible()
    expect(row(page, "first").locator(".time")).to_have_text("0:20")


def test_a_position_is_chosen_by_a_click_or_by_keys(account: Account, new_visitor: NewVisitor) -> None:
    long = wav(seconds=300, rate=32_000, channels=1, content="silence")
    account.upload_raw(long, title="long", bitrate=320)  # 12 MB: a browser does not load all of it at once
    visitor = new_visitor()
    visitor.sign_in(account)
    page = visitor.page
    waveform, clock = row(page, "long").locator("pw-waveform"), row(page, "long").locator(".time")
    box = waveform.bounding_box()
    assert box is not None
    waveform.click(position={"x": box["width"] / 2, "y": 10})
    is_playing(page, "long")
    assert 149 <= seconds(clock) <= 160
    row(page, "long").get_by_role("button", name="Pause").click()
    slider = page.get_by_role("slider", name="Position in long")
    positions = []
    for key in ("Home", "ArrowRight", "PageUp", "ArrowLeft", "PageDown", "End"):
        slider.press(key)
        positions.append(int(slider.get_attribute("aria-valuenow") or -1))

    assert positions == [0, 5, 65, 60, 0, 300]
    expect(slider).to_have_attribute("aria-valuetext", "5:00 of 5:00")
    ranges = [request.headers.get("range") for request in visitor.requests if ".mp3" in request.url]
    assert any(one and one != "bytes=0-" for one in ranges)  # it seeks by ranges, without loading all before


def test_the_speed_holds_for_all_recordings_and_the_next_visit(
    account: Account, new_visitor: NewVisitor
) -> None:
    account.long_recording(seconds=60, title="slow talk")
    visitor = new_visitor()
    visitor.sign_in(account)
    page = visitor.page
    page.get_by_label("Speed").select_option("2")
    page.reload()
    expect(page.get_by_label("Speed")).to_have_value("2")
    row(page, "slow talk").get_by_role("button", name="Play").click()
    clock = row(page, "slow talk").locator(".time")
    expect(clock).to_have_text("0:01")
    began_ms = page.evaluate("performance.now()")
    expect(clock).to_have_text(re.compile("0:0[7-9]"))

    assert (
        page.evaluate("performance.now()") - began_ms < 5_500
    )  # 6 s of audio at double speed, and some slack


def test_the_link_that_is_copied_is_the_listening_page(account: Account, new_visitor: NewVisitor) -> None:
    recording = account.recording(title="shared")
    visitor = new_visitor(permissions=["clipboard-read", "clipboard-write"])
    visitor.sign_in(account)
    row(visitor.page, "shared").get_by_role("button", name="Copy link").click()
    expect(visitor.page.get_by_text("Link copied")).to_be_visible()

    link = visitor.page.evaluate("navigator.clipboard.readText()")
    assert link == f"{visitor.address}listen?id={recording['id']}&user={account.id}"
    assert "shared" in httpx2.get(link).text


def test_a_new_title_is_shown_and_names_the_download(account: Account, new_visitor: NewVisitor) -> None:
    account.recording(title="old")
    visitor = new_visitor()
    visitor.sign_in(account)
    page = visitor.page
    choose(page, "old", "Rename")
    page.get_by_label("Title", exact=True).fill("Новое <b>имя</b>")
    page.get_by_role("button", name="Save").click()
    expect(row(page, "Новое <b>имя</b>")).to_be_visible()
    page.reload()
    with page.expect_download() as download:
        choose(page, "Новое <b>имя</b>", "Download MP3")

    assert download.value.suggested_filename.startswith("Новое")
    assert download.value.suggested_filename.endswith(".mp3")


def test_a_deleted_recording_can_be_restored_for_some_seconds_and_is_gone_then(
    account: Account, new_visitor: NewVisitor
) -> None:
    recording = account.recording(title="wrong one")
    visitor = new_visitor()
    visitor.sign_in(account)
    page = visitor.page
    choose(page, "wrong one", "Delete")
    expect(row(page, "wrong one")).to_have_count(0)
    page.get_by_role("button", name="Undo").click()
    expect(row(page, "wrong one")).to_be_visible()
    assert httpx2.get(recording["url"]).status_code == 200

    page.clock.install()
    choose(page, "wrong one", "Delete")
    expect(page.get_by_text("No recordings yet.")).to_be_visible()
    page.mouse.move(0, 0)
    page.clock.fast_forward(UNDO_MS)
    expect(page.get_by_role("button", name="Undo")).to_have_count(0)
    wait_until(lambda: httpx2.get(recording["url"]).status_code == 404)


def test_leaving_the_page_deletes_at_once(account: Account, new_visitor: NewVisitor) -> None:
    recording = account.recording(title="leaving")
    visitor = new_visitor()
    visitor.sign_in(account)
    choose(visitor.page, "leaving", "Delete")
    expect(row(visitor.page, "leaving")).to_have_count(0)
    visitor.page.close()

    wait_until(lambda: httpx2.get(recording["url"]).status_code == 404)


def test_a_deletion_that_fails_brings_the_recording_back(account: Account, new_visitor: NewVisitor) -> None:
    account.recording(title="kept")
    visitor = new_visitor()
    visitor.sign_in(account)
    page = visitor.page
    page.route("**/records/*", lambda route: route.abort())
    page.clock.install()
    choose(page, "kept", "Delete")
    page.mouse.move(0, 0)
    page.clock.fast_forward(UNDO_MS)

    expect(page.get_by_text("The service cannot be reached.")).to_be_visible()
    expect(row(page, "kept")).to_be_visible()


def test_details_say_what_was_measured(account: Account, new_visitor: NewVisitor) -> None:
    account.upload_raw(wav(seconds=2), title="measured")
    visitor = new_visitor()
    visitor.sign_in(account)
    choose(visitor.page, "measured", "Details")

    dialog = visitor.page.get_by_role("dialog", name="Details")
    facts = dict(
        zip(dialog.locator("dt").all_inner_texts(), dialog.locator("dd").all_inner_texts(), strict=True)
    )
    assert facts["Length"] == "0:02"
    assert facts["Loudness"].endswith(" LUFS")
    assert facts["Peak"].endswith(" dBFS")


@pytest.mark.parametrize(
    "count", [pytest.param(1_000, id="1000"), pytest.param(10_000, id="10000", marks=pytest.mark.long)]
)
def test_a_long_list_has_few_rows_alive(
    api: ServedApi, account: Account, new_visitor: NewVisitor, count: int
) -> None:
    with many_recordings(api, account, count):
        visitor = new_visitor()
        visitor.sign_in(account)
        page = visitor.page
        rows = page.locator(".recording")
        expect(rows.first).to_be_visible()
        most = 0
        while not row(page, str(count)).count():
            page.mouse.wheel(0, 4000)
            page.wait_for_timeout(20)
            most = max(most, rows.count())
        positions = {int(one.get_attribute("aria-posinset") or 0) for one in rows.all()}

        assert 50 < most <= 300
        assert max(positions) == count + 1
        page.evaluate("scrollTo(0, 0)")
        expect(row(page, "1")).to_be_visible()
        expect(row(page, str(count))).to_have_count(0)


def test_the_list_is_used_by_keyboard_only(account: Account, new_visitor: NewVisitor) -> None:
    account.long_recording(seconds=20, title="keys")
    visitor = new_visitor()
    visitor.sign_in(account)
    page = visitor.page
    expect(row(page, "keys")).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to recordings")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_label("Search titles")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_label("Speed")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    is_playing(page, "keys")
    for _ in range(2):
        page.keyboard.press("Tab")
    expect(page.get_by_role("slider", name="Position in keys")).to_be_focused()
    for _ in range(2):
        page.keyboard.press("Tab")
    more = page.get_by_role("button", name="More about keys")
    expect(more).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("menuitem", name="Copy link")).to_be_focused()
    page.keyboard.press("ArrowUp")
    expect(page.get_by_role("menuitem", name="Delete")).to_be_focused()
    page.keyboard.press("Escape")
    expect(more).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("End")
    page.keyboard.press("Enter")

    expect(row(page, "keys")).to_have_count(0)
    expect(page.get_by_role("heading", name="Recordings")).to_be_focused()


def test_a_search_shows_the_titles_with_its_words_while_it_is_typed(
    account: Account, new_visitor: NewVisitor
) -> None:
    for title in ("Standup, Monday", "Планёрка", "Standup, Tuesday"):
        account.recording(seconds=0.1, title=title)
    visitor = new_visitor()
    visitor.sign_in(account)
    page = visitor.page
    search, rows = page.get_by_role("searchbox", name="Search titles"), page.get_by_role("article")
    expect(rows).to_have_count(3)
    search.press_sequentially("standup mo", delay=20)
    expect(rows).to_have_count(1)
    expect(row(page, "Standup, Monday")).to_be_visible()
    assert len([one for one in visitor.requests if "q=s" in one.url]) <= 3  # not one a letter

    search.fill("планерк")
    expect(row(page, "Планёрка")).to_be_visible()
    search.fill("nothing")
    expect(page.get_by_text("No title has these words.")).to_be_visible()
    expect(rows).to_have_count(0)
    search.fill("")
    expect(rows).to_have_count(3)


def test_a_recording_that_a_search_found_can_be_deleted_and_restored(
    account: Account, new_visitor: NewVisitor
) -> None:
    for title in ("wrong one", "right one"):
        account.recording(seconds=0.1, title=title)
    visitor = new_visitor()
    visitor.sign_in(account)
    page = visitor.page
    search = page.get_by_role("searchbox", name="Search titles")
    search.fill("wrong")
    expect(row(page, "right one")).to_have_count(0)
    choose(page, "wrong one", "Delete")
    expect(page.get_by_text("No title has these words.")).to_be_visible()
    search.fill("one")
    expect(row(page, "right one")).to_be_visible()
    expect(row(page, "wrong one")).to_have_count(0)
    page.get_by_role("button", name="Undo").click()

    expect(row(page, "wrong one")).to_be_visible()


def test_a_search_goes_on_while_the_list_is_scrolled(
    api: ServedApi, account: Account, new_visitor: NewVisitor
) -> None:
    with many_recordings(api, account, 300):
        visitor = new_visitor()
        visitor.sign_in(account)
        page = visitor.page
        page.get_by_role("searchbox", name="Search titles").fill("2")
        expect(row(page, "3")).to_have_count(0)
        while not row(page, "299").count():
            page.mouse.wheel(0, 4000)
            page.wait_for_timeout(20)

        assert not [
            one
            for one in page.get_by_role("article").all()
            if not one.get_attribute("aria-label").startswith("2")
        ]


TITLES = ["a" * 200, "Очень длинное название записи " * 6, "עברית ארוכה מאוד " * 8, "<b>bold</b>"]


@pytest.mark.parametrize("width", [320, 375, 1280])
def test_nothing_is_wider_than_the_window(account: Account, new_visitor: NewVisitor, width: int) -> None:
    for title in TITLES:
        account.recording(seconds=1, title=title)
    visitor = new_visitor(viewport={"width": width, "height": 700})
    visitor.sign_in(account)
    page = visitor.page
    expect(page.locator(".recording")).to_have_count(len(TITLES))

    assert_no_sideways_scroll(page, width)
    page.get_by_role("article").first.get_by_role("link").click()
    expect(page.locator("pw-waveform")).to_be_visible()
    assert_no_sideways_scroll(page, width)


def assert_no_sideways_scroll(page: Page, width: int) -> None:
    """Not with letters of double size, either."""
    for text_size in ("100%", "200%"):
        page.evaluate("size => { document.documentElement.style.fontSize = size }", text_size)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, text_size
