"""What is recorded stays on the device: killed browsers, full disks, hours."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest
import soundfile

from accounts import Account
from page.chromium import FAKE_MICROPHONE, expect, launched_with_profile
from page.recording import RecordDialog, kept, open_kept
from page.visitor import Visitor
from serving import ServedApi

if TYPE_CHECKING:
    from playwright.sync_api import BrowserType, Page

RF64_FROM_BYTES = 2**32
DISK_BYTES = 400_000


def test_a_killed_browser_loses_at_most_a_second(
    chromium: BrowserType, api: ServedApi, account: Account, tmp_path: Path
) -> None:
    with launched_with_profile(chromium, tmp_path, FAKE_MICROPHONE, permissions=["microphone"]) as context:
        visitor = Visitor(context.pages[0], f"{api.url}/")
        visitor.sign_in(account)
        RecordDialog(visitor.page).record(seconds=3)
        kill(tmp_path)
    with launched_with_profile(chromium, tmp_path) as context:
        visitor = Visitor(context.pages[0], visitor.address)
        visitor.sign_in(account)  # Chromium writes localStorage some seconds late
        dialog = open_kept(visitor.page)
        assert dialog.seconds() >= 3 - 1
        dialog.button("Play the recording").click()
        expect(dialog.button("Pause the recording")).to_be_visible()


def kill(profile: Path) -> None:
    """Kills all processes of the browser with this profile, at once."""
    (browser,) = [
        process
        for process in psutil.Process().children(recursive=True)
        if f"--user-data-dir={profile}" in process.cmdline() and "--type=" not in " ".join(process.cmdline())
    ]
    for process in [browser, *browser.children(recursive=True)]:
        process.kill()


def test_a_full_disk_ends_the_recording_and_keeps_it(visitor: Visitor, api: ServedApi) -> None:
    page = visitor.page
    limits = {"origin": api.url, "quotaSize": DISK_BYTES}
    page.context.new_cdp_session(page).send("Storage.overrideQuotaForOrigin", limits)
    dialog = RecordDialog(page)
    dialog.start()

    expect(dialog.says).to_contain_text("This device has no room left.", timeout=30_000)
    expect(dialog.send_button).to_be_visible()
    assert dialog.seconds() >= 1
    page.reload()
    expect(kept(page)).to_have_count(1)


@pytest.mark.parametrize("audio_bytes", [0, 96_000, RF64_FROM_BYTES - 74, RF64_FROM_BYTES - 72, 20 * 10**9])
def test_a_wav_beyond_4_gib_is_rf64(visitor: Visitor, tmp_path: Path, audio_bytes: int) -> None:
    path = tmp_path / "long.wav"
    with path.open("wb") as file:
        file.write(header(visitor.page, rate=48_000, audio_bytes=audio_bytes))
        file.truncate(file.tell() + audio_bytes)  # a hole: it takes no room on the disk

    with path.open("rb") as file:
        assert (file.read(4) == b"RF64") == (audio_bytes + 72 >= RF64_FROM_BYTES)
    read = soundfile.info(str(path))
    assert (read.samplerate, read.channels, read.subtype) == (48_000, 1, "PCM_16")
    assert read.frames == audio_bytes // 2


def test_an_rf64_of_the_recorder_is_accepted(visitor: Visitor, account: Account) -> None:
    # Its declared 4 GiB are never sent: what counts is that the service knows the header.
    body = header(visitor.page, rate=48_000, audio_bytes=RF64_FROM_BYTES) + bytes(96_000)
    assert account.upload_raw(body).json()["duration_ms"] == 1000


def header(page: Page, *, rate: int, audio_bytes: int) -> bytes:
    return bytes(
        page.evaluate(
            "async ([rate, bytes]) => [...(await import('/page/js/wav.js')).wavHeader(rate, bytes)]",
            [rate, audio_bytes],
        )
    )


@pytest.mark.long
def test_an_hour_needs_no_more_memory_than_a_minute(visitor: Visitor, account: Account) -> None:
    """The worker gets an hour of blocks faster than real time, each after the one before is in the file."""
    page = visitor.page
    page.evaluate(FEED, [account.id, 60])
    after_a_minute = renderer_bytes(page)
    page.evaluate(FEED, [account.id, 3600])
    grown = renderer_bytes(page) - after_a_minute

    assert grown < 100 * 2**20
    page.reload()
    expect(kept(page)).to_have_count(2)
    expect(kept(page).nth(1)).to_contain_text("1:00:00")


FEED = """async ([user, seconds]) => {
    const { newName } = await import('/page/js/kept.js');
    const rate = 48000, perBlock = 4800;
    const worker = new Worker('/page/js/recorder-worker.js', { type: 'module' });
    const { port1, port2 } = new MessageChannel();
    const told = () => new Promise((resolve) => { worker.onmessage = ({ data }) => resolve(data); });
    const opened = told();
    worker.postMessage({ user, name: newName(), rate }, [port2]);
    await opened;
    for (let block = 0; block < seconds * rate / perBlock; block++) {
        const samples = Int16Array.from({ length: perBlock }, (_, i) => 8000 * Math.sin(i / 10));
        const written = told();
        port1.postMessage(samples, [samples.buffer]);
        await written;
    }
    const closed = told();
    port1.postMessage('end');
    await closed;
    worker.terminate();
}"""


def renderer_bytes(page: Page) -> int:
    """Proportional set size of the largest renderer among this process's browsers."""
    renderers = [
        process
        for process in psutil.Process().children(recursive=True)
        if "--type=renderer" in process.cmdline()
    ]
    return max(process.memory_full_info().pss for process in renderers)
