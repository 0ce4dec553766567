"""Tags of hostile WAVs, and the ID3 tag made of them."""

import re
import struct
import unicodedata
from collections.abc import Iterator
from dataclasses import asdict, replace
from typing import Final

from factories import bext_chunk, chunk, info_chunk
from fuzz.seeds import small_wavs
from fuzz.target import Target
from mutagen_tags import seen_by_mutagen
from pigwav.audio.chunks import TagChunk, TailWalk
from pigwav.audio.id3_reader import id3_fields
from pigwav.audio.id3_writer import id3_tag
from pigwav.audio.tag_text import MAX_TAG_CHARS, tags_from
from pigwav.audio.tags import merged, read_tags
from pigwav.domain import MAX_TITLE_CHARS, Tags, plain_name

_KINDS: Final = (b"id3 ", b"LIST", b"bext", b"")
_BIDI_OVERRIDES: Final = re.compile("[\u202a-\u202e\u2066-\u2069]")
_YEAR_AND_DAY: Final = re.compile("[0-9]{4}(-[0-9]{2}-[0-9]{2})?")


def check_tags(steer: int, body: bytes) -> None:
    """Any bytes in tag chunks give printable text of bounded length, which survives our ID3 tag."""
    kind = _KINDS[steer % len(_KINDS)]
    tags = read_tags([TagChunk(kind, body)] if kind else _chunks(body))
    check_printable(tags)
    assert merged(tags, Tags()) == merged(Tags(), tags) == tags
    tag = id3_tag(tags)
    ours = tags_from(id3_fields(tag))
    assert _dateless(ours) == _dateless(tags)
    assert _is_as_much_of_the_date(ours.date, tags.date)
    if tag:
        assert seen_by_mutagen(tag) == ours


def _chunks(body: bytes) -> tuple[TagChunk, ...]:
    walk = TailWalk(after_odd=False)
    walk.feed(body)
    return walk.end().tag_chunks


def check_printable(tags: Tags) -> None:
    texts = {name: text for name, text in asdict(tags).items() if isinstance(text, str)}
    for name, text in texts.items():
        assert 0 < len(text) <= (MAX_TITLE_CHARS if name == "title" else MAX_TAG_CHARS)
        assert plain_name(text) == text
        assert not {unicodedata.category(char) for char in text} & {"Cc", "Cs", "Zl", "Zp"}
        assert not _BIDI_OVERRIDES.search(text)
    samples = tags.time_reference_samples
    assert samples is None or 0 <= samples < 1 << 53


def _dateless(tags: Tags) -> Tags:
    return replace(tags, date=None)


def _is_as_much_of_the_date(written: str | None, said: str | None) -> bool:
    """ID3v2.3 stores a year and a day; a date that does not begin with a year is written unchanged."""
    if written == said:
        return True
    digits = re.sub("[^0-9]", "", said or "")
    return bool(_YEAR_AND_DAY.fullmatch(written or "")) and digits.startswith(
        (written or "").replace("-", "")
    )


def _said() -> Iterator[bytes]:
    full = Tags("Привет", "Кот 🐈", "Día uno", "2024-05-31", "Ничего", "3/12", "Zoom F8", 172_800_000)
    for version in (2, 3, 4):
        yield _in_version(id3_tag(full), version)
    yield info_chunk(INAM="a", IART="б", IPRD="c", ICRD="2024-05-31", ICMT="d", ITRK="3")[8:]
    yield bext_chunk(
        description="take 1", originator="R", date="2024-05-31", time="10:11:12", time_reference=9
    )[8:]
    for page, charset in ((1251, "cp1251"), (932, "cp932"), (65_001, "utf-8"), (1200, "utf-16-le")):
        code_page = chunk(b"CSET", struct.pack("<HHHH", page, 0, 0, 0))
        yield code_page + chunk(b"LIST", b"INFO" + chunk(b"INAM", "Речь".encode(charset) + b"\0"))
    for wav in small_wavs():
        if b"LIST" in wav or b"id3 " in wav.lower() or b"bext" in wav:
            yield wav[12:]


def _in_version(tag: bytes, version: int) -> bytes:
    return tag[:3] + bytes((version,)) + tag[4:]


TAG_TARGETS: Final = (Target("tags", check_tags, _said),)
