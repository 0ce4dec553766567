"""ID3v2 tags: mutagen and ffmpeg read ours, and we read theirs."""

import io
import struct
import subprocess
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mutagen.id3 import COMM, ID3, TALB, TDRC, TIT2, TPE1, TRCK, TXXX, Encoding
from mutagen.mp3 import MP3

from converting import FFMPEG, convert, played
from factories import wav
from mutagen_tags import seen_by_mutagen
from pigwav.audio.id3_reader import id3_fields
from pigwav.audio.id3_writer import id3_tag
from pigwav.audio.tag_text import tags_from
from pigwav.domain import MAX_TITLE_CHARS, Tags, plain_name

FULL = Tags(
    *("Привет, мир", "Кот 🐈", "Día uno", "2024-05-31T14:36:22", "Ничего", "3/12", "Zoom F8"),
    time_reference_samples=172_800_000,
)


def read_id3(tag: bytes) -> Tags:
    return tags_from(id3_fields(tag))


def texts(most_chars: int = 60) -> st.SearchStrategy[str | None]:
    """Texts as `read_tags` returns them."""
    characters = st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp"))
    names = st.text(characters, max_size=most_chars).map(plain_name)
    return names.map(lambda text: text[:most_chars].rstrip() or None)


def tags() -> st.SearchStrategy[Tags]:
    return st.builds(
        Tags,
        title=texts(MAX_TITLE_CHARS),
        artist=texts(),
        album=texts(),
        date=st.none() | st.dates().map(str) | st.sampled_from(("2024", "May 2024", "весна")),
        comment=texts(),
        track=texts() | st.sampled_from(("3", "3/12", "А1")),
        originator=texts(),
        time_reference_samples=st.none() | st.integers(0, 2**53 - 1),
    )


@given(tags())
def test_mutagen_reads_back_what_we_write(said: Tags) -> None:
    tag = id3_tag(said)
    if said == Tags():
        assert tag == b""
    else:
        assert seen_by_mutagen(tag) == said
        assert ID3(io.BytesIO(tag), translate=False).version == (2, 3, 0)


@given(tags())
def test_we_read_back_what_we_write(said: Tags) -> None:
    assert read_id3(id3_tag(said)) == said


def test_a_tag_is_these_bytes() -> None:
    tag = id3_tag(Tags(title="Я", date="2024-05-31", track="3"))
    assert tag == (
        b"ID3\x03\x00\x00\x00\x00\x00\x39"
        b"TIT2\x00\x00\x00\x05\x00\x00\x01\xff\xfe\x2f\x04"
        b"TYER\x00\x00\x00\x05\x00\x00\x002024"
        b"TDAT\x00\x00\x00\x05\x00\x00\x003105"
        b"TRCK\x00\x00\x00\x02\x00\x00\x003"
    )


@pytest.mark.parametrize(
    ("date", "seen"),
    [
        ("2024", "2024"),
        ("2024-05", "2024"),
        ("2024-05-31", "2024-05-31"),
        ("20240531", "2024-05-31"),
        ("2018-10-27T11:42:53-05:00", "2018-10-27"),
        ("2016-07-31 10:25:09 UTC", "2016-07-31"),
        ("2024-13-45", "2024"),
        ("31.05.2024", "31.05.2024"),
        ("202405311200", "202405311200"),
        ("май 2024", "май 2024"),
    ],
)
def test_a_date_is_a_year_and_a_day_in_it_or_kept_as_it_is(date: str, seen: str) -> None:
    assert seen_by_mutagen(id3_tag(Tags(date=date))).date == seen


def test_unpaired_surrogates_do_not_stop_a_tag() -> None:
    assert seen_by_mutagen(id3_tag(Tags(title="a\ud800b"))).title == "a?b"


def test_an_mp3_with_our_tag_in_front_plays_the_same_samples(tmp_path: Path) -> None:
    done = convert(wav(1.5))
    plain = played(done.mp3, tmp_path, channels=2)
    assert len(plain) == done.facts.samples * 4
    assert played(id3_tag(FULL) + done.mp3, tmp_path, channels=2) == plain


def test_mutagen_sees_length_and_tags_of_an_mp3_with_our_tag() -> None:
    mp3 = MP3(io.BytesIO(id3_tag(FULL) + convert(wav(1.5)).mp3))
    assert mp3.info.length == pytest.approx(1.5, abs=0.001)
    assert str(mp3.tags["TIT2"]) == "Привет, мир"
    assert str(mp3.tags["TDRC"]) == "2024-05-31"


def test_ffmpeg_sees_every_tag(tmp_path: Path) -> None:
    path = tmp_path / "tagged.mp3"
    path.write_bytes(id3_tag(FULL) + convert(wav(0.2)).mp3)
    command = [FFMPEG, "-nostdin", "-v", "error", "-i", str(path), "-f", "ffmetadata", "-"]
    done = subprocess.run(command, capture_output=True, check=True)
    seen = set(done.stdout.decode().splitlines())
    assert done.stderr == b""
    assert seen >= {
        *("title=Привет, мир", "artist=Кот 🐈", "album=Día uno", "date=2024-05-31", "comment=Ничего"),
        *("track=3/12", "originator=Zoom F8", "time_reference=172800000"),
    }


def written_by_mutagen(said: Tags, *, version: int, encoding: Encoding) -> bytes:
    tag = ID3()
    for frame, text in ((TIT2, said.title), (TPE1, said.artist), (TALB, said.album), (TRCK, said.track)):
        if text:
            tag.add(frame(encoding=encoding, text=[text]))
    if said.comment:
        tag.add(COMM(encoding=encoding, lang="rus", desc="", text=[said.comment]))
    if said.originator:
        tag.add(TXXX(encoding=encoding, desc="Originator", text=[said.originator]))
    if said.date:
        tag.add(TDRC(encoding=Encoding.LATIN1, text=said.date))
    if version == 3:
        tag.update_to_v23()
    file = io.BytesIO()
    tag.save(file, v2_version=version)
    return file.getvalue()


@given(
    tags(),
    st.dates().map(str) | st.just("2024") | st.none(),
    st.sampled_from((3, 4)),
    st.sampled_from((Encoding.UTF8, Encoding.UTF16, Encoding.UTF16BE)),
)
def test_we_read_what_mutagen_writes(said: Tags, date: str | None, version: int, encoding: Encoding) -> None:
    said = Tags(said.title, said.artist, said.album, date, said.comment, said.track, said.originator)
    assert read_id3(written_by_mutagen(said, version=version, encoding=encoding)) == said


def syncsafe(size: int) -> bytes:
    return bytes(size >> shift & 0x7F for shift in (21, 14, 7, 0))


def tag_of(version: int, content: bytes, *, flags: int = 0) -> bytes:
    return b"ID3" + bytes((version, 0, flags)) + syncsafe(len(content)) + content


def frame(version: int, name: bytes, body: bytes, *, flags: int = 0) -> bytes:
    if version == 2:
        return name + len(body).to_bytes(3, "big") + body
    size = syncsafe(len(body)) if version == 4 else len(body).to_bytes(4, "big")
    return name + size + struct.pack(">H", flags) + body


def unsynchronised(data: bytes) -> bytes:
    for byte in (0, *range(0xE0, 0x100)):
        data = data.replace(bytes((0xFF, byte)), bytes((0xFF, 0, byte)))
    return data


TITLE_16 = b"\1\xff\xfe" + "ÿЯ".encode("utf-16-le")
NEXT = {version: frame(version, b"TP1" if version == 2 else b"TPE1", b"\0Artist") for version in (2, 3, 4)}


@pytest.mark.parametrize(
    ("tag", "said"),
    [
        pytest.param(
            tag_of(
                2,
                frame(2, b"TT2", b"\0Title\0")
                + frame(2, b"TP1", b"\0Artist\0")
                + frame(2, b"TAL", b"\0Album\0")
                + frame(2, b"TYE", b"\x002024\0")
                + frame(2, b"TDA", b"\x003105\0")
                + frame(2, b"TRK", b"\x003/12\0")
                + frame(2, b"COM", b"\0engiTunNORM\0 00000\0")
                + frame(2, b"COM", b"\0eng\0Comment\0")
                + frame(2, b"TXX", b"\0originator\0Zoom F8\0"),
            ),
            Tags("Title", "Artist", "Album", "2024-05-31", "Comment", "3/12", "Zoom F8"),
            id="2.2",
        ),
        pytest.param(tag_of(2, frame(2, b"TT2", b"\0Title"), flags=0x40), Tags(), id="2.2-compressed"),
        pytest.param(tag_of(3, frame(3, b"TT2\0", b"\0Title")), Tags("Title"), id="2.2-name-in-2.3"),
        pytest.param(
            tag_of(3, frame(3, b"TDRC", b"\x002024-05")), Tags(date="2024-05"), id="2.4-date-in-2.3"
        ),
        pytest.param(
            tag_of(3, frame(3, b"TDAT", b"\x009999") + frame(3, b"TYER", b"\x002024")),
            Tags(date="2024"),
            id="impossible-day",
        ),
        pytest.param(
            tag_of(3, frame(3, b"TDAT", b"\x003105") + frame(3, b"TYER", b"\x002024-05")),
            Tags(date="2024-05"),
            id="more-than-a-year",
        ),
        pytest.param(
            tag_of(4, frame(4, b"TYER", b"\x001999") + frame(4, b"TDRC", b"\x002024")),
            Tags(date="2024"),
            id="new-date-before-old",
        ),
        pytest.param(
            tag_of(3, frame(3, b"TXXX", b"\0date\x002020") + frame(3, b"TYER", b"\x002024")),
            Tags(date="2024"),
            id="described-date-last",
        ),
        pytest.param(
            tag_of(3, frame(3, b"TIT2", b"\0") + frame(3, b"TIT2", b"\0Title")),
            Tags("Title"),
            id="empty-then-not",
        ),
        pytest.param(tag_of(3, bytes(20) + frame(3, b"TIT2", b"\0Title")), Tags(), id="after-padding"),
        pytest.param(tag_of(3, b"")[:7], Tags(), id="cut-header"),
        pytest.param(tag_of(3, frame(3, b"TIT2", b"\0Title"))[:-2], Tags("Tit"), id="cut-frame"),
        pytest.param(
            tag_of(4, b"TIT2\0\0\0\xc8\0\0\0" + b"A" * 199)[:-50],
            Tags("A" * 149),
            id="cut-frame-of-plain-size",
        ),
        pytest.param(tag_of(5, frame(4, b"TIT2", b"\0Title")), Tags(), id="unknown-version"),
        pytest.param(b"TAG" + tag_of(3, frame(3, b"TIT2", b"\0Title")), Tags(), id="no-tag"),
        pytest.param(
            tag_of(3, frame(3, b"APIC", bytes(5_000)) + NEXT[3]), Tags(artist="Artist"), id="after-a-picture"
        ),
        pytest.param(tag_of(3, frame(3, b"TIT2", b"\0One\0Two")), Tags("One"), id="one-value-in-2.3"),
        pytest.param(
            tag_of(4, frame(4, b"TIT2", b"\3One\0Two\0Three\0\0")),
            Tags("One; Two; Three"),
            id="values-in-2.4",
        ),
        pytest.param(
            tag_of(4, frame(4, b"TPE1", b"\1\xff\xfeA\0\0\0\xfe\xff\0B")),
            Tags(artist="A; B"),
            id="two-orders",
        ),
        pytest.param(
            tag_of(3, frame(3, b"COMM", b"\0rusnote\0described") + frame(3, b"COMM", b"\0rus\0plain")),
            Tags(comment="plain"),
            id="comment-without-description-first",
        ),
        pytest.param(
            tag_of(3, frame(3, b"COMM", b"\0engiTunSMPB\0 0 0") + frame(3, b"COMM", b"\0rusnote\0described")),
            Tags(comment="described"),
            id="described-comment-at-last",
        ),
        pytest.param(
            tag_of(3, frame(3, b"COMM", b"\1rus\xff\xfe\0\0\xff\xfeA\0")),
            Tags(comment="A"),
            id="comment-in-utf-16",
        ),
        pytest.param(
            tag_of(3, frame(3, b"TXXX", b"\0TIME_REFERENCE\x0048000")),
            Tags(time_reference_samples=48_000),
            id="time-reference",
        ),
        pytest.param(tag_of(3, frame(3, b"TXXX", b"\0time_reference\0-1")), Tags(), id="no-time-reference"),
    ],
)
def test_frames_become_tags(tag: bytes, said: Tags) -> None:
    assert read_id3(tag) == said


@pytest.mark.parametrize(
    ("body", "title"),
    [
        (b"\0Title\0", "Title"),
        (b"\0\xcf\xf0\xe8\xe2\xe5\xf2", "Привет"),  # CP1251 instead of ISO-8859-1
        (b"\0" + "Привет".encode(), "Привет"),
        (b"\3" + "Привет".encode(), "Привет"),
        (b"\3\xcf\xf0\xe8\xe2\xe5\xf2", "Привет"),
        (b"\1\xff\xfe" + "Привет".encode("utf-16-le") + b"\0\0", "Привет"),
        (b"\1\xfe\xff" + "Привет".encode("utf-16-be"), "Привет"),
        (b"\1" + "Привет".encode("utf-16-le"), "Привет"),
        (b"\2" + "Привет".encode("utf-16-be"), "Привет"),
        (b"\2\xfe\xff" + "Привет".encode("utf-16-be"), "Привет"),
        (b"\1\xff\xfe" + "🐈".encode("utf-16-le"), "🐈"),
        (b"\1\xff\xfe" + "Я🐈".encode("utf-16-le")[:-2], "Я\ufffd"),
        (b"\1\xff\xfe" + "Я🐈".encode("utf-16-le")[:-3], "Я"),
        (b"\1\xff\xfe", None),
        (b"\1", None),
        (b"\x04Title", None),
        (b"", None),
    ],
)
@pytest.mark.parametrize("version", [2, 3, 4])
def test_text_is_read_in_every_encoding(version: int, body: bytes, title: str | None) -> None:
    name = b"TT2" if version == 2 else b"TIT2"
    said = read_id3(tag_of(version, frame(version, name, body) + NEXT[version] + bytes(20)))
    assert said == Tags(title, "Artist")


@pytest.mark.parametrize(
    "tag",
    [
        pytest.param(tag_of(2, unsynchronised(frame(2, b"TT2", TITLE_16) + NEXT[2]), flags=0x80), id="2.2"),
        pytest.param(tag_of(3, unsynchronised(frame(3, b"TIT2", TITLE_16) + NEXT[3]), flags=0x80), id="2.3"),
        pytest.param(
            tag_of(4, frame(4, b"TIT2", unsynchronised(TITLE_16), flags=0x02) + NEXT[4]), id="2.4-frame"
        ),
        pytest.param(
            tag_of(4, frame(4, b"TIT2", unsynchronised(TITLE_16)) + NEXT[4], flags=0x80), id="2.4-tag"
        ),
        pytest.param(tag_of(3, frame(3, b"TIT2", TITLE_16) + NEXT[3], flags=0x80), id="2.3-only-said"),
        pytest.param(tag_of(4, frame(4, b"TIT2", TITLE_16, flags=0x02) + NEXT[4]), id="2.4-only-said"),
    ],
)
def test_unsynchronisation_is_undone(tag: bytes) -> None:
    assert read_id3(tag) == Tags("ÿЯ", "Artist")


@pytest.mark.parametrize(
    "content",
    [
        pytest.param((3, b"\0\0\0\6\0\0\0\0\0\0"), id="2.3"),
        pytest.param((3, b"\0\0\0\x0a\x80\0\0\0\0\0\1\2\3\4"), id="2.3-with-crc"),
        pytest.param((4, b"\0\0\0\6\1\0"), id="2.4"),
        pytest.param((4, b"\0\0\0\x0c\1\x20\5\2\x10\1x7"), id="2.4-with-crc"),
        pytest.param((3, b""), id="2.3-only-said"),
        pytest.param((4, b""), id="2.4-only-said"),
    ],
)
def test_an_extended_header_is_passed_over(content: tuple[int, bytes]) -> None:
    version, extended = content
    tag = tag_of(version, extended + frame(version, b"TIT2", b"\0Title"), flags=0x40)
    assert read_id3(tag) == Tags("Title")


@pytest.mark.parametrize("size", [100, 127, 128, 129, 200, 255, 256, 300, 20_000])
@pytest.mark.parametrize("behind", [b"", bytes(64)], ids=["no-padding", "padding"])
def test_plain_sizes_in_2_4_are_understood(size: int, behind: bytes) -> None:
    picture = b"APIC" + size.to_bytes(4, "big") + b"\0\0" + b"\xaa" * size
    title = frame(4, b"TIT2", b"\0Title")
    assert read_id3(tag_of(4, picture + title + behind)) == Tags("Title")


@pytest.mark.parametrize("size", [100, 127, 128, 129, 200, 255, 256, 300, 20_000])
def test_syncsafe_sizes_in_2_4_are_understood(size: int) -> None:
    picture = frame(4, b"APIC", b"\xaa" * size)
    assert read_id3(tag_of(4, picture + frame(4, b"TIT2", b"\0Title"))) == Tags("Title")


@pytest.mark.parametrize(
    ("version", "flags", "body", "title"),
    [
        (4, 0x01, b"\0\0\0\6\0Title", "Title"),  # data length indicator
        (4, 0x40, b"\x07\0Title", "Title"),  # group
        (4, 0x43, b"\x07\0\0\0\5" + unsynchronised(TITLE_16), "ÿЯ"),
        (4, 0x09, b"\0\0\0\6" + zlib.compress(b"\0Title"), None),
        (4, 0x08, b"\0Title", None),
        (4, 0x04, b"\0Title", None),
        (3, 0x20, b"\x07\0Title", "Title"),
        (3, 0x80, b"\0\0\0\6" + zlib.compress(b"\0Title"), None),
        (3, 0x80, b"\0Title", None),
        (3, 0x40, b"\0Title", None),
        (3, 0x1F, b"\0Title", "Title"),
    ],
)
def test_frame_flags_are_undone_or_the_frame_is_passed_over(
    version: int, flags: int, body: bytes, title: str | None
) -> None:
    tag = tag_of(version, frame(version, b"TIT2", body, flags=flags) + NEXT[version])
    assert read_id3(tag) == Tags(title, "Artist")


@given(tags(), st.sampled_from((3, 4)), st.data())
def test_a_damaged_tag_raises_nothing(said: Tags, version: int, data: st.DataObject) -> None:
    tag = bytearray(written_by_mutagen(said, version=version, encoding=Encoding.UTF16)[:400] or b"ID3")
    for at in data.draw(st.lists(st.integers(0, len(tag) - 1), max_size=8)):
        tag[at] = data.draw(st.integers(0, 255))
    read_id3(bytes(tag[: data.draw(st.integers(0, len(tag)))]))


def test_no_more_than_a_thousand_frames_are_looked_at() -> None:
    """One megabyte could contain 175,000 frames of seven bytes."""
    many = [frame(2, b"PRI", b"x")] * 1_000
    title = frame(2, b"TT2", b"\0Title")
    assert read_id3(tag_of(2, b"".join([*many[1:], title]))) == Tags("Title")
    assert read_id3(tag_of(2, b"".join([*many, title]))) == Tags()
