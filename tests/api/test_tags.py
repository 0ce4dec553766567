"""A WAV's tags: in the row, in the response, in the MP3's ID3 tag, in the download's file name."""

import hashlib
import io
from urllib.parse import unquote

import httpx2
import pytest
from mutagen.id3 import ID3
from mutagen.mp3 import MP3

from accounts import Account
from factories import STREAMED, bext_chunk, chunk, info_chunk, wav
from pigwav.store.base import PART_BYTES

CYRILLIC = info_chunk(INAM="Утренняя планёрка", IART="Студия № 1", ICRD="2026-11-24", ITRK="3/12")
SAYS_NOTHING = dict.fromkeys(
    ("title", "artist", "album", "date", "comment", "track", "originator", "time_reference_samples")
)


def fetched(account: Account, recording: dict) -> httpx2.Response:
    answer = account.http.get(recording["url"])
    assert answer.status_code == 200
    assert len(answer.content) == recording["bytes"]
    assert hashlib.sha256(answer.content).hexdigest() == recording["sha256"]
    return answer


def players_see(mp3: bytes) -> dict[str, str]:
    return {key: str(frame) for key, frame in ID3(io.BytesIO(mp3)).items()}


def test_a_cp1251_title_is_read_by_players_and_names_the_download(account: Account) -> None:
    uploaded = account.upload_form(wav(1, before=CYRILLIC), filename="REC_0001.wav").json()

    answer = fetched(account, uploaded)

    seen = players_see(answer.content)
    assert (seen["TIT2"], seen["TPE1"], seen["TRCK"]) == ("Утренняя планёрка", "Студия № 1", "3/12")
    assert ID3(io.BytesIO(answer.content), translate=False).version == (2, 3, 0)
    assert MP3(io.BytesIO(answer.content)).info.length == pytest.approx(1, abs=0.05)
    assert "Утренняя планёрка.mp3" in unquote(answer.headers["content-disposition"])
    assert uploaded["title"] == "Утренняя планёрка"


def test_tags_are_shown_with_the_recording(account: Account) -> None:
    body = wav(0.2, before=CYRILLIC + bext_chunk(originator="Zoom F8", time_reference=48_000 * 3_600))
    uploaded = account.upload_raw(body).json()

    shown = account.http.get(f"/records/{uploaded['id']}", headers=account.bearer).json()

    assert shown == uploaded
    assert shown["tags"] == SAYS_NOTHING | {
        "title": "Утренняя планёрка",
        "artist": "Студия № 1",
        "date": "2026-11-24",
        "track": "3/12",
        "originator": "Zoom F8",
        "time_reference_samples": 48_000 * 3_600,
    }


def test_a_wav_that_says_nothing_gets_no_tag(account: Account) -> None:
    uploaded = account.upload_form(wav(0.2), filename="note.wav").json()

    assert uploaded["tags"] == SAYS_NOTHING
    assert fetched(account, uploaded).content[:2] == b"\xff\xfb"


def test_the_sender_s_title_wins_over_the_wav_s_own_also_in_players(account: Account) -> None:
    uploaded = account.upload_raw(wav(0.2, before=CYRILLIC), title="Standup", filename="a.wav").json()

    assert uploaded["title"] == "Standup"
    assert uploaded["tags"]["title"] == "Утренняя планёрка"
    assert players_see(fetched(account, uploaded).content)["TIT2"] == "Standup"


def test_a_raw_body_s_file_name_is_the_title_of_last_resort(account: Account) -> None:
    assert account.upload_raw(wav(0.2), filename="C:\\calls\\Анна.wav").json()["title"] == "Анна"
    assert account.upload_raw(wav(0.2, before=CYRILLIC), filename="a.wav").json()["title"] != "a"


def test_a_file_s_name_is_cut_and_never_refused(account: Account) -> None:
    assert len(account.upload_raw(wav(0.1), filename="\u0958" * 300 + ".wav").json()["title"]) == 200
    assert account.upload_raw(wav(0.1), filename=".wav").json()["title"] is None
    assert account.upload_raw(wav(0.1), filename="archive.tar.wav").json()["title"] == "archive.tar"


def test_a_title_without_anything_visible_is_none_and_nothing_turns_text_around(account: Account) -> None:
    unseen = info_chunk(INAM="\u200b \u2060", encoding="utf-8")
    assert account.upload_raw(wav(0.1, before=unseen), filename="a.wav").json()["title"] == "a"
    turned = info_chunk(INAM="\u202eexe.\u2066a", encoding="utf-8")
    assert account.upload_raw(wav(0.1, before=turned)).json()["title"] == "exe.a"


def test_tags_behind_the_audio_are_in_a_small_mp3(account: Account) -> None:
    uploaded = account.upload_raw(wav(1, after=CYRILLIC), filename="a.wav").json()

    assert uploaded["title"] == uploaded["tags"]["title"] == "Утренняя планёрка"
    assert players_see(fetched(account, uploaded).content)["TIT2"] == "Утренняя планёрка"


def test_tags_before_the_audio_win_over_those_behind_it(account: Account) -> None:
    body = wav(0.2, before=info_chunk(INAM="before"), after=info_chunk(INAM="behind", IART="behind"))

    tags = account.upload_raw(body).json()["tags"]

    assert (tags["title"], tags["artist"]) == ("before", "behind")


def test_a_title_field_behind_the_file_is_in_a_small_mp3(account: Account) -> None:
    parts = [
        ("user_id", (None, str(account.id))),
        ("token", (None, account.token)),
        ("file", ("a.wav", wav(1), "audio/wav")),
        ("title", (None, "late")),
    ]
    uploaded = account.http.post("/records", files=parts).json()

    assert uploaded["title"] == "late"
    assert players_see(fetched(account, uploaded).content)["TIT2"] == "late"


@pytest.mark.parametrize("size", [None, STREAMED])
def test_a_long_mp3_carries_what_stood_before_the_audio_and_the_row_has_the_rest(
    account: Account, size: int | None
) -> None:
    """The MP3's ID3 tag is stored before the WAV has ended."""
    behind = b"" if size else info_chunk(INAM="behind", IPRD="album")
    before = info_chunk(IART="before")
    body = wav(140, before=before, after=behind, data_size=size)

    uploaded = account.upload_raw(body, bitrate=320, filename="file.wav").json()

    assert uploaded["bytes"] > PART_BYTES
    assert uploaded["tags"]["artist"] == "before"
    assert uploaded["title"] == ("file" if size else "behind")
    assert uploaded["tags"]["album"] == (None if size else "album")
    assert players_see(fetched(account, uploaded).content) == {"TPE1": "before"}


def test_a_wav_that_lies_about_its_length_keeps_its_tags_and_checksum(account: Account) -> None:
    body = wav(140, before=CYRILLIC, data_size=200 * 44_100 * 4)

    uploaded = account.upload_raw(body, bitrate=320).json()

    assert uploaded["truncated"]
    assert players_see(fetched(account, uploaded).content)["TIT2"] == "Утренняя планёрка"


def test_markup_and_control_characters_in_a_title_are_text(account: Account) -> None:
    uploaded = account.upload_raw(wav(0.2, before=info_chunk(INAM='<b>a\r\nX-Evil: "1"\x1b[2J'))).json()

    assert uploaded["title"] == '<b>a X-Evil: "1" [2J'
    headers = fetched(account, uploaded).headers
    assert "x-evil" not in headers
    assert chunk(b"data", b"") not in fetched(account, uploaded).content
