"""Recording in the browser: from the microphone to the service."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import httpx2
import pytest

from accounts import Account, register
from page.chromium import expect
from page.conftest import NewVisitor
from page.recording import RecordDialog, kept, open_kept
from page.visitor import Visitor
from waiting import wait_until

if TYPE_CHECKING:
    from playwright.sync_api import Page

UNDO_MS = 6_000
REFUSING = "connectionrefused"


def stored(account: Account) -> list[dict]:
    return account.http.get("/records", headers=account.bearer).json()["items"]


def the_stored(account: Account) -> dict:
    """The only recording of the account, as soon as the service has it."""
    wait_until(lambda: bool(stored(account)))
    (recording,) = stored(account)
    return recording


def test_what_is_recorded_around_a_pause_is_listened_to_and_sent(visitor: Visitor, account: Account) -> None:
    dialog = RecordDialog(visitor.page)
    before = time.monotonic()
    dialog.start()
    live = time.monotonic()
    dialog.wait_for(2)
    shortest = time.monotonic() - live
    dialog.button("Pause").click()
    expect(dialog.says).to_have_text("Paused")
    longest = time.monotonic() - before
    shown = dialog.timer.inner_text()
    paused = time.monotonic()
    wait_until(lambda: time.monotonic() > paused + 1.5)
    assert dialog.timer.inner_text() == shown

    before = time.monotonic()
    dialog.button("Continue").click()
    expect(dialog.says).to_have_text("Recording")
    live = time.monotonic()
    dialog.wait_for(4)
    shortest += time.monotonic() - live
    dialog.stop()
    longest += time.monotonic() - before
    dialog.button("Play the recording").click()
    expect(dialog.button("Pause the recording")).to_be_visible()
    slider = dialog.dialog.get_by_role("slider", name="Position in the recording")
    slider.press("End")
    expect(dialog.button("Play the recording")).to_be_visible()
    dialog.send("Утренняя планёрка")

    recording = the_stored(account)
    assert recording["title"] == "Утренняя планёрка"
    assert shortest - 0.2 <= recording["duration_ms"] / 1000 <= longest + 0.2
    expect(kept(visitor.page)).to_have_count(0)


def test_a_recording_has_the_microphones_own_rate_and_is_not_silent(
    visitor: Visitor, account: Account
) -> None:
    page = visitor.page
    rate = page.evaluate(
        "async () => { const microphone = await navigator.mediaDevices.getUserMedia({audio: true});"
        "const [track] = microphone.getTracks(); track.stop(); return track.getSettings().sampleRate }"
    )
    dialog = RecordDialog(page)
    dialog.record(seconds=2)
    expect(dialog.dialog.get_by_role("meter", name="Input level")).to_be_visible()
    dialog.stop()
    dialog.send("Beeps")

    recording = the_stored(account)
    assert recording["source"]["sample_rate_hz"] == rate
    assert {warning["code"] for warning in recording["warnings"]} <= {"dc-offset"}  # as Chromium's beeps have


def test_a_reload_while_recording_loses_at_most_a_second(visitor: Visitor, account: Account) -> None:
    page = visitor.page
    page.on("dialog", lambda question: question.accept())  # the browser asks whether to leave
    RecordDialog(page).record(seconds=3)
    page.reload()

    expect(kept(page)).to_contain_text("Not sent yet. It is only on this device.")
    dialog = open_kept(page)
    assert dialog.seconds() >= 3 - 1
    dialog.button("Play the recording").click()
    expect(dialog.button("Pause the recording")).to_be_visible()
    dialog.send("Found again")
    assert the_stored(account)["duration_ms"] >= 2_000


def test_a_dialog_that_is_closed_while_it_records_keeps_the_recording(visitor: Visitor) -> None:
    dialog = RecordDialog(visitor.page)
    dialog.record(seconds=1)
    visitor.page.keyboard.press("Escape")

    expect(dialog.dialog).to_be_hidden()
    assert open_kept(visitor.page).seconds() >= 1


def test_a_discarded_recording_can_be_taken_back_for_some_seconds(visitor: Visitor) -> None:
    page = visitor.page
    dialog = RecordDialog(page)
    dialog.record(seconds=1)
    dialog.stop()
    dialog.button("Discard").click()
    page.get_by_role("button", name="Undo").click()

    again = open_kept(page)
    page.clock.install()
    again.button("Discard").click()
    page.mouse.move(0, 0)
    page.clock.fast_forward(UNDO_MS)
    expect(page.get_by_text("The recording is discarded.")).to_be_hidden()
    wait_until(lambda: not files(page))
    expect(kept(page)).to_have_count(0)


def files(page: Page) -> list[str]:
    """Names of the files in the browser's storage for recordings."""
    return page.evaluate(
        "async () => { const names = [];"
        "const all = await (await navigator.storage.getDirectory()).getDirectoryHandle('recordings', {create: true});"
        "for await (const folder of all.values()) for await (const name of folder.keys()) names.push(name);"
        "return names }"
    )


@pytest.mark.parametrize("cut", ["offline", "the service is down"])
def test_what_is_sent_without_a_service_waits_and_goes_by_itself(
    visitor: Visitor, account: Account, cut: str
) -> None:
    page = visitor.page
    dialog = RecordDialog(page)
    dialog.record(seconds=1)
    dialog.stop()
    if cut == "offline":
        page.context.set_offline(True)
    else:
        page.context.route("**/*", lambda route: route.abort(REFUSING))
    dialog.send("From the train")

    expect(kept(page)).to_contain_text("It is sent when the service answers again.")
    expect(kept(page)).to_contain_text("From the train")
    assert stored(account) == []
    if cut == "offline":
        page.context.set_offline(False)
    else:
        page.context.unroute_all()
    assert the_stored(account)["title"] == "From the train"
    expect(kept(page)).to_have_count(0)
    assert files(page) == []


def test_what_waits_is_sent_after_a_reload_under_the_same_key(visitor: Visitor, account: Account) -> None:
    page = visitor.page
    page.on("dialog", lambda question: question.accept())
    dialog = RecordDialog(page)
    dialog.record(seconds=1)
    dialog.stop()
    page.route("**/records?*filename=*", lambda route: route.abort("connectionreset"))
    dialog.send("Twice on its way")
    expect(kept(page)).to_contain_text("It is sent when the service answers again.")
    page.unroute_all()
    page.reload()

    assert the_stored(account)["title"] == "Twice on its way"
    wait_until(lambda: not files(page))
    posts = [request for request in visitor.requests if request.method == "POST"]
    assert len(posts) >= 2
    assert len({post.headers["idempotency-key"] for post in posts}) == 1


def test_a_cancelled_recording_stays_on_the_device_until_it_is_sent_again(
    visitor: Visitor, account: Account
) -> None:
    page = visitor.page
    dialog = RecordDialog(page)
    dialog.record(seconds=1)
    dialog.stop()
    page.route("**/records?*filename=*", lambda route: route.abort("connectionreset"))
    dialog.send("Second thoughts")
    expect(kept(page)).to_contain_text("It is sent when the service answers again.")
    page.get_by_role("button", name="Cancel Second thoughts").click()
    expect(kept(page)).to_contain_text("It is only on this device.")
    expect(kept(page)).to_contain_text("Second thoughts")
    page.unroute_all()
    page.get_by_role("button", name="Try again").click()

    assert the_stored(account)["title"] == "Second thoughts"
    wait_until(lambda: not files(page))
    expect(kept(page)).to_have_count(0)


def test_a_recording_that_the_service_refuses_stays_on_the_device_with_its_title(visitor: Visitor) -> None:
    page = visitor.page
    dialog = RecordDialog(page)
    dialog.record(seconds=1)
    dialog.stop()
    problem = '{"code": "audio-too-long", "title": "The audio is too long."}'
    page.route("**/records?*filename=*", lambda route: route.fulfill(status=422, body=problem))
    dialog.send("Too long")

    expect(kept(page).get_by_role("button")).to_be_visible()
    expect(kept(page)).to_contain_text("It is only on this device.")
    page.reload()
    expect(kept(page)).to_contain_text("Too long")
    assert len(files(page)) == 1
    expect(open_kept(page).title).to_have_value("Too long")


def test_a_title_that_is_typed_is_kept_until_it_is_sent_or_discarded(visitor: Visitor) -> None:
    page = visitor.page
    dialog = RecordDialog(page)
    dialog.record(seconds=1)
    dialog.stop()
    dialog.title.fill("Half a thought")
    page.keyboard.press("Escape")
    expect(kept(page)).to_contain_text("Half a thought")

    page.reload()
    expect(open_kept(page).title).to_have_value("Half a thought")
    dialog.button("Discard").click()
    page.get_by_role("button", name="Undo").click()
    expect(open_kept(page).title).to_have_value("Half a thought")


def test_two_tabs_do_not_take_each_others_recording(visitor: Visitor, account: Account) -> None:
    one, other = visitor.page, visitor.page.context.new_page()
    other.goto(visitor.address)
    dialog = RecordDialog(one)
    dialog.record(seconds=1)

    other.reload()
    expect(kept(other)).to_contain_text("Another tab is recording it or using it.")
    expect(kept(other).get_by_role("button")).to_have_count(0)
    expect(kept(one)).to_have_count(0)
    second = RecordDialog(other)
    second.record(seconds=1)
    second.stop()
    second.send("Second tab")
    dialog.stop()
    dialog.send("First tab")

    wait_until(lambda: len(stored(account)) == 2)
    assert {recording["title"] for recording in stored(account)} == {"First tab", "Second tab"}
    wait_until(lambda: not files(one))


def test_a_tab_takes_over_what_a_closed_tab_has_left(visitor: Visitor, account: Account) -> None:
    one, other = visitor.page, visitor.page.context.new_page()
    other.goto(visitor.address)
    RecordDialog(one).record(seconds=1)
    other.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(kept(other)).to_have_count(1)
    expect(kept(other).get_by_role("button")).to_have_count(0)

    one.close()

    dialog = open_kept(other)
    dialog.send("Left behind")
    assert the_stored(account)["title"] == "Left behind"


def test_a_recording_of_another_user_is_neither_shown_nor_sent(
    visitor: Visitor, http: httpx2.Client, account: Account
) -> None:
    page = visitor.page
    dialog = RecordDialog(page)
    dialog.record(seconds=1)
    page.keyboard.press("Escape")
    expect(kept(page)).to_have_count(1)
    visitor.sign_in(register(http))
    expect(page.get_by_role("button", name="Record", exact=True)).to_be_visible()
    expect(kept(page)).to_have_count(0)
    visitor.sign_in(account)
    expect(kept(page)).to_have_count(1)


def test_recording_needs_no_mouse(visitor: Visitor, account: Account) -> None:
    page = visitor.page
    tab_to(page, "Record")
    page.keyboard.press("Enter")
    page.keyboard.press("Space")  # "Start recording" has the focus
    dialog = RecordDialog(page)
    expect(dialog.says).to_have_text("Recording")
    dialog.wait_for(1)
    page.keyboard.press("Space")
    expect(dialog.says).to_have_text("Paused")
    page.keyboard.press("Space")
    expect(dialog.says).to_have_text("Recording")
    tab_to(page, "Done")
    page.keyboard.press("Enter")
    expect(dialog.send_button).to_be_visible()
    page.keyboard.type("By keyboard")
    page.keyboard.press("Enter")

    assert the_stored(account)["title"] == "By keyboard"


def tab_to(page: Page, name: str) -> None:
    """Presses Tab until the element with this text has the focus."""
    focused = page.locator(":focus")
    for _ in range(20):
        if focused.count() and focused.inner_text().strip() == name:
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"Tab does not reach {name}")


@pytest.mark.parametrize(
    ("locale", "words"),
    [
        ("en-GB", ("Record", "Start recording", "does not let this page use the microphone. Allow it")),
        ("ru-RU", ("Записать", "Начать запись", "Браузер не разрешает этой странице использовать микрофон")),
    ],
)
def test_without_permission_a_sentence_says_what_to_do(
    new_visitor: NewVisitor, account: Account, locale: str, words: tuple[str, str, str]
) -> None:
    record, start, sentence = words
    visitor = new_visitor(permissions=[], locale=locale)
    visitor.sign_in(account)
    visitor.page.get_by_role("button", name=record, exact=True).click()
    visitor.page.get_by_role("button", name=start).click()

    expect(visitor.page.get_by_role("dialog").get_by_role("status")).to_contain_text(sentence)
    expect(visitor.page.get_by_role("button", name=start)).to_be_enabled()
