"""The card over HTTP: the picture that a page announces to messengers, as long as the link is alive."""

from io import BytesIO

import httpx2
import pytest
from PIL import Image
from sqlalchemy import delete

from accounts import Account, register
from pigwav.audio.card import card
from pigwav.db.models import WaveformRow
from pigwav.settings import Settings
from problem_assertions import assert_problem
from serving import ServedApi, served

NOBODY = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def recording(account: Account) -> dict:
    return account.recording(seconds=1)


def picture(account: Account, recording: dict, method: str = "GET", **headers: str) -> httpx2.Response:
    query = {"id": recording["id"], "user": recording["user"]}
    return account.http.request(method, "/listen/card.png", params=query, headers=headers)


def test_it_is_a_picture_of_the_waveform(account: Account, recording: dict) -> None:
    dat = account.http.get(f"/record/{recording['id']}.dat", params={"user": account.id})

    answer = picture(account, recording)

    assert answer.headers["content-type"] == "image/png"
    assert answer.content == card(dat.content)
    assert Image.open(BytesIO(answer.content)).size == (1200, 630)


def test_head_tells_the_same_without_the_picture(account: Account, recording: dict) -> None:
    whole, head = picture(account, recording), picture(account, recording, "HEAD")

    assert (head.status_code, head.content) == (200, b"")
    for name in ("content-length", "content-type", "etag", "cache-control", "last-modified"):
        assert head.headers[name] == whole.headers[name]


def test_a_cache_must_ask_whether_it_is_still_there(account: Account, recording: dict) -> None:
    first = picture(account, recording)

    again = picture(account, recording, **{"If-None-Match": first.headers["etag"]})

    assert first.headers["cache-control"] == again.headers["cache-control"] == "private, no-cache"
    assert (again.status_code, again.content) == (304, b"")
    assert_problem(picture(account, recording, **{"If-Match": '"other"'}), 412, "precondition-failed")


def test_it_is_drawn_once(api: ServedApi, account: Account, recording: dict) -> None:
    drawn = api.services.read_card.card.cache_info

    before = drawn().misses
    bodies = {picture(account, recording).content for _ in range(3)}

    assert len(bodies) == 1
    assert drawn().misses - before <= 1  # none if another recording of the session sounds the same


def test_it_is_dead_with_its_link(account: Account, other_user: Account, recording: dict) -> None:
    assert picture(account, recording).status_code == 200
    account.http.delete(f"/records/{recording['id']}", headers=account.bearer)
    dead = [
        recording,
        {"id": other_user.recording()["id"], "user": account.id},
        {"id": NOBODY, "user": account.id},
        {"id": "x", "user": account.id},
        {"id": recording["id"], "user": "-1"},
        {"id": "", "user": ""},
    ]

    answers = [picture(account, one) for one in dead]

    for answer in answers:
        assert_problem(answer, 404, "recording-not-found")
        assert answer.headers["cache-control"] == "no-store"
    assert len({answer.content for answer in answers}) == 1


def test_an_older_recording_has_the_mark_alone(api: ServedApi, account: Account, recording: dict) -> None:
    with api.services.add_recording.database.begin() as db:
        db.execute(delete(WaveformRow))

    assert picture(account, recording).content == card(None)


def test_it_counts_for_the_rate_of_its_address(settings: Settings) -> None:
    rates = settings.rates.model_copy(update={"requests_per_address": "5/hour"})
    with (
        served(settings.model_copy(update={"rates": rates})) as api,
        httpx2.Client(base_url=api.url) as http,
    ):
        account = register(http)
        recording = account.recording()
        statuses = [picture(account, recording).status_code for _ in range(4)]

    assert statuses == [200, 200, 200, 429]
