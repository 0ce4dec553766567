"""Converts the text of tags from bytes of unknown encoding to the printable, bounded text in `Tags`. Pure.

The input is not trusted: the work is linear in its size, and the output is small.
"""

import codecs
import contextlib
import re
from collections.abc import Iterable
from typing import Final, Literal

from pigwav.domain import MAX_TITLE_CHARS, Tags, plain_name

MAX_TAG_CHARS: Final = 1_000
_ASCII: Final = bytes(range(0x20, 0x7F))
_CODE_PAGES: Final = {
    10_000: "mac-roman",
    10_007: "mac-cyrillic",
    20_127: "ascii",
    20_866: "koi8-r",
    21_866: "koi8-u",
    20_936: "gb2312",
    51_932: "euc-jp",
    51_949: "euc-kr",
    54_936: "gb18030",
    **{28_590 + part: f"iso8859-{part}" for part in range(1, 17) if part != 12},
}
"""Windows code pages that Python does not know as `cp` and the number. Source: Microsoft's "Code Page Identifiers"."""

TagField = Literal[
    "title", "artist", "album", "date", "comment", "track", "originator", "time_reference_samples"
]

_MAX_SAMPLES: Final = (1 << 53) - 1
"""The largest integer that every JSON reader represents exactly (RFC 8259, section 6); a Postgres bigint holds it too.
"""


def ascii_codec(code_page: int) -> str | None:
    """Python's codec of a Windows code page. None if it has none, or one in which ASCII has other bytes."""
    name = _CODE_PAGES.get(code_page, f"cp{code_page}")
    try:
        return name if _ASCII.decode().encode(name) == _ASCII else None
    except LookupError:
        return None


def decoded(raw: bytes, charset: str | None = None) -> str:
    """The text up to the first NUL: in `charset`, else UTF-8, else CP1251, although the specifications require ASCII or
    ISO-8859-1.
    """
    text = raw.partition(b"\0")[0].removeprefix(codecs.BOM_UTF8)
    if charset is not None:
        with contextlib.suppress(UnicodeDecodeError):
            return text.decode(charset)
    try:
        return text.decode()
    except UnicodeDecodeError as wrong:
        whole = text[: wrong.start]
        if wrong.reason == "unexpected end of data" and not whole.isascii():
            return whole.decode()  # the end of a field of fixed size may cut a character
        return text.decode("cp1251", "replace")  # 0x98 is undefined in CP1251


def tags_from(said: Iterable[tuple[TagField, str]]) -> Tags:
    """For each field, the first text that has printable characters, cut to the maximum length."""
    texts: dict[TagField, str] = {}
    for field, text in said:
        most_chars = MAX_TITLE_CHARS if field == "title" else MAX_TAG_CHARS
        if field not in texts and (plain := _printable(text, most_chars)):
            texts[field] = plain
    samples = texts.get("time_reference_samples", "")
    in_bounds = re.fullmatch("[0-9]{1,16}", samples) and int(samples) <= _MAX_SAMPLES
    return Tags(
        title=texts.get("title"),
        artist=texts.get("artist"),
        album=texts.get("album"),
        date=texts.get("date"),
        comment=texts.get("comment"),
        track=texts.get("track"),
        originator=texts.get("originator"),
        time_reference_samples=int(samples) if in_bounds else None,
    )


def _printable(text: str, most_chars: int) -> str:
    # NFC takes quadratic time on combining marks, therefore the text is cut before it, to 4 * most_chars: NFC does not
    # shorten that below most_chars, because no character decomposes into more than four.
    short = text.strip()[: 4 * most_chars]
    plain = plain_name(short.replace("\r\n", "\n"))
    return plain if len(plain) <= most_chars else plain_name(plain[:most_chars])
