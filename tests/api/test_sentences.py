"""The detail of a refusal is a whole sentence that names what is wrong with the request."""

from collections.abc import Callable
from uuid import uuid4

import httpx2
import pytest

from accounts import Account
from factories import fmt_chunk, riff, wav
from problem_assertions import is_sentence

WAV = wav(seconds=0.1)


def form(
    body: bytes, content_type: str = "multipart/form-data; boundary=b"
) -> Callable[..., httpx2.Response]:
    return lambda account: account.http.post("/records", content=body, headers={"Content-Type": content_type})


def raw(body: bytes, **query: object) -> Callable[..., httpx2.Response]:
    return lambda account: account.upload_raw(body, **query)


def get(path: str) -> Callable[..., httpx2.Response]:
    return lambda account: account.http.get(path, headers=account.bearer)


def register(name: object) -> Callable[..., httpx2.Response]:
    return lambda account: account.http.post("/users", json={"name": name})


@pytest.mark.parametrize(
    "ask",
    [
        register("x" * 201),
        register(7),
        lambda account: account.http.post("/users", content=b"<x/>", headers={"Content-Type": "text/xml"}),
        lambda account: account.http.post("/users", content=b"x" * 100_000),
        lambda account: account.http.patch(f"/records/{uuid4()}", headers=account.bearer, content=b"{"),
        get("/records?cursor=nonsense"),
        get("/records?limit=0"),
        get("/record?id=nonsense&user=0"),
        form(b"", "application/json"),
        form(b"", "multipart/form-data"),
        form(b"nonsense" * 1000),
        form(b'--b\r\nContent-Disposition: form-data; name="file"\r\n\r\nRIFF'),
        form(b'--b\r\nContent-Disposition: form-data; name="title"\r\n\r\nx\r\n' * 2 + b"--b--"),
        raw(b"RIFF"),
        raw(b"OggS" + bytes(40)),
        raw(b"RIFX" + WAV[4:]),
        raw(riff(fmt_chunk(tag=0x161))),
        raw(riff(fmt_chunk(channels=33))),
        raw(riff(fmt_chunk(rate=768_001))),
        raw(riff(fmt_chunk(bits=0))),
        raw(WAV, bitrate="many"),
        raw(WAV, bitrate=7),
        raw(WAV, title="x" * 201),
    ],
)
def test_every_refusal_has_a_detail_that_is_a_sentence(
    account: Account, ask: Callable[[Account], httpx2.Response]
) -> None:
    document = ask(account).json()

    assert 400 <= document["status"] < 500
    assert is_sentence(document["detail"]), document
