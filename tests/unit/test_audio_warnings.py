"""WAVs whose header is wrong, or which are not all audio: they are converted, and a warning says so."""

import struct

import pytest

from converting import convert
from factories import chunk, ds64_chunk, fmt_chunk, info_chunk, riff, wav
from pigwav.domain import WarningCode
from problem_assertions import is_sentence

SECOND = {"rate": 16_000, "channels": 1}
"""A second of it has 32,000 bytes of audio, and a header of 44."""
PLAIN = wav(1, **SECOND)
DATA = PLAIN[44:]
FMT = fmt_chunk(rate=16_000, channels=1)


def with_id3(wav: bytes, *, footer: bool = False) -> bytes:
    """An ID3v2.4 tag with a title, and `wav` after it."""
    frame = b"TIT2" + bytes((0, 0, 0, 7)) + b"\0\0" + b"\3in ID3"
    end = b"3DI\4\0\x10" + bytes((0, 0, 0, len(frame))) if footer else b""
    return b"ID3\4\0" + (b"\x10" if footer else b"\0") + bytes((0, 0, 0, len(frame))) + frame + end + wav


@pytest.mark.parametrize("knows_length", [True, False])
@pytest.mark.parametrize(
    ("body", "code", "value"),
    [
        pytest.param(
            wav(1, data_size=2_000_000_000, **SECOND), "size-field-wrong", 2_000_000_000, id="placeholder"
        ),
        pytest.param(wav(1, data_size=32_044, **SECOND), "size-field-wrong", 32_044, id="size of the file"),
        pytest.param(wav(1, data_size=32_036, **SECOND), "size-field-wrong", 32_036, id="size of RIFF"),
        pytest.param(
            wav(1, data_size=32_008, **SECOND), "size-field-wrong", 32_008, id="with the chunk's head"
        ),
        pytest.param(
            wav(1, data_size=32_044 + 108, before=chunk(b"LIST", bytes(100)), **SECOND),
            "size-field-wrong",
            32_152,
            id="size of a file with a longer header",
        ),
        pytest.param(
            riff(ds64_chunk(1 << 40) + FMT + chunk(b"data", DATA, size=0xFFFFFFFF), magic=b"RF64"),
            "size-field-wrong",
            1 << 40,
            id="RF64 of a terabyte",
        ),
        pytest.param(wav(1, data_size=64_000, **SECOND), "truncated", 1_000, id="the second half is missing"),
        pytest.param(
            riff(fmt_chunk(rate=16_000, channels=1, block=4) + chunk(b"data", DATA)),
            "block-align-corrected",
            4,
            id="block of 4 for 16 bits of one channel",
        ),
        pytest.param(
            riff(FMT + fmt_chunk(bits=8) + chunk(b"data", DATA)),
            "second-fmt-chunk-ignored",
            None,
            id="two fmt chunks",
        ),
        pytest.param(
            PLAIN + chunk(b"data", bytes(999)), "second-data-chunk-ignored", 999, id="two data chunks"
        ),
        pytest.param(
            wav(1, after=chunk(b"data", bytes(10), size=5_000), **SECOND),
            "second-data-chunk-ignored",
            10,
            id="a second data chunk that is cut off",
        ),
        pytest.param(PLAIN + PLAIN, "second-file-ignored", 32_044, id="two WAVs"),
        pytest.param(
            PLAIN + b"\0" + wav(1, magic=b"RF64", data_size=0xFFFFFFFF),
            "second-file-ignored",
            176_444,
            id="and RF64",
        ),
        pytest.param(
            wav(1, after=b"\x9c\xb1\3\x80" * 500, **SECOND),
            "bytes-after-audio-ignored",
            2_000,
            id="noise behind",
        ),
    ],
)
def test_a_wrong_wav_is_converted_and_the_warning_says_what_is_wrong(
    body: bytes, code: str, value: int | None, *, knows_length: bool
) -> None:
    done = convert(body, max_wav_bytes=len(body) if knows_length else None)

    assert done.facts.duration_ms == 1_000
    assert done.facts.warnings is not None
    (warning,) = done.facts.warnings
    assert (warning.code, warning.value) == (code, value)
    assert is_sentence(warning.detail)
    assert value is None or warning.unit in ("bytes", "ms")
    assert done.facts.truncated is (code == "truncated")
    assert (done.facts.declared_duration_ms is None) is (code == "size-field-wrong")


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(PLAIN, id="plain"),
        pytest.param(
            wav(1, after=info_chunk(INAM="x") + chunk(b"XtRa", b"custom"), **SECOND), id="chunks behind"
        ),
        pytest.param(PLAIN + bytes(5_000), id="zeros behind"),
        pytest.param(PLAIN + b"\n", id="a line end behind"),
        pytest.param(wav(1, data_size=0, **SECOND), id="streamed"),
        pytest.param(riff(FMT + chunk(b"data", b"") + chunk(b"data", DATA)), id="empty data chunk first"),
        pytest.param(with_id3(PLAIN), id="ID3 tag in front"),
    ],
)
def test_a_wav_that_is_all_converted_has_no_warning(body: bytes) -> None:
    done = convert(body)
    assert (done.facts.samples, done.facts.truncated, done.facts.warnings) == (16_000, False, ())


def test_a_claim_that_the_request_cannot_hold_predicts_nothing() -> None:
    """Neither the quota nor the upload's first part may rely on it."""
    body = wav(1, data_size=64_000, **SECOND)
    done = convert(body, max_wav_bytes=len(body) + 300)
    assert (done.conversion.expected_bytes, done.conversion.expected_duration_ms) == (None, None)
    assert done.mp3 == convert(body).mp3


@pytest.mark.parametrize("footer", [True, False])
@pytest.mark.parametrize("block_bytes", [1, 13, 65_536])
def test_an_id3_tag_in_front_is_read(block_bytes: int, *, footer: bool) -> None:
    done = convert(with_id3(with_id3(PLAIN), footer=footer), block_bytes=block_bytes)
    assert done.conversion.tags.title == "in ID3"
    assert done.mp3 == convert(PLAIN).mp3


def test_an_rf64_chunk_has_the_size_in_the_table() -> None:
    table = struct.pack("<4sQ4sQ", b"junk", 7, b"bext", 700)
    ds64 = chunk(b"ds64", struct.pack("<QQQI", 1 << 20, len(DATA), 0, 2) + table)
    large = chunk(b"bext", b"a description".ljust(700, b"\0"), size=0xFFFFFFFF)
    body = riff(ds64 + large + FMT + chunk(b"data", DATA, size=0xFFFFFFFF), magic=b"RF64")
    done = convert(body, block_bytes=999)
    assert (done.facts.samples, done.facts.tags.comment) == (16_000, "a description")


def cset(code_page: int) -> bytes:
    return chunk(b"CSET", struct.pack("<HHHH", code_page, 49, 7, 1))


@pytest.mark.parametrize(
    ("code_page", "raw", "title"),
    [
        (1252, b"Caf\xe9", "Café"),
        (1251, "Кафе".encode("cp1251"), "Кафе"),
        (932, "喫茶店".encode("cp932"), "喫茶店"),
        (65001, "Кафе".encode(), "Кафе"),
        (28591, b"Caf\xe9", "Café"),
        (10000, b"Caf\x8e", "Café"),
        (
            1252,
            "Café".encode("cp1252") + b"\x81",
            "Caf\u0439\u0403",
        ),  # 0x81 is undefined: the rule without CSET
        (0, b"Caf\xe9", "Cafй"),
        (37, b"Caf\xe9", "Cafй"),  # EBCDIC
        (1200, b"Caf\xe9", "Cafй"),
        (12345, b"Caf\xe9", "Cafй"),
    ],
)
@pytest.mark.parametrize("place", ["before the audio", "after the audio", "only CSET before the audio"])
def test_the_code_page_of_cset_is_honoured(code_page: int, raw: bytes, title: str, place: str) -> None:
    info = chunk(b"LIST", b"INFO" + chunk(b"INAM", raw + b"\0"))
    match place:
        case "before the audio":
            body = wav(samples=10, before=info + cset(code_page))
        case "after the audio":
            body = wav(samples=10, after=cset(code_page) + info)
        case _:
            body = wav(samples=10, before=cset(code_page), after=info)
    assert convert(body).facts.tags.title == title


def test_every_code_is_tested_or_reserved_for_the_decoder() -> None:
    assert {*WarningCode} == {
        "size-field-wrong",
        "truncated",
        "block-align-corrected",
        "second-fmt-chunk-ignored",
        "second-data-chunk-ignored",
        "second-file-ignored",
        "bytes-after-audio-ignored",
        "damaged-audio-left-out",
        "clipped",
        "silent",
        "very-quiet",
        "channel-silent",
        "channels-identical",
        "channels-inverted",
        "dc-offset",
    }
