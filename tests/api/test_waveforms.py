"""The waveform over HTTP: in audiowaveform's formats, as long as the link is alive."""

import base64
import struct

import httpx2
import numpy as np
import pytest
from sqlalchemy import delete

from accounts import Account
from factories import chunk, fmt_chunk, riff
from pigwav.db.models import WaveformRow
from problem_assertions import assert_problem
from serving import ServedApi

RATE_HZ = 16_000
QUIET_THEN_LOUD = np.repeat([1000, -20_000], 2 * RATE_HZ).astype("<i2").tobytes()
BODY = riff(fmt_chunk(rate=RATE_HZ, channels=1) + chunk(b"data", QUIET_THEN_LOUD))


@pytest.fixture
def link(account: Account) -> str:
    return account.upload_raw(BODY).json()["url"]


def waveform(link: str, kind: str, **headers: str) -> httpx2.Response:
    path, _, query = link.partition("/record?id=")
    recording, _, user = query.partition("&")
    return httpx2.get(f"{path}/record/{recording}.{kind}?{user}", headers=headers)


def test_it_is_audiowaveform_s_binary_and_json_format(link: str) -> None:
    dat, document = waveform(link, "dat"), waveform(link, "json").json()

    assert dat.headers["content-type"] == "application/octet-stream"
    assert struct.unpack_from("<iIiiIi", dat.content) == (2, 1, RATE_HZ, RATE_HZ // 50, 200, 1)
    pairs = list(struct.unpack_from("400b", dat.content, 24))
    assert pairs == [3] * 200 + [-79] * 200
    assert document == {
        "version": 2,
        "channels": 1,
        "sample_rate": RATE_HZ,
        "samples_per_pixel": RATE_HZ // 50,
        "bits": 8,
        "length": 200,
        "data": pairs,
    }


@pytest.mark.parametrize("kind", ["dat", "json"])
def test_a_copy_is_checked_and_not_sent_again(link: str, kind: str) -> None:
    first = waveform(link, kind)

    again = waveform(link, kind, **{"If-None-Match": first.headers["etag"]})

    assert first.headers["cache-control"] == "private, no-cache"
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    assert_problem(waveform(link, kind, **{"If-Match": '"other"'}), 412, "precondition-failed")


@pytest.mark.parametrize("kind", ["dat", "json"])
def test_it_is_dead_with_its_link(account: Account, link: str, kind: str) -> None:
    recording = account.http.get("/records", headers=account.bearer).json()["items"][0]["id"]
    assert_problem(waveform(link.replace("user=", "user=9"), kind), 404, "recording-not-found")

    account.http.delete(f"/records/{recording}", headers=account.bearer)

    assert_problem(waveform(link, kind), 404, "recording-not-found")


def test_an_older_recording_has_none(api: ServedApi, account: Account, link: str) -> None:
    with api.services.add_recording.database.begin() as db:
        db.execute(delete(WaveformRow))

    assert_problem(waveform(link, "dat"), 404, "waveform-missing")
    [item] = account.http.get("/records?peaks=1", headers=account.bearer).json()["items"]
    assert item["peaks"] is None


def test_a_list_has_overviews_if_they_are_asked_for(account: Account, link: str) -> None:
    [plain] = account.http.get("/records", headers=account.bearer).json()["items"]
    [drawn] = account.http.get("/records?peaks=1", headers=account.bearer).json()["items"]

    assert plain["url"] == drawn["url"] == link
    assert plain["peaks"] is None
    assert base64.b64decode(drawn["peaks"]) == bytes([3] * 48 + [79] * 48)
