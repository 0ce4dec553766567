"""Reads tags from a WAV's `LIST`/`INFO`, `id3 ` and `bext` chunks. Pure; never raises, whatever the chunks contain.

Source: Microsoft's "Multimedia Programming Interface and Data Specifications 1.0" (INFO, CSET), EBU Tech 3285 (bext).
Why not a library: docs/decisions/0006.
"""

import re
import struct
from collections.abc import Iterable, Iterator
from dataclasses import asdict, replace
from itertools import chain
from typing import Final

from pigwav.audio.chunks import TagChunk
from pigwav.audio.id3_reader import id3_fields
from pigwav.audio.tag_text import TagField, ascii_codec, decoded, tags_from
from pigwav.domain import Tags, plain_name

_INFO_FIELDS: Final[dict[bytes, TagField]] = {
    b"INAM": "title",
    b"TITL": "title",
    b"IART": "artist",
    b"IPRD": "album",
    b"ICRD": "date",
    b"YEAR": "date",
    b"ICMT": "comment",
    b"ITRK": "track",
    b"IPRT": "track",  # "part" in the specification; ffmpeg and others store the track there
    b"TRCK": "track",
}
_INFO_NAME: Final = re.compile(rb"[A-Z][A-Z0-9 ]{3}")
_BEXT: Final = struct.Struct("<256s32s32s10s8sQ")
_BEXT_DATE: Final = re.compile(
    r"((?!0000)[0-9]{4})(?:[-_:./ ](0[1-9]|1[0-2])(?:[-_:./ ](0[1-9]|[12][0-9]|3[01]))?)?"
)
_BEXT_TIME: Final = re.compile(r"([01][0-9]|2[0-3])[-_:./ ]([0-5][0-9])[-_:./ ]([0-5][0-9])")


def charset_of(chunks: Iterable[TagChunk]) -> str | None:
    """Python's name of the code page that a CSET chunk states. None if there is none, or none that contains ASCII."""
    for chunk in chunks:
        if chunk.name == b"CSET" and (code_page := int.from_bytes(chunk.body[:2], "little")):
            return ascii_codec(code_page)
    return None


def read_tags(chunks: Iterable[TagChunk], charset: str | None = None) -> Tags:
    """The tags in `chunks`, which are in file order. Linear in the size of the chunks. `charset`: see `charset_of`; it
    applies to INFO and bext, because an id3 chunk states its own.

    For each field, id3 takes precedence over INFO, and INFO over bext; within a kind, the first value counts. Chunks
    of other kinds are ignored.
    """
    by_kind: tuple[list[Iterator[tuple[TagField, str]]], ...] = ([], [], [])
    for chunk in chunks:
        match chunk.name:
            case b"id3 " | b"ID3 ":
                by_kind[0].append(id3_fields(chunk.body))
            case b"LIST" if chunk.body.startswith(b"INFO"):
                by_kind[1].append(_info(chunk.body, charset))
            case b"bext":
                by_kind[2].append(_bext(chunk.body, charset))
    return tags_from(chain.from_iterable(chain(*by_kind)))


def merged(first: Tags, then: Tags) -> Tags:
    """`first`, with its empty fields taken from `then`."""
    return replace(then, **{name: said for name, said in asdict(first).items() if said is not None})


def _info(body: bytes, charset: str | None) -> Iterator[tuple[TagField, str]]:
    at = 4
    while at + 8 <= len(body):
        size_bytes = int.from_bytes(body[at + 4 : at + 8], "little")
        end = at + 8 + size_bytes
        field = _INFO_FIELDS.get(body[at : at + 4])
        if field is not None:
            yield field, decoded(body[at + 8 : end], charset)
        # A byte of padding follows a text of odd size; some writers forget it or do not zero it.
        forgotten = _INFO_NAME.match(body, end) and not _INFO_NAME.match(body, end + 1)
        at = end + 1 if size_bytes % 2 and not forgotten else end


def _bext(body: bytes, charset: str | None) -> Iterator[tuple[TagField, str]]:
    """A time reference of 0 means midnight if the chunk has any text, else that it is not set."""
    whole = body[: _BEXT.size].ljust(_BEXT.size, b"\0")
    description, originator, _, date, time, samples = _BEXT.unpack(whole)
    texts: tuple[tuple[TagField, str], ...] = (
        ("comment", decoded(description, charset)),
        ("originator", decoded(originator, charset)),
        ("date", _bext_date(decoded(date).strip(), decoded(time).strip())),
    )
    yield from texts
    is_whole = len(body) >= _BEXT.size
    if is_whole and (samples or any(plain_name(text) for _, text in texts)):
        yield "time_reference_samples", str(samples)


def _bext_date(date: str, time: str) -> str:
    """The date in ISO 8601. Writers may use other separators (Tech 3285), and some cut the last digit or write only
    zeros. A date in another form is returned as it is; one of only zeros becomes empty.
    """
    match = _BEXT_DATE.match(date)
    if match is None:
        return date if date.strip("0-_:./ ") else ""
    year, month, day = match.groups()
    clock = _BEXT_TIME.fullmatch(time) if day else None
    iso_date = "-".join(part for part in (year, month, day) if part)
    return iso_date + "T" + ":".join(clock.groups()) if clock else iso_date
