"""Sending WAVs from the page: checked before, watched, ended, tried again."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

import httpx2
import pytest

from accounts import Account, register
from factories import chunk, fmt_chunk, riff, wav
from page.chromium import expect, headless_shell_program
from page.conftest import NewVisitor
from page.visitor import Visitor
from pigwav.settings import Settings
from serving import served

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page, Route

ID3 = b"ID3\3\0\0\0\0\0\x0a" + bytes(10)


@pytest.fixture(scope="module")
def browser_program() -> str:
    return headless_shell_program()


def choose(page: Page, files: dict[str, bytes]) -> None:
    page.locator("input[type=file]").set_input_files(
        [{"name": name, "mimeType": "audio/wav", "buffer": body} for name, body in files.items()]
    )


def upload(page: Page, name: str) -> Locator:
    return page.locator("pw-uploads").get_by_role("listitem").filter(has_text=name)


def titles(account: Account) -> list[str]:
    items: Iterable[dict] = account.http.get("/records", headers=account.bearer).json()["items"]
    return sorted(item["title"] for item in items)


def posts(visitor: Visitor) -> int:
    return sum(request.method == "POST" for request in visitor.requests)


def test_several_files_are_sent_at_once_and_listed(visitor: Visitor, account: Account) -> None:
    files = {"One.wav": wav(seconds=2), "Два.wav": ID3 + wav(seconds=1), "three.wav": wav(seconds=1)}
    choose(visitor.page, files)

    for title in ("One", "Два", "three"):
        expect(visitor.page.get_by_role("article", name=title)).to_be_visible()
    assert titles(account) == ["One", "three", "Два"]
    expect(upload(visitor.page, "One.wav")).to_have_count(0)  # what is done goes by itself


def test_progress_has_a_speed_and_the_time_that_is_left(visitor: Visitor, account: Account) -> None:
    page = visitor.page
    network = page.context.new_cdp_session(page)
    slow = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 1_000_000}
    network.send("Network.emulateNetworkConditions", slow)
    choose(page, {"Slow.wav": wav(seconds=15)})

    row = upload(page, "Slow.wav")
    expect(row).to_contain_text(re.compile(r"[\d.]+ [kM]B of 2\.6 MB · [\d.]+ [kM]B/s · 0:0\d left"))
    assert 0 < row.get_by_role("progressbar").evaluate("bar => bar.value") < 1
    expect(page.get_by_role("article", name="Slow")).to_be_visible()


def test_files_may_be_dropped_on_the_page(visitor: Visitor, account: Account) -> None:
    data = visitor.page.evaluate_handle(
        """bytes => {
            const data = new DataTransfer();
            data.items.add(new File([new Uint8Array(bytes)], 'Dropped.wav', {type: 'audio/wav'}));
            return data;
        }""",
        [*wav(seconds=0.5)],
    )
    visitor.page.dispatch_event("main", "drop", {"dataTransfer": data})

    expect(visitor.page.get_by_role("article", name="Dropped")).to_be_visible()
    assert titles(account) == ["Dropped"]


REFUSED = [
    ("a.wav", b"\0\0\0\x20ftypM4A " + bytes(100), "This is M4A, not a WAV."),
    ("b.wav", b"OggS" + bytes(100), "This is Ogg, not a WAV."),
    ("c.wav", ID3 + b"\xff\xfb\x90\0" + bytes(100), "This is MP3, not a WAV."),
    ("d.wav", b"FORM\0\0\1\0AIFF" + bytes(100), "This is AIFF, not a WAV."),
    ("e.wav", b"hello", "This is not a WAV file."),
    ("f.wav", b"", "This file has no audio in it."),
]


@pytest.mark.parametrize(("name", "body", "sentence"), REFUSED, ids=[name for name, _, _ in REFUSED])
def test_a_file_that_is_no_wav_is_refused_without_sending_it(
    visitor: Visitor, name: str, body: bytes, sentence: str
) -> None:
    choose(visitor.page, {name: body})

    expect(upload(visitor.page, name).get_by_role("alert")).to_contain_text(sentence)
    expect(upload(visitor.page, name).get_by_role("button")).to_have_count(1)  # no "Try again"
    assert posts(visitor) == 0
    upload(visitor.page, name).get_by_role("button", name="Remove").click()
    expect(visitor.page.locator("pw-uploads")).to_be_hidden()


def test_limits_of_size_and_length_are_known_before_sending(
    new_visitor: NewVisitor, settings: Settings
) -> None:
    limits = settings.limits.model_copy(update={"max_upload_bytes": 500_000, "max_duration_s": 4})
    junk = chunk(b"JUNK", bytes(600))
    slow = riff(fmt_chunk(rate=8000, channels=1, bits=8) + junk + chunk(b"data", bytes(8000 * 6)))
    with served(settings.model_copy(update={"limits": limits})) as api:
        visitor = new_visitor(f"{api.url}/")
        with httpx2.Client(base_url=api.url) as http:
            visitor.sign_in(register(http))
            choose(visitor.page, {"large.wav": wav(seconds=3), "long.wav": slow, "right.wav": wav(seconds=1)})

            too_large = "This file is too large: the service takes at most 500 kB."
            expect(upload(visitor.page, "large.wav").get_by_role("alert")).to_have_text(too_large)
            too_long = "This recording is too long: the service takes at most 0:04."
            expect(upload(visitor.page, "long.wav").get_by_role("alert")).to_have_text(too_long)
            expect(visitor.page.get_by_role("article", name="right")).to_be_visible()
            assert posts(visitor) == 1


def test_a_cancelled_upload_can_be_sent_after_all_and_is_stored_once(
    visitor: Visitor, account: Account
) -> None:
    page = visitor.page
    page.route("**/records?filename=*", lambda _: None)  # never answered
    choose(page, {"Later.wav": wav(seconds=1)})
    expect(upload(page, "Later.wav")).to_contain_text("Sending")
    upload(page, "Later.wav").get_by_role("button", name="Cancel").click()
    expect(upload(page, "Later.wav")).to_contain_text("Cancelled")
    page.unroute_all()
    upload(page, "Later.wav").get_by_role("button", name="Try again").click()

    expect(page.get_by_role("article", name="Later")).to_be_visible()
    assert titles(account) == ["Later"]


def test_a_try_whose_answer_was_lost_stores_no_second_recording(visitor: Visitor, account: Account) -> None:
    page = visitor.page
    keys: list[str] = []

    def lose_the_first_answer(route: Route) -> None:
        keys.append(route.request.headers["idempotency-key"])
        if len(keys) == 1:
            route.fetch()
            route.abort()
        else:
            route.continue_()

    page.route("**/records?filename=*", lose_the_first_answer)
    choose(page, {"Once.wav": wav(seconds=1)})
    expect(upload(page, "Once.wav")).to_contain_text("The page tries again by itself.")

    expect(page.get_by_role("article", name="Once")).to_be_visible()  # without anybody's help
    assert len(keys) == 2
    assert len({*keys}) == 1
    assert titles(account) == ["Once"]


def test_a_file_that_is_chosen_offline_is_sent_when_the_device_is_online(
    visitor: Visitor, account: Account
) -> None:
    page = visitor.page
    expect(page.get_by_text("No recordings yet.")).to_be_visible()
    page.context.set_offline(True)
    choose(page, {"Tunnel.wav": wav(seconds=1)})
    expect(upload(page, "Tunnel.wav")).to_contain_text("The service cannot be reached.")
    page.context.set_offline(False)

    expect(page.get_by_role("article", name="Tunnel")).to_be_visible()
    assert titles(account) == ["Tunnel"]


BUSY = [
    ("en-GB", 429, "rate-limited", "Too many requests. The service accepts more in 7 s."),
    ("ru-RU", 429, "rate-limited", "Слишком много запросов. Сервис примет следующие через 7 с."),
    ("en-GB", 503, "overloaded", "The service is busy."),
    ("ru-RU", 503, "overloaded", "Сервис занят."),
]


@pytest.mark.parametrize(("locale", "status", "code", "sentence"), BUSY)
def test_a_busy_service_is_a_sentence_and_the_file_waits(
    new_visitor: NewVisitor, account: Account, locale: str, status: int, code: str, sentence: str
) -> None:
    visitor = new_visitor(locale=locale)
    visitor.sign_in(account)
    page = visitor.page
    answer = {"status": status, "headers": {"Retry-After": "7"}, "json": {"code": code, "title": "x"}}
    page.route("**/records?filename=*", lambda route: route.fulfill(**answer))
    choose(page, {"Busy.wav": wav(seconds=0.5)})
    expect(upload(page, "Busy.wav")).to_contain_text(sentence)
    page.unroute_all()
    upload(page, "Busy.wav").get_by_role("button").first.click()

    expect(page.get_by_role("article", name="Busy")).to_be_visible()


def test_a_token_that_is_no_longer_valid_is_noticed_before_sending(
    visitor: Visitor, account: Account
) -> None:
    account.http.post("/users/me/token", headers=account.bearer)
    choose(visitor.page, {"Old token.wav": wav(seconds=0.5)})

    sentence = "The user id and the token do not match. Sign in again."
    expect(upload(visitor.page, "Old token.wav").get_by_role("alert")).to_have_text(sentence)
    assert posts(visitor) == 0
