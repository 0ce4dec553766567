"""The page in Firefox: what a person does there, once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from accounts import Account
from factories import wav
from needs import skip_unless_required
from page.firefox import Firefox, firefox_program, named, running_firefox
from page.null_sink import pulseaudio_program
from serving import ServedApi
from waiting import wait_until

DIALOG = "//dialog"
RECORDED_S = 3


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Firefox]:
    skip_unless_required("firefox")
    firefox_program()  # fails before anything starts
    pulseaudio_program()
    with running_firefox(tmp_path_factory.mktemp("firefox")) as firefox:
        yield firefox


@pytest.fixture
def firefox(running: Firefox, api: ServedApi) -> Iterator[Firefox]:
    """At the page, signed out. At the end it asserts that Firefox has noted no error."""
    running.open(f"{api.url}/page/icon.svg")
    running.run("localStorage.clear()")
    running.open(f"{api.url}/")
    yield running
    assert running.errors(api.url) == []


def sign_in(firefox: Firefox, account: Account) -> None:
    user = {"id": account.id, "name": "Anna", "token": account.token}
    firefox.run("localStorage.setItem('pigwav.user', arguments[0]); location.reload()", json.dumps(user))
    firefox.wait_for(named("button", "Record"))


def row(title: str) -> str:
    return f'//article[@aria-label="{title}"]'


def has_moved(firefox: Firefox, slider: str) -> bool:
    return int(firefox.attribute(slider, "aria-valuenow")) >= 1


def has_bars(firefox: Firefox) -> bool:
    """Whether the loudest bar of the first waveform takes more than half of its height."""
    return firefox.run(
        """const canvas = document.querySelector('pw-waveform canvas');
        if (!canvas?.width) return false;
        const { data, width, height } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
        const column = (x) => Array.from({ length: height }, (_, y) => data[4 * (y * width + x) + 3]);
        const heights = Array.from({ length: width }, (_, x) => column(x).filter(Boolean).length);
        return Math.max(...heights) > height / 2"""
    )


def stored(account: Account) -> list[dict]:
    return account.http.get("/records", headers=account.bearer).json()["items"]


def test_a_new_user_sends_a_file_and_plays_it(firefox: Firefox, tmp_path: Path) -> None:
    file = tmp_path / "Sent.wav"
    file.write_bytes(wav(seconds=20, content="noise"))
    firefox.write("//input[@id='name']", "visitor with Firefox")
    firefox.click(named("button", "Begin"))
    firefox.click(named("button", "I have kept them"))
    firefox.write("//input[@type='file']", str(file))

    firefox.wait_for(row("Sent"))
    wait_until(lambda: has_bars(firefox))
    firefox.click(named("button", "Play Sent"))
    firefox.wait_for(named("button", "Pause Sent"))
    wait_until(lambda: has_moved(firefox, "//*[@aria-label='Position in Sent']"))


def test_the_listening_page_plays_from_where_its_address_says(
    firefox: Firefox, api: ServedApi, account: Account
) -> None:
    recording = account.long_recording(seconds=90, title="Shared")
    firefox.open(f"{api.url}/listen?id={recording['id']}&user={recording['user']}&t=61.5")
    wait_until(lambda: has_bars(firefox))
    firefox.click(named("button", "Play"))

    firefox.wait_for(named("button", "Pause"))
    wait_until(lambda: firefox.attribute("//pw-waveform", "aria-valuenow") == "63")


def test_what_is_recorded_is_sent(firefox: Firefox, account: Account) -> None:
    sign_in(firefox, account)
    firefox.click(named("button", "Record"))
    firefox.click(named("button", "Start recording"))
    firefox.wait_for(f"//*[@class='timer'][.='0:0{RECORDED_S}']")
    firefox.click(named("button", "Done"))
    firefox.write("//dialog//input", "Recorded")
    firefox.click(named("button", "Send", inside=DIALOG))

    firefox.wait_for(row("Recorded"))
    [recording] = stored(account)
    assert recording["duration_ms"] >= RECORDED_S * 1000
    assert recording["warnings"] == []  # it is not silent


def test_a_deleted_recording_comes_back_by_undo_and_is_gone_without(
    firefox: Firefox, account: Account
) -> None:
    recording = account.recording(title="Unwanted")
    sign_in(firefox, account)
    delete(firefox, "Unwanted")
    firefox.click(named("button", "Undo"))
    firefox.wait_for(row("Unwanted"))
    assert httpx2.get(recording["url"]).status_code == 200

    delete(firefox, "Unwanted")
    firefox.run("location.reload()")  # who leaves the page cannot undo
    wait_until(lambda: httpx2.get(recording["url"]).status_code == 404)


def delete(firefox: Firefox, title: str) -> None:
    firefox.click(named("button", f"More about {title}"))
    firefox.click(named("*[@role='menuitem']", "Delete"))
    firefox.wait_until_gone(row(title))
