"""Reads ID3v2 tags, versions 2.2 to 2.4, in a WAV. Pure.

Source: M. Nilsson's informal standards "ID3 tag version 2" (2.2.0), "2.3.0" and "2.4.0" (structure, frames).
"""

import re
from collections.abc import Iterator
from itertools import islice
from typing import Final, NamedTuple

from pigwav.audio.tag_text import TagField, decoded

_HEADER_BYTES: Final = 10
_HEADER: Final = re.compile(rb"ID3[\2-\4][^\xff][\0-\xff][\0-\x7f]{4}")
_HAS_FOOTER: Final = 0x10
_MAX_VALUES: Final = 16
_MAX_FRAMES: Final = 1_000
_FIELDS: Final[dict[bytes, TagField]] = {
    b"TIT2": "title",
    b"TT2": "title",
    b"TPE1": "artist",
    b"TP1": "artist",
    b"TALB": "album",
    b"TAL": "album",
    b"TRCK": "track",
    b"TRK": "track",
    b"TDRC": "date",
}
_DESCRIBED_FIELDS: Final[dict[str, TagField]] = {
    "originator": "originator",  # as ffmpeg names them
    "time_reference": "time_reference_samples",
    "date": "date",
}
_READ: Final = frozenset((*_FIELDS, b"TYER", b"TYE", b"TDAT", b"TDA", b"COMM", b"COM", b"TXXX", b"TXX"))
_FRAME_NAME: Final = re.compile(rb"[A-Z][A-Z0-9]{3}")
_FALSE_SYNC: Final = re.compile(rb"\xff[\xe0-\xff]")
_YEAR: Final = re.compile("[0-9]{4}")
_DAY_MONTH: Final = re.compile("(0[1-9]|[12][0-9]|3[01])(0[1-9]|1[0-2])")


class Frame(NamedTuple):
    """`version`: 2, 3 or 4 (ID3v2.x). `body`: the content, without the additions that the frame's flags state."""

    version: int
    name: bytes
    body: bytes


def id3_size(head: bytes) -> int | None:
    """Bytes of the tag that begins with these 10 bytes, with its header and footer. None if none begins there."""
    if not _HEADER.match(head):
        return None
    footer_bytes = _HEADER_BYTES if head[5] & _HAS_FOOTER else 0
    return _HEADER_BYTES + _syncsafe(head[6:_HEADER_BYTES]) + footer_bytes


def id3_fields(tag: bytes) -> Iterator[tuple[TagField, str]]:
    """The fields in an ID3v2 tag, which may be cut, in order of precedence. Texts may be empty. Never raises.

    Encrypted and compressed frames are ignored.
    """
    frames = [frame for frame in islice(_frames(tag), _MAX_FRAMES) if frame.name in _READ]
    for frame in frames:
        if frame.name in _FIELDS:
            yield _FIELDS[frame.name], _joined(frame, _texts(frame))
    yield from _split_dates(frames)
    yield from _described_fields(frames)


def _split_dates(frames: list[Frame]) -> Iterator[tuple[TagField, str]]:
    """Before 2.4, year and day are in separate frames."""
    year = day_month = ""
    for frame in frames:
        if frame.name in (b"TYER", b"TYE"):
            year = year or "".join(_texts(frame)[:1]).strip()
        elif frame.name in (b"TDAT", b"TDA"):
            day_month = day_month or "".join(_texts(frame)[:1]).strip()
    match = _DAY_MONTH.fullmatch(day_month) if _YEAR.fullmatch(year) else None
    yield "date", f"{year}-{match[2]}-{match[1]}" if match else year


def _described_fields(frames: list[Frame]) -> Iterator[tuple[TagField, str]]:
    """A comment without a description comes first, because players show it."""
    described: list[tuple[TagField, str]] = []
    for frame in frames:
        if frame.name in (b"COMM", b"COM"):
            description, text = _description_and_text(frame, language_bytes=3)
            if not description:
                yield "comment", text
            elif not description.startswith("iTun"):  # iTunNORM and the like: numbers for iTunes
                described.append(("comment", text))
        elif frame.name in (b"TXXX", b"TXX"):
            description, text = _description_and_text(frame, language_bytes=0)
            if field := _DESCRIBED_FIELDS.get(description.lower()):
                described.append((field, text))
    yield from described


def _description_and_text(frame: Frame, *, language_bytes: int) -> tuple[str, str]:
    encoding, rest = frame.body[:1], frame.body[1 + language_bytes :]
    texts = _texts(frame._replace(body=encoding + rest))
    return "".join(texts[:1]).strip(), _joined(frame, texts[1:])


def _joined(frame: Frame, texts: list[str]) -> str:
    """Only 2.4 has several values; in older versions, text after the first NUL is ignored."""
    values = texts if frame.version == 4 else texts[:1]
    return "; ".join(value for value in values if value)


def _texts(frame: Frame) -> list[str]:
    """The values, separated by NULs in the frame; none if the encoding is unknown."""
    encoding, raw = frame.body[:1], frame.body[1:]
    if encoding in (b"\1", b"\2"):
        return _utf_16_texts(raw, "utf-16-le" if encoding == b"\1" else "utf-16-be")
    if encoding in (b"\0", b"\3"):
        return [decoded(value) for value in raw.split(b"\0", _MAX_VALUES)[:_MAX_VALUES]]
    return []


def _utf_16_texts(raw: bytes, codec: str) -> list[str]:
    """A byte order mark applies to its value and the following ones. If the encoding is "with BOM" and there is none,
    the order is little-endian, as other readers assume.
    """
    units = raw[: len(raw) // 2 * 2].decode("utf-16-le", "surrogatepass")
    texts = []
    for value in units.split("\0", _MAX_VALUES)[:_MAX_VALUES]:
        if value[:1] in ("\ufeff", "\ufffe"):
            codec = "utf-16-le" if value[0] == "\ufeff" else "utf-16-be"
        same_bytes = value.encode("utf-16-le", "surrogatepass")
        texts.append(same_bytes.decode(codec, "replace").removeprefix("\ufeff"))
    return texts


def _frames(tag: bytes) -> Iterator[Frame]:
    """The frames up to the padding, or up to the end of a tag that was cut."""
    if len(tag) < _HEADER_BYTES or not tag.startswith(b"ID3") or tag[3] not in (2, 3, 4):
        return
    version, flags = tag[3], tag[5]
    if version == 2 and flags & 0x40:  # compressed, by a scheme that was never defined
        return
    content = tag[_HEADER_BYTES : _HEADER_BYTES + _syncsafe(tag[6:10])]
    unsynchronised = bool(flags & 0x80)
    if unsynchronised and version < 4:
        content = _resynchronised(content)
    at = 0
    if (
        flags & 0x40 and version > 2 and not _FRAME_NAME.match(content)
    ):  # some writers set the flag without an extended header
        at = _syncsafe(content[:4]) if version == 4 else 4 + int.from_bytes(content[:4], "big")
    head_bytes, name_bytes = (6, 3) if version == 2 else (10, 4)
    while at + head_bytes <= len(content) and content[at]:
        end = at + head_bytes + _frame_bytes(version, content, at)
        name = content[at : at + name_bytes].rstrip(b"\0 ")  # names of 2.2 in 2.3 are common
        body = content[at + head_bytes : end]
        if version > 2:
            body = _flags_undone(version, content[at + 9], body, unsynchronised=unsynchronised)
        yield Frame(version, name, body)
        at = end


def _frame_bytes(version: int, content: bytes, at: int) -> int:
    """The size of the body of the frame at `at`."""
    if version == 2:
        return int.from_bytes(content[at + 3 : at + 6], "big")
    field = content[at + 4 : at + 8]
    plain = int.from_bytes(field, "big")
    if version == 3 or plain & 0x80808080:
        return plain
    syncsafe = _syncsafe(field)
    # iTunes wrote plain sizes in 2.4: then the next frame is only found with the plain size.
    first = at + 10
    is_plain = not _frame_may_begin(content, first + syncsafe) and _frame_may_begin(content, first + plain)
    return plain if is_plain else syncsafe


def _frame_may_begin(content: bytes, at: int) -> bool:
    """Whether a frame, padding or the end of the tag is at `at`."""
    name = content[at : at + 4]
    return at <= len(content) and (not name.strip(b"\0") or _FRAME_NAME.fullmatch(name) is not None)


def _flags_undone(version: int, flags: int, body: bytes, *, unsynchronised: bool) -> bytes:
    """The frame's content. Empty if the frame is encrypted, or compressed: a small tag could expand to a large one."""
    compressed_or_encrypted, grouped = (0x0C, 0x40) if version == 4 else (0xC0, 0x20)
    if flags & compressed_or_encrypted:
        return b""
    start = 1 if flags & grouped else 0
    if version == 3:
        return body[start:]
    if flags & 0x01:  # data length indicator
        start += 4
    if flags & 0x02 or unsynchronised:
        return _resynchronised(body[start:])
    return body[start:]


def _resynchronised(data: bytes) -> bytes:
    """Reverses unsynchronisation. Some writers only set the flag: data with a false sync is returned unchanged."""
    return data if _FALSE_SYNC.search(data) else data.replace(b"\xff\x00", b"\xff")


def _syncsafe(field: bytes) -> int:
    """Seven bits of each byte, the highest first."""
    value = 0
    for byte in field:
        value = value << 7 | byte & 0x7F
    return value
