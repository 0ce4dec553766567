"""Tags from a WAV's chunks: INFO, bext, and their precedence."""

import os
import struct
import unicodedata
from dataclasses import asdict
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from mutagen.wave import WAVE

from factories import chunk
from needs import skip_or_fail
from pigwav.audio.chunks import TagChunk
from pigwav.audio.tag_text import MAX_TAG_CHARS
from pigwav.audio.tags import merged, read_tags
from pigwav.domain import MAX_TITLE_CHARS, Tags

CORPUS = Path(os.environ.get("PIGWAV_WAV_CORPUS", Path(__file__).parents[3] / "shared" / "wavs"))
KINDS = (b"LIST", b"id3 ", b"ID3 ", b"bext")


def info(*texts: bytes) -> TagChunk:
    """Alternating names and texts; each text is the raw bytes."""
    fields = zip(texts[::2], texts[1::2], strict=True)
    return TagChunk(b"LIST", b"INFO" + b"".join(chunk(name, text) for name, text in fields))


def bext(
    description: bytes = b"", originator: bytes = b"", date: bytes = b"", time: bytes = b"", samples: int = 0
) -> TagChunk:
    fields = (description, originator, b"", date, time, samples)
    return TagChunk(b"bext", struct.pack("<256s32s32s10s8sQ", *fields).ljust(602, b"\0"))


def id3(title: bytes) -> TagChunk:
    frame = b"TIT2" + struct.pack(">IHB", len(title) + 1, 0, 3) + title
    return TagChunk(b"id3 ", b"ID3\3\0\0\0\0\0" + bytes([len(frame)]) + frame)


def title_of(text: bytes) -> str | None:
    return read_tags([info(b"INAM", text)]).title


def test_info_fields_become_tags() -> None:
    chunks = [
        info(
            *(b"INAM", b"Title\0", b"IART", b"Artist\0", b"IPRD", b"Album\0", b"ICRD", b"2024-05-31\0"),
            *(b"ICMT", b"Comment\0", b"ITRK", b"3/12\0", b"ISFT", b"Lavf62.12.100\0", b"IGNR", b"Blues\0"),
        )
    ]
    assert read_tags(chunks) == Tags("Title", "Artist", "Album", "2024-05-31", "Comment", "3/12")


@pytest.mark.parametrize(
    ("name", "tags"),
    [
        (b"IPRT", Tags(track="7")),
        (b"TRCK", Tags(track="7")),
        (b"TITL", Tags(title="7")),
        (b"YEAR", Tags(date="7")),
    ],
)
def test_other_names_in_info_that_writers_use_are_known(name: bytes, tags: Tags) -> None:
    assert read_tags([info(name, b"7\0")]) == tags


def test_a_cp1251_title_is_read() -> None:
    assert title_of(b"\xcf\xf0\xe8\xe2\xe5\xf2, \xec\xe8\xf0\0") == "Привет, мир"


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"plain", "plain"),
        ("Привет, мир".encode(), "Привет, мир"),
        (b"\xef\xbb\xbf" + "Привет".encode(), "Привет"),
        ("Привет".encode()[:-1], "Приве"),
        (b"\xef\xbb\xbf" + "Привет".encode()[:-1], "Приве"),
        (b"A\xff", "Aя"),
        (b"Track \xdf", "Track Я"),
        (b"\xe0\x98\xe1", "а\ufffdб"),
        (b"\xd0\xb0\xe1 \xe0", "Р°б а"),
        (b"before\0after", "before"),
        (b"\0\0", None),
        (b" \t\r\n\x01 ", None),
        (b"", None),
        (b"  trimmed \r\n", "trimmed"),
        (b"one\r\ntwo\nthree\x07", "one two three"),
        ("e\u0301".encode(), "é"),
    ],
)
def test_text_is_utf_8_else_cp1251_and_printable(raw: bytes, text: str | None) -> None:
    assert title_of(raw) == text


def test_long_text_is_cut_at_a_character() -> None:
    long = "Ы".encode() * 5_000
    tags = read_tags([info(b"INAM", long, b"ICMT", long)])
    assert (tags.title, tags.comment) == ("Ы" * MAX_TITLE_CHARS, "Ы" * MAX_TAG_CHARS)


def test_no_space_is_left_where_text_is_cut() -> None:
    assert title_of(b"A" * (MAX_TITLE_CHARS - 1) + b" B") == "A" * (MAX_TITLE_CHARS - 1)


def test_of_a_long_text_that_begins_unseen_nothing_is_left() -> None:
    joiners = "\u200d" * MAX_TITLE_CHARS
    assert title_of((joiners + "A").encode()) is None
    assert title_of((joiners[1:] + "A").encode()) == joiners[1:] + "A"


def test_text_that_fits_once_composed_is_whole() -> None:
    most_decomposed = unicodedata.normalize("NFD", "\u1f82") * MAX_TAG_CHARS
    assert len(most_decomposed) == 4 * MAX_TAG_CHARS
    assert read_tags([info(b"ICMT", most_decomposed.encode())]).comment == "\u1f82" * MAX_TAG_CHARS


@pytest.mark.parametrize("first", [b"\0", b"\1", b"X", b""])
@pytest.mark.parametrize("second", [b"\0", b"\1", b"X", b""])
def test_padding_in_info_may_be_missing_or_not_zero(first: bytes, second: bytes) -> None:
    odd = [name + struct.pack("<I", 3) + b"abc" for name in (b"IART", b"IPRD")]
    title = chunk(b"INAM", b"Title\0")
    tags = read_tags([TagChunk(b"LIST", b"INFO" + odd[0] + first + odd[1] + second + title)])
    assert tags == Tags("Title", "abc", "abc")


def test_a_cut_chunk_says_what_it_still_holds() -> None:
    whole = info(b"IART", b"Artist\0", b"INAM", b"Title")
    assert read_tags([TagChunk(whole.name, whole.body[:-4])]) == Tags(artist="Artist", title="Ti")


def test_a_list_of_another_kind_says_nothing() -> None:
    assert read_tags([TagChunk(b"LIST", b"adtl" + chunk(b"INAM", b"Title\0"))]) == Tags()


def test_chunks_of_other_kinds_say_nothing() -> None:
    assert read_tags([TagChunk(b"iXML", b"INFO"), TagChunk(b"data", b"INFO")]) == Tags()


def test_bext_fields_become_tags() -> None:
    chunks = [bext(b"A\r\nB", b"Zoom F8", b"2024-05-31", b"14:36:22", 172_800_000)]
    assert read_tags(chunks) == Tags(
        comment="A B", originator="Zoom F8", date="2024-05-31T14:36:22", time_reference_samples=172_800_000
    )


@pytest.mark.parametrize(
    ("date", "time", "said"),
    [
        (b"2024-05-31", b"14:36:22", "2024-05-31T14:36:22"),
        (b"2024:05:31", b"14-36-22", "2024-05-31T14:36:22"),
        (b"2024_05.31", b"14.36.22", "2024-05-31T14:36:22"),
        (b"2024-05-31", b"", "2024-05-31"),
        (b"2024-05-31", b"99:99:99", "2024-05-31"),
        (b"2011-05-0\0", b"14:48:2\0", "2011-05"),  # Logic Pro
        (b"2011-05-0\0", b"14:48:22", "2011-05"),
        (b"2024-00-00", b"00:00:00", "2024"),
        (b"31.05.2024", b"14:36:22", "31.05.2024"),
        (b"0000-00-00", b"00:00:00", None),
        (b"          ", b"        ", None),
        (b"", b"14:36:22", None),
    ],
)
def test_bext_date_is_iso_8601(date: bytes, time: bytes, said: str | None) -> None:
    assert read_tags([bext(date=date, time=time)]).date == said


@pytest.mark.parametrize(
    ("chunk", "samples"),
    [
        (bext(samples=0), None),
        (bext(originator=b"Zoom F8", samples=0), 0),
        (bext(samples=1), 1),
        (bext(samples=2**53 - 1), 2**53 - 1),
        (bext(samples=2**53), None),
        (bext(samples=2**64 - 1), None),
    ],
)
def test_time_reference_is_told_where_it_can_be_true(chunk: TagChunk, samples: int | None) -> None:
    assert read_tags([chunk]).time_reference_samples == samples


def test_a_cut_bext_has_no_time_reference() -> None:
    whole = bext(originator=b"Zoom F8", samples=2**40)
    assert read_tags([TagChunk(b"bext", whole.body[:345])]) == Tags(originator="Zoom F8")


def test_id3_counts_before_info_before_bext() -> None:
    chunks = [
        bext(b"of bext", b"Zoom F8", b"2024-05-31"),
        info(b"INAM", b"of INFO", b"IART", b"of INFO", b"ICMT", b"of INFO"),
        id3(b"of id3"),
    ]
    assert read_tags(chunks) == Tags(
        title="of id3",
        artist="of INFO",
        comment="of INFO",
        date="2024-05-31",
        originator="Zoom F8",
        time_reference_samples=0,
    )


def test_of_two_chunks_of_a_kind_the_first_counts() -> None:
    chunks = [info(b"INAM", b"1\0", b"INAM", b"2\0"), info(b"INAM", b"3\0", b"IART", b"3\0")]
    assert read_tags(chunks) == Tags(title="1", artist="3")


def test_an_empty_text_leaves_the_field_to_the_next() -> None:
    chunks = [info(b"INAM", b"\0", b"INAM", b" \0"), info(b"INAM", b"Title\0")]
    assert read_tags(chunks).title == "Title"


def test_merged_takes_what_is_missing_from_the_second() -> None:
    before, behind = Tags(title="1", time_reference_samples=0), Tags("2", "2", time_reference_samples=2)
    assert merged(before, behind) == Tags("1", "2", time_reference_samples=0)
    assert merged(before, Tags()) == merged(Tags(), before) == before


def bodies() -> st.SearchStrategy[bytes]:
    """Random bytes, and random bytes that begin like a chunk and contain frames and fields."""
    names = (b"INAM", b"ICMT", b"TIT2", b"TT2", b"COMM", b"TXXX", b"TDAT", b"TYER", b"\xff\xfe", b"\xff\0")
    sizes = (b"\0\0\0\x0a", b"\x0a\0\0\0", b"\0\0\0\0", b"\xff\xff\xff\xff", b"\0\0", b"\1", b"\3", b"0102")
    words = st.sampled_from(names) | st.sampled_from(sizes)
    salad = st.lists(words | st.binary(max_size=12), max_size=30).map(b"".join)
    starts = st.sampled_from(
        (b"", b"INFO", *(b"ID3" + bytes([v, 0, f, 0, 0, 9, 9]) for v in (2, 3, 4) for f in (0, 192)))
    )
    return st.builds(lambda start, rest: start + rest, starts, salad)


@given(st.lists(st.builds(TagChunk, st.sampled_from(KINDS), bodies()), max_size=4))
@example([TagChunk(b"id3 ", b"ID3\4\0\x40\0\0\1\0" + b"\xff" * 200)])
@example([TagChunk(b"id3 ", b"ID3")])
@example([TagChunk(b"bext", b"")])
@example([TagChunk(b"LIST", b"INFOINAM")])
def test_whatever_chunks_hold_tags_are_printable_and_short(chunks: list[TagChunk]) -> None:
    for name, said in asdict(read_tags(chunks)).items():
        if isinstance(said, int):
            assert 0 <= said < 2**53
        elif said is not None:
            assert 0 < len(said) <= (MAX_TITLE_CHARS if name == "title" else MAX_TAG_CHARS)
            assert said == said.strip()
            assert unicodedata.is_normalized("NFC", said)
            assert not {unicodedata.category(c) for c in said} & {"Cc", "Cs", "Zl", "Zp"}


@pytest.mark.parametrize(
    "chunk",
    [
        info(
            b"INAM", "a\u0301\u0323".encode() + "\u0301\u0323".encode() * 250_000
        ),  # takes minutes to normalise (NFC) if it is not cut first
        TagChunk(b"LIST", b"INFO" + b"INAM\0\0\0\0" * 125_000),
        TagChunk(b"id3 ", b"ID3\4\0\x80\x7f\x7f\x7f\x7f" + b"COMM\0\0\0\1\0\0\1" * 90_000),
        TagChunk(b"id3 ", b"ID3\4\0\0\x7f\x7f\x7f\x7f" + b"TIT2\x7f\x7f\x7f\x7f\0\0\1" + bytes(1_000_000)),
    ],
    ids=["combining-marks", "empty-fields", "small-frames", "empty-values"],
)
def test_a_megabyte_of_malice_takes_no_minutes(chunk: TagChunk) -> None:
    """A quadratic algorithm would exceed the suite's time limit."""
    assert len(read_tags([chunk]).title or "") <= MAX_TITLE_CHARS


MASTERED = Tags(
    "Sinner's Prayer", "Beth Hart & Joe Bonamassa", "Don't Explain", "2011-09-27", "Test 123", "1/10"
)


@pytest.mark.parametrize(
    ("file", "tags"),
    [
        (
            "Borewit-music-metadata/test_samples_MusicBrainz_-_Beth_Hart_-_Sinner's_Prayer_[id3v2.3].wav",
            MASTERED,
        ),
        (
            "Borewit-music-metadata/test_samples_issue-161.wav",
            Tags("Inner Name", "Sam H", None, "2018-10-27T11:42:53-05:00", "sweet"),
        ),
        (
            "Borewit-music-metadata/test_samples_wav_issue-1163.bwf",
            Tags(
                *("Title Redacted", "Some Composer", None, "2022-06-05T14:36:22", None, "1/12", "Pro Tools"),
                time_reference_samples=172_800_000,
            ),
        ),
        (
            "Borewit-music-metadata/test_samples_wav_riff-iprt-tag.wav",
            Tags("Sinner's Prayer", "Beth Hart & Joe Bonamassa", "Don't Explain", "2011", "Test 123", "1/2"),
        ),
        (
            "go-audio-wav/fixtures_bwf.wav",
            Tags(album="WADRA2", date="2011-05", originator="Logic Pro", time_reference_samples=0),
        ),
        ("go-audio-wav/fixtures_listChunkInHeader.wav", Tags(date="2017-11-21")),
        (
            "go-audio-wav/fixtures_listinfo.wav",
            Tags("track title", "artist", "album title", "2017", "my comment", "42"),
        ),
        ("taglib-taglib/tests_data_duplicate_tags.wav", Tags("Title1", "Artist1", "Album1")),
        (
            "tinytag-tinytag/tinytag_tests_samples_gsm_6_10.wav",
            Tags("track", "artist", "album", "2010", "some comment here", "99"),
        ),
        (
            "tinytag-tinytag/tinytag_tests_samples_id3_header_with_a_zero_byte.wav",
            Tags("Stacked", "Purpley", "prototypes", track="17"),
        ),
        (
            "xiph-flac/test_foreign-metadata-test-files_BWF-WaveFmtEx.wav",
            Tags(
                *("Sine, 440Hz, 36687 samples", "Not Applicable", "Collection of Sine waves", "2023"),
                *("These tags are for testing foreign metadata storage in FLAC", "0"),
                time_reference_samples=0,
            ),
        ),
    ],
)
def test_files_that_others_wrote_say_what_they_hold(file: str, tags: Tags) -> None:
    assert read_tags(chunks_of(corpus(file).read_bytes())) == tags


@pytest.mark.parametrize(
    "file",
    [
        "Borewit-music-metadata/test_samples_MusicBrainz_-_Beth_Hart_-_Sinner's_Prayer_[id3v2.3].wav",
        "Borewit-music-metadata/test_samples_wav_issue-1163.bwf",
        "go-audio-wav/fixtures_listinfo.wav",
        "tinytag-tinytag/tinytag_tests_samples_adpcm.wav",
        "tinytag-tinytag/tinytag_tests_samples_gsm_6_10.wav",
        "tinytag-tinytag/tinytag_tests_samples_test-tagged.wav",
    ],
)
def test_mutagen_sees_the_same_in_an_id3_chunk(file: str) -> None:
    chunks = chunks_of(corpus(file).read_bytes())
    ours = read_tags(found for found in chunks if found.name in (b"id3 ", b"ID3 "))
    theirs = {key[:4]: str(frame) for key, frame in WAVE(corpus(file)).tags.items()}
    assert ours == Tags(*(theirs.get(key) for key in ("TIT2", "TPE1", "TALB", "TDRC", "COMM", "TRCK")))


def corpus(file: str) -> Path:
    path = CORPUS / file
    return path if path.exists() else skip_or_fail("wavs", f"there is no {path}")


def chunks_of(wav: bytes) -> list[TagChunk]:
    """The chunks of a WAV with correct sizes."""
    chunks, at = [], 12
    while at + 8 <= len(wav):
        size = int.from_bytes(wav[at + 4 : at + 8], "little")
        chunks.append(TagChunk(wav[at : at + 4], wav[at + 8 : at + 8 + size]))
        at += 8 + size + size % 2
    return chunks
