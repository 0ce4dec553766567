"""Uploads that attack the decoder, through the whole service: they get a proper response and have no effect."""

import re
import signal
import socket
from collections.abc import Iterator

import httpx2
import psutil
import pytest

from accounts import Account
from converting import decoders_running
from factories import chunk, fmt_chunk, riff
from problem_assertions import assert_problem
from serving import ServedApi
from traces import Traces
from waiting import wait_until

CODINGS = {
    "MS ADPCM": fmt_chunk(tag=2, rate=22_050, channels=1, bits=4, block=512, more=b"\2\0\0\0"),
    "IMA ADPCM": fmt_chunk(tag=0x11, channels=2, bits=4, block=1_024, more=b"\2\0\xf9\3"),
    "GSM 6.10": fmt_chunk(tag=0x31, rate=8_000, channels=1, bits=0, block=65, more=b"\2\0\x40\1"),
    "six channels": fmt_chunk(channels=6),
}


@pytest.fixture
def canary() -> Iterator[socket.socket]:
    """A listening socket to which nothing may connect."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0)
        yield listening
        with pytest.raises(BlockingIOError):
            listening.accept()


def lures(port: int) -> list[bytes]:
    """Files that make ffmpeg open other files and addresses, if it detects one of its other formats."""
    url = f"http://127.0.0.1:{port}/x.wav"
    texts = [
        f"#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:0\n#EXTINF:1,\n{url}\n#EXTINF:1,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n",
        f"ffconcat version 1.0\nfile '/etc/passwd'\nfile '{url}'\n",
        f"concat:/etc/passwd|{url}",
        f"v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nm=audio {port} RTP/AVP 0\n",
        f'<?xml version="1.0"?><!DOCTYPE x SYSTEM "{url}"><MPD><BaseURL>{url}</BaseURL></MPD>',
        f"subfile,,start,0,end,9,,:/etc/passwd\ntcp://127.0.0.1:{port}\n",
    ]
    return [text.encode() * 40 for text in texts]


@pytest.mark.parametrize("coding", CODINGS)
def test_audio_that_spells_a_playlist_is_audio(account: Account, canary: socket.socket, coding: str) -> None:
    for lure in lures(canary.getsockname()[1]):
        answer = account.upload_raw(riff(CODINGS[coding] + chunk(b"data", lure)))
        assert answer.status_code == 201 or assert_problem(answer, 422, "undecodable-audio")
        assert decoders_running() == []


def test_a_playlist_is_no_wav(account: Account, canary: socket.socket) -> None:
    for lure in lures(canary.getsockname()[1]):
        assert_problem(account.upload_raw(lure), 415, "not-a-wav")
        behind_a_fmt_chunk = riff(CODINGS["MS ADPCM"] + lure)
        assert account.upload_raw(behind_a_fmt_chunk).status_code in (415, 422)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_a_decoder_that_dies_is_422_and_is_counted_and_leaves_nothing(
    api: ServedApi, http: httpx2.Client, account: Account, number: signal.Signals
) -> None:
    before = counted(http, number.name)

    def dying() -> Iterator[bytes]:
        yield riff(CODINGS["MS ADPCM"] + chunk(b"data", b"", size=512 * 2_000))
        yield bytes(512 * 1_000)
        wait_until(lambda: [name(each)[:6] for each in decoders_running()] == ["ffmpeg"])
        decoders_running()[0].send_signal(number)
        yield bytes(512 * 1_000)

    answer = account.http.post(
        "/records",
        params={"user": account.id},
        content=dying(),
        headers=account.bearer | {"Content-Type": "audio/wav"},
    )

    document = assert_problem(answer, 422, "undecodable-audio")
    assert document["detail"] == f"The decoder was stopped by {number.name}."
    assert counted(http, number.name) == before + 1
    assert decoders_running() == []
    traces = Traces(api.services)
    assert traces.of(account.id) == traces.of_store(account.id) == []


def test_decoders_that_end_well_and_that_refuse_are_counted_apart(
    http: httpx2.Client, account: Account
) -> None:
    ok, refused = counted(http, "ok"), counted(http, "refused")

    assert account.upload_raw(riff(CODINGS["MS ADPCM"] + chunk(b"data", bytes(512)))).status_code == 201
    broken = account.upload_raw(riff(CODINGS["MS ADPCM"] + chunk(b"data", b"\xff" * 512)))

    assert_problem(broken, 422, "undecodable-audio")
    assert (counted(http, "ok"), counted(http, "refused")) == (ok + 1, refused + 1)


def name(process: psutil.Process) -> str:
    try:
        return process.name()
    except psutil.NoSuchProcess:
        return ""


def counted(http: httpx2.Client, how: str) -> float:
    metrics = http.get("/metrics").text
    found = re.search(rf'^pigwav_decoder_ends_total{{how="{how}"}} (\S+)$', metrics, re.MULTILINE)
    return float(found[1]) if found else 0
