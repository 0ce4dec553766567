"""The fuzzer sends every kind of input that it is meant to send: in a few thousand inputs there is each of them."""

import re
from collections.abc import Iterator
from functools import cache
from random import Random

import pytest

from factories import wav
from fuzz.hostile_http import Known, hostile_request
from fuzz.mutators import mutated
from fuzz.seeds import wavs

TOKEN = "8e03978e-40d5-43dd-bc93-6894a57f9324"
REQUESTS = 5_000
WAVS = 2_000

_BEARER_FORM = rb"multipart/form-data.*Authorization: Bearer " + TOKEN.encode()
_FILE = rb'name="file".*'


@cache
def requests() -> tuple[bytes, ...]:
    known = Known(1, TOKEN, TOKEN, wav(0.01, rate=8_000, channels=1))
    return tuple(hostile_request(known, Random(number)).bytes_to_send() for number in range(REQUESTS))


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param(_BEARER_FORM + b'.*name="user_id".*' + _FILE, id="Bearer and fields before the file"),
        pytest.param(_BEARER_FORM + b".*" + _FILE + b'name="token"', id="Bearer and a field after the file"),
        pytest.param(rb"boundary=\*{5}\r\n.*\r\n--\*{5}--", id="boundary of asterisks"),
        pytest.param(rb'boundary="a b"\r\n', id="quoted boundary with a space"),
        pytest.param(rb"boundary=b{71}\r\n", id="boundary that is too long"),
        pytest.param(rb"text/plain; charset=windows-1251", id="charset of a part"),
        pytest.param(rb"text/plain; charset=zlib", id="charset that is none of text"),
        pytest.param(rb'name="_charset_"\r\n\r\n(?!\r\n)', id="_charset_"),
        pytest.param(rb"boundary=b; charset=windows-1251", id="charset of the form"),
        pytest.param(rb'filename="=\?UTF-8\?B\?', id="RFC 2047 name"),
        pytest.param(rb'filename="%D0%AF', id="percent-encoded name"),
        pytest.param(rb"filename\*=UTF-8''%D0", id="RFC 8187 name"),
        pytest.param(rb"Content-Transfer-Encoding: base64", id="transfer encoding of a part"),
        pytest.param(rb"Transfer-Encoding: gzip, chunked", id="two transfer codings"),
        pytest.param(rb"Transfer-Encoding: identity\r\n", id="identity as transfer coding"),
        pytest.param(rb"Content-Encoding: gzip\r\n.*\r\n\r\n\x1f\x8b", id="compressed body"),
        pytest.param(rb"Content-Encoding: identity\r\n", id="identity as content coding"),
    ],
)
def test_a_kind_of_request_is_sent(kind: bytes) -> None:
    assert any(re.search(kind, request, re.DOTALL) for request in requests())


@cache
def damaged_wavs() -> tuple[bytes, ...]:
    return tuple(mutated(wavs(), Random(number)) for number in range(WAVS))


def _chunks_of_code_pages() -> Iterator[bytes]:
    return (found[1] for one in damaged_wavs() if (found := re.search(rb"CSET(?s:.{4})(..)", one)))


def test_code_pages_are_sent() -> None:
    assert len({*_chunks_of_code_pages()}) > 10


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param(rb"\AID3.*RIFF", id="ID3v2 in front"),
        pytest.param(rb"\ARIFF.*fmt .*fmt .*data", id="two fmt chunks"),
        pytest.param(rb"\ARIFF.*fmt .*data.*data", id="two data chunks"),
    ],
)
def test_a_kind_of_wav_is_sent(kind: bytes) -> None:
    assert sum(bool(re.search(kind, one, re.DOTALL)) for one in damaged_wavs()) > 10
