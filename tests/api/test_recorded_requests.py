"""Uploads byte for byte as HTTP libraries and tools sent them. service/docs/tests.md says how they were recorded."""

from pathlib import Path
from typing import Final

import httpx2
import pytest

from accounts import Account
from api.sockets import Answer, connect
from serving import ServedApi

FOLDER: Final = Path(__file__).parent / "recorded_requests"
RECORDED_USER: Final = b"1234567890"
RECORDED_TOKEN: Final = b"23e10bfa-ce68-4444-95dd-4af608f2bf47"
WAV_BYTES: Final = 364

TITLES: Final = {
    "aiohttp-form": "my call 1",
    "aiohttp-form-cyrillic-name": "Речь",
    "aiohttp-multipart-writer": "my call 1",
    "aiohttp-raw": None,
    "aiohttp-raw-pieces": None,
    "android-sample": "talk",
    "apache4-browser-mode": "Речь",
    "apache4-form": "Café",
    "apache4-raw": None,
    "apache5-form": "Запись 1",
    "axios-blob-first": None,
    "axios-form": "Café — Речь",
    "axios-form-data-package": "my call 1",
    "axios-raw-buffer": None,
    "axios-raw-stream": None,
    "curl-data-binary": None,
    "curl-form": "Standup",
    "curl-form-file-first": "talk",
    "curl-form-stdin": None,
    "curl-upload-file": None,
    "curl-upload-stdin": None,
    "fetch-form": "undefined",
    "fetch-raw-blob": None,
    "fetch-raw-stream": None,
    "go-form": "Речь",
    "go-raw": None,
    "go-raw-pieces": None,
    "httpx-form": "Запись 1",
    "java11-raw": None,
    "okhttp-form": "Запись 1",
    "okhttp-raw-without-type": None,
    "requests-form": "Речь",
    "requests-form-cyrillic-name": "Запись 1",
    "requests-raw": None,
    "requests-raw-generator": None,
    "urllib-raw": None,
    "wget-body-file": None,
    "wget-post-file": None,
}
"""The titles of the recordings that are made."""

REFUSALS: Final = {
    "aiohttp-compressed": (415, "unsupported-content-encoding", "'gzip'"),
    "curl-data-binary-form": (401, "not-authenticated", "no access token"),
    "curl-form-text-instead-of-file": (415, "not-a-wav", "text"),
    "curl-form-without-token": (401, "not-authenticated", "no access token"),
    "curl-gzip": (415, "unsupported-content-encoding", "'gzip'"),
    "curl-gzip-undeclared": (415, "not-a-wav", "compressed with gzip"),
    "curl-no-file": (422, "file-missing", "no file was chosen"),
    "fetch-data-url": (415, "not-a-wav", "`data:` URL"),
    "fetch-json": (415, "unsupported-media-type", "application/json"),
}
"""Status, code, and what the detail says."""


def replayed(api: ServedApi, account: Account, name: str) -> Answer:
    """The answer to a recording in which only the credentials are other ones, of the same lengths."""
    recorded = (FOLDER / f"{name}.http").read_bytes()
    user = str(account.id).ljust(len(RECORDED_USER)).encode()
    sent = recorded.replace(RECORDED_TOKEN, account.token.encode()).replace(RECORDED_USER, user)
    with connect(api) as connection:
        connection.sendall(sent)
        received = Answer.read(connection)
        interim = received.status == 100
        return Answer.read(connection, received.body) if interim else received


@pytest.mark.parametrize(("name", "title"), TITLES.items(), ids=TITLES.keys())
def test_what_libraries_and_tools_send_is_taken(
    api: ServedApi, account: Account, name: str, title: str | None
) -> None:
    answer = replayed(api, account, name)

    recording = answer.document()
    assert answer.status == 201, recording
    assert (recording["user"], recording["title"]) == (account.id, title)
    assert (recording["wav_bytes"], recording["duration_ms"]) == (WAV_BYTES, 20)


@pytest.mark.parametrize(("name", "refusal"), REFUSALS.items(), ids=REFUSALS.keys())
def test_what_cannot_be_taken_is_refused_by_name(
    api: ServedApi, http: httpx2.Client, account: Account, name: str, refusal: tuple[int, str, str]
) -> None:
    status, code, words = refusal

    answer = replayed(api, account, name)

    answer.assert_problem(status, code)
    assert words in answer.document()["detail"]
    assert http.get("/records", headers=account.bearer).json()["items"] == []


def test_every_recording_has_an_outcome() -> None:
    assert {path.stem for path in FOLDER.glob("*.http")} == {*TITLES, *REFUSALS}
