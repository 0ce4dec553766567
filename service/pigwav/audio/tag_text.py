"""The text of tags: bytes of an unsaid encoding in the WAV, printable and bounded text in `Tags`. Pure.

What others wrote is hostile: whatever comes in, the work is linear in it, and what goes out is small.
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

_MOST_SAMPLES: Final = (1 << 53) - 1
"""What every reader of JSON holds exactly (RFC 8259, section 6), and a bigint in Postgres too."""


def decoded(raw: bytes) -> str:
    """The text up to the first NUL: UTF-8, else CP1251, whatever the format's book says of ASCII or ISO-8859-1."""
    text = raw.partition(b"\0")[0].removeprefix(codecs.BOM_UTF8)
    try:
        return text.decode()
    except UnicodeDecodeError as wrong:
        whole = text[: wrong.start]
        if wrong.reason == "unexpected end of data" and not whole.isascii():
            return whole.decode()  # cut inside a character, as happens in fields of fixed size
        return text.decode("cp1251", "replace")  # 0x98 is no character in it


def tags_from(said: Iterable[tuple[TagField, str]]) -> Tags:
    """The first text of each field in which something printable is left."""
    texts: dict[TagField, str] = {}
    for field, text in said:
        most_chars = MAX_TITLE_CHARS if field == "title" else MAX_TAG_CHARS
        if field not in texts and (plain := _printable(text, most_chars)):
            texts[field] = plain
    samples = texts.get("time_reference_samples", "")
    in_bounds = re.fullmatch("[0-9]{1,16}", samples) and int(samples) <= _MOST_SAMPLES
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
    # NFC takes quadratic time over combining marks, so the text is cut before it, at a length that NFC cannot bring
    # below the limit: no character decomposes into more than four.
    short = text.strip()[: 4 * most_chars]
    plain = plain_name(short.replace("\r\n", "\n"))
    return plain if len(plain) <= most_chars else plain_name(plain[:most_chars])
