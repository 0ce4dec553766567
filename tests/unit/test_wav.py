"""The header walk."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from factories import (
    STREAMED,
    bext_chunk,
    chunk,
    ds64_chunk,
    extensible_fmt_chunk,
    fmt_chunk,
    info_chunk,
    riff,
    wav,
)
from pigwav.audio.chunks import MAX_CHUNKS, MAX_TAG_CHUNK_BYTES, TagChunk
from pigwav.audio.wav import MAX_HEADER_BYTES, HeaderWalk, WavHeader
from pigwav.errors import (
    BadAudio,
    FmtChunkTooShort,
    HeaderTooLong,
    NoAudio,
    NoDataChunk,
    NoFmtChunk,
    NotAWav,
    UnsupportedContainer,
)
from problem_assertions import is_sentence

AUDIO = bytes(range(40))
FMT = fmt_chunk()
DATA = chunk(b"data", AUDIO)


def walked(body: bytes, block_bytes: int = 7) -> WavHeader:
    walk = HeaderWalk()
    for start in range(0, len(body), block_bytes):
        if header := walk.feed(body[start : start + block_bytes]):
            return header
    return walk.end()


def test_plain_header_tells_format_offset_and_size() -> None:
    header = walked(wav(samples=10, rate=48_000, channels=1))
    assert (header.format.codec, header.format.sample_rate_hz, header.format.channels) == (
        "pcm_s16le",
        48_000,
        1,
    )
    assert (header.data_offset, header.declared_data_bytes, header.declared_samples) == (44, 20, 10)


@pytest.mark.parametrize("block_bytes", [1, 2, 3, 11, 44, 45, 65_536])
def test_header_is_found_in_blocks_of_any_size(block_bytes: int) -> None:
    body = riff(chunk(b"LIST", bytes(301)) + FMT + chunk(b"fact", bytes(4)) + DATA)
    header = walked(body, block_bytes)
    assert body[header.data_offset :] == AUDIO


def test_header_comes_with_the_block_in_which_the_audio_begins() -> None:
    walk, body = HeaderWalk(), wav(samples=4)
    assert walk.feed(body[:43]) is None
    header = walk.feed(body[43:])
    assert header is not None
    assert header.data_offset == 44


@pytest.mark.parametrize(
    "before",
    [
        chunk(b"bext", bytes(602)),
        chunk(b"JUNK", b""),
        chunk(b"\0\0\0\0", b"") * 5,
        chunk(b"LIST", b"odd"),
        chunk(b"LIST", b"odd", padded=False),
        chunk(b"LIST", b"odd", padded=False) + b"\x07",  # padded with a non-zero byte
        chunk(b"AFAn", b"odd", padded=False),
        chunk(b"AFAn", b"odd", padded=False) + chunk(b"free", b""),
        chunk(b"LIST", b"even") + b"\0",  # padded although the size is even
        fmt_chunk(rate=8_000),  # a second `fmt `: the first one counts
        chunk(b"id3 ", bytes(3_000_000)),
    ],
    ids=[
        "bext",
        "empty",
        "nameless",
        "odd",
        "odd-unpadded",
        "odd-padded-with-7",
        "odd-unpadded-of-a-maker",
        "odd-unpadded-before-an-unknown",
        "even-padded",
        "second-fmt",
        "picture",
    ],
)
def test_chunks_before_the_audio_are_passed_by(before: bytes) -> None:
    body = riff(FMT + before + DATA)
    header = walked(body, 4_096)
    assert body[header.data_offset :] == AUDIO
    assert header.format.sample_rate_hz == 44_100


@pytest.mark.parametrize(
    "size", [0, STREAMED, STREAMED - 36, STREAMED - 100, 0x7FFFF000, 0x7FFFFFFF, 0x80000000]
)
def test_sizes_of_writers_who_streamed_mean_to_the_end(size: int) -> None:
    assert walked(wav(samples=10, data_size=size)).declared_data_bytes is None


@pytest.mark.parametrize(
    "behind", [info_chunk(INAM="a"), chunk(b"id3 ", bytes(30)), bext_chunk(), chunk(b"JUNK", b""), b""]
)
@pytest.mark.parametrize("block_bytes", [1, 7, 65_536])
def test_a_data_chunk_of_size_0_is_empty_where_another_chunk_or_nothing_follows(
    behind: bytes, block_bytes: int
) -> None:
    with pytest.raises(NoAudio):
        walked(riff(FMT + chunk(b"data", b"") + behind), block_bytes)


def test_empty_rf64_is_empty() -> None:
    sizes = chunk(b"ds64", struct.pack("<QQQI", 80, 0, 0, 0))
    body = riff(sizes + FMT + chunk(b"data", b"", size=STREAMED) + chunk(b"LIST", b""), magic=b"RF64")
    with pytest.raises(NoAudio):
        walked(body)


@pytest.mark.parametrize("riff_size", [0, 36, 43, STREAMED])
def test_a_chunk_that_the_file_has_no_room_for_is_audio(riff_size: int) -> None:
    body = wav(samples=0, after=chunk(b"LIST", bytes(40)))
    header = walked(body[:4] + riff_size.to_bytes(4, "little") + body[8:])
    assert (header.data_offset, header.declared_data_bytes) == (44, None)


@pytest.mark.parametrize("audio_bytes", range(1, 12))
@pytest.mark.parametrize("block_bytes", [1, 44, 47, 100])
def test_as_little_audio_as_there_may_be_is_found_behind_a_size_of_0(
    audio_bytes: int, block_bytes: int
) -> None:
    header = walked(riff(FMT + chunk(b"data", bytes(audio_bytes), size=0, padded=False)), block_bytes)
    assert (header.data_offset, header.declared_data_bytes) == (44, None)


def test_walk_tells_while_it_looks_at_what_may_be_audio() -> None:
    walk, body = HeaderWalk(), wav(samples=10, data_size=0)
    assert walk.feed(body[:43]) is None
    assert not walk.at_audio
    assert walk.feed(body[43:51]) is None
    assert walk.at_audio
    assert walk.feed(body[51:52]) is not None


def test_tags_before_the_audio_come_with_the_header() -> None:
    info, bext = info_chunk(INAM="a title"), bext_chunk()
    picture = chunk(b"id3 ", bytes(MAX_TAG_CHUNK_BYTES + 9))
    body = riff(info + FMT + chunk(b"LIST", b"adtl1234") + picture + bext + DATA + info)
    assert walked(body, 4_096).tag_chunks == (
        TagChunk(b"LIST", info[8:]),
        TagChunk(b"id3 ", bytes(MAX_TAG_CHUNK_BYTES)),
        TagChunk(b"bext", bext[8:]),
    )


@pytest.mark.parametrize("size", [1, 40, 41, 0x7FFFEFFF, 0x80000001, 0xFFFEFFFF])
def test_other_sizes_are_believed(size: int) -> None:
    assert walked(wav(samples=10, data_size=size)).declared_data_bytes == size


@pytest.mark.parametrize("riff_size", [0, 4, 8, 0x7FFFFFFF, STREAMED])
def test_the_size_in_the_riff_header_does_not_matter(riff_size: int) -> None:
    body = wav(samples=10)
    header = walked(body[:4] + riff_size.to_bytes(4, "little") + body[8:])
    assert header.declared_samples == 10


@pytest.mark.parametrize("magic", [b"RF64", b"BW64"])
def test_rf64_takes_the_size_from_ds64(magic: bytes) -> None:
    data_bytes = 6 * 1024**3
    body = riff(ds64_chunk(data_bytes) + FMT + chunk(b"data", AUDIO, size=STREAMED), magic=magic)
    assert walked(body).declared_data_bytes == data_bytes


@pytest.mark.parametrize(
    "ds64", [b"", chunk(b"ds64", bytes(12)), ds64_chunk(0), ds64_chunk((1 << 64) - 72 - 1)]
)
def test_rf64_that_was_streamed_goes_on_to_the_end(ds64: bytes) -> None:
    body = riff(ds64 + FMT + chunk(b"data", AUDIO, size=STREAMED), magic=b"RF64")
    assert walked(body).declared_data_bytes is None


def test_rf64_with_a_small_size_in_its_place_is_believed() -> None:
    body = riff(ds64_chunk(1 << 40) + FMT + DATA, magic=b"RF64")
    assert walked(body).declared_data_bytes == len(AUDIO)


@pytest.mark.parametrize(
    ("body", "error", "words"),
    [
        (b"", NotAWav, "empty"),
        (b"RIFF", NotAWav, "only the first bytes"),
        (b"hello, this is a text file", NotAWav, "is text, not a WAV"),
        (b"hello", NotAWav, "is text, not a WAV"),
        (b"#EXTM3U\n#EXTINF:1,\n/etc/passwd\n", NotAWav, "is text, not a WAV"),
        (b"fLaC" + bytes(40), NotAWav, "FLAC"),
        (b"ID3\x04" + bytes(40), NotAWav, "MP3"),
        (b"RIFX" + bytes(4) + b"WAVE" + bytes(40), UnsupportedContainer, "big-endian"),
        (b"riff\x2e\x91\xcf\x11" + bytes(40), UnsupportedContainer, "Wave64"),
        (b"FORM" + bytes(4) + b"AIFF" + bytes(40), UnsupportedContainer, "AIFF"),
        (b"RIFF" + bytes(4) + b"AVI " + bytes(40), UnsupportedContainer, "AVI"),
        (riff(b""), NoFmtChunk, "fmt"),
        (riff(DATA + FMT), NoFmtChunk, "fmt"),
        (riff(chunk(b"fmt ", b"\1\0")), FmtChunkTooShort, "2 bytes"),
        (riff(FMT), NoDataChunk, "data"),
        (riff(FMT + chunk(b"LIST", bytes(30))), NoDataChunk, "data"),
        (riff(FMT + chunk(b"LIST", b"", size=MAX_HEADER_BYTES)), HeaderTooLong, "LIST"),
        (riff(chunk(b"oooo", b"FF", size=2_974_173_522)), HeaderTooLong, "oooo"),
    ],
)
def test_what_cannot_be_converted_is_refused_with_the_reason(
    body: bytes, error: type[BadAudio], words: str
) -> None:
    with pytest.raises(error, match=words) as caught:
        walked(body)
    assert type(caught.value) is error
    assert is_sentence(str(caught.value))


@pytest.mark.parametrize("zeros", range(1, 40))
@pytest.mark.parametrize("block_bytes", [1, 7, 65_536])
def test_zeros_before_a_chunk_are_passed_by_however_many(zeros: int, block_bytes: int) -> None:
    gap = bytes(zeros)
    for body in (riff(FMT + gap + DATA), riff(gap + FMT + chunk(b"LIST", b"odd") + gap + DATA)):
        header = walked(body, block_bytes)
        assert body[header.data_offset :] == AUDIO
        assert header.declared_data_bytes == len(AUDIO)


@pytest.mark.parametrize("zeros", range(4, 8))
def test_what_follows_zeros_is_named_where_it_is_too_long(zeros: int) -> None:
    with pytest.raises(HeaderTooLong, match=r"'text' chunk .* 1702065257 bytes"):
        walked(riff(FMT + bytes(zeros) + b"textitself" + DATA))


@pytest.mark.parametrize("name", [b"\0\0\0\0", b"\0\0\0a", b"\0abc"])
def test_a_name_may_begin_with_zeros(name: bytes) -> None:
    body = riff(FMT + chunk(name, bytes(60)) + DATA)
    assert body[walked(body).data_offset :] == AUDIO


def test_a_header_of_too_many_chunks_is_refused() -> None:
    with pytest.raises(HeaderTooLong, match="65536 chunks"):
        walked(riff(FMT + chunk(b"JUNK", b"") * MAX_CHUNKS + DATA), 65_536)


def test_a_header_that_never_ends_is_refused() -> None:
    junk = chunk(b"JUNK", bytes(1_000_000))
    walk = HeaderWalk()
    walk.feed(riff(FMT))
    for _ in range(MAX_HEADER_BYTES // len(junk)):
        walk.feed(junk)
    with pytest.raises(HeaderTooLong, match="JUNK"):
        walk.feed(junk)


@given(st.binary(max_size=200), st.integers(1, 64))
def test_any_bytes_are_a_header_or_a_named_error(tail: bytes, block_bytes: int) -> None:
    for start in (b"", b"RIFF\0\0\0\0WAVE", riff(FMT), riff(chunk(b"fmt ", tail[:40]) + DATA)):
        body = start + tail
        try:
            header = walked(body, block_bytes)
        except BadAudio:
            continue
        assert header.data_offset <= len(body)
        assert header == walked(body, len(body))


CHUNKS = st.builds(
    chunk, st.sampled_from([b"LIST", b"JUNK", b"fact", b"\0\0\0\0", b"id3 ", b"bext"]), st.binary(max_size=90)
)
FORMATS = st.sampled_from([FMT, extensible_fmt_chunk(), fmt_chunk(more=b"\0\0")])


@given(st.lists(CHUNKS, max_size=6), FORMATS, st.lists(CHUNKS, max_size=6), st.integers(1, 300))
def test_any_order_of_chunks_leads_to_the_audio(
    before: list[bytes], fmt: bytes, between: list[bytes], block_bytes: int
) -> None:
    body = riff(b"".join(before) + fmt + b"".join(between) + DATA)
    header = walked(body, block_bytes)
    assert body[header.data_offset :] == AUDIO
    assert header.declared_data_bytes == len(AUDIO)
