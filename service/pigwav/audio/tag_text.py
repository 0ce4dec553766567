"""Converts the text of tags from bytes of unknown encoding to the printable, bounded text in `Tags`. Pure.

The input is not trusted: the work is linear in its size, and the output is small.
"""

import codecs
import re
from collections.abc import Iterable
from typing import Final, Literal

from pigwav.domain import MAX_TITLE_CHARS, Tags, plain_name

MAX_TAG_CHARS: Final = 1_000

TagField = Literal[
    "title", "artist", "album", "date", "comment", "track", "originator", "time_reference_samples"
]

_MAX_SAMPLES: Final = (1 << 53) - 1
"""The largest integer that every JSON reader represents exactly (RFC 8259, section 6); a Postgres bigint holds it too.
"""


def decoded(raw: bytes) -> str:
    """The text up to the first NUL: UTF-8, else CP1251, although the specifications require ASCII or ISO-8859-1."""
    text = raw.partition(b"\0")[0].removeprefix(codecs.BOM_UTF8)
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
