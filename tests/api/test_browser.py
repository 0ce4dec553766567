"""A link in a real browser."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from accounts import Account
from factories import info_chunk, wav
from s3tools.browser import Browser, browsing, chromedriver
from waiting import wait_until


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    with browsing(chromedriver(), tmp_path) as browser:
        yield browser


def test_a_download_is_named_by_the_title_that_the_wav_gives_itself(
    account: Account, browser: Browser
) -> None:
    body = wav(1, before=info_chunk(INAM="Утренняя планёрка", encoding="cp1251"))
    recording = account.upload_form(body, filename="REC_0001.wav").json()

    browser.open(f"{account.http.base_url}/docs")
    browser.run(
        "const a = document.createElement('a'); a.href = arguments[0]; a.download = ''; a.click()",
        recording["url"],
    )

    mp3 = browser.downloads / "Утренняя планёрка.mp3"
    wait_until(mp3.exists)
    assert hashlib.sha256(mp3.read_bytes()).hexdigest() == recording["sha256"]


def test_a_link_plays_and_seeks_in_a_browser(account: Account, browser: Browser) -> None:
    recording = account.recording(seconds=30)

    browser.open(f"{account.http.base_url}/docs")
    browser.run(
        "window.player = new Audio(arguments[0]); player.currentTime = 20; player.load()", recording["url"]
    )

    wait_until(lambda: browser.run("return player.readyState") == 4)
    assert browser.run("return player.duration") == pytest.approx(30, abs=0.01)
    assert browser.run("return player.currentTime") == pytest.approx(20, abs=0.05)
