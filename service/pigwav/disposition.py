"""Content-Disposition (RFC 6266): makes a safe header line of any file name."""

import re
import unicodedata
from typing import Final
from urllib.parse import quote

from pigwav.bidi import BIDI_CONTROLS

_MAX_STEM_BYTES: Final = 200
"""File systems allow names of 255 bytes; an extension and a browser's " (1)" must fit as well."""

_RESERVED: Final = str.maketrans(dict.fromkeys('/\\:*?"<>|', "_"))
"""Characters that a file name may not have on some system."""

_ATTR_CHARS: Final = "!#$&+-.^_`|~"  # RFC 8187, besides letters and digits


def content_disposition(name: str, *, inline: bool) -> str:
    """The header that names a download (RFC 6266): `filename` in ASCII, `filename*` in full."""
    kind = "inline" if inline else "attachment"
    full = _file_name(name)
    return f"{kind}; filename=\"{_ascii_name(full)}\"; filename*=UTF-8''{quote(full, safe=_ATTR_CHARS)}"


def _file_name(text: str) -> str:
    """`text` as a file name that is valid on every system: no path, no control and no Bidi_Control characters."""
    composed = unicodedata.normalize("NFC", text)
    if not composed.isprintable():  # most names are, and have no character that must be removed
        composed = "".join(map(_printable, composed))
    clean = composed.translate(_RESERVED)
    stem, suffix = _split_suffix(clean.rstrip(" ."))
    short = stem.encode()[:_MAX_STEM_BYTES].decode(errors="ignore").strip(" .")
    return (short or "recording") + suffix


def _printable(char: str) -> str:
    if char in BIDI_CONTROLS or unicodedata.category(char) in ("Cc", "Cs"):
        return ""
    return " " if unicodedata.category(char) in ("Zl", "Zp") else char


def _ascii_name(name: str) -> str:
    """`name` without accents, and with `_` for other non-ASCII characters and for those that need quoting."""
    stem, suffix = _split_suffix(name)
    if not stem.isascii():
        stem = "".join(c for c in unicodedata.normalize("NFKD", stem) if not unicodedata.combining(c))
    plain = re.sub(r"[^A-Za-z0-9 ._()+,@&=-]+", "_", stem).strip(" .")
    return (plain if re.search(r"[A-Za-z0-9]", plain) else "recording") + suffix


def _split_suffix(name: str) -> tuple[str, str]:
    """`("a.b", ".mp3")` for `a.b.mp3`. A suffix is a dot and 1 to 8 ASCII letters and digits, else it is empty."""
    found = re.fullmatch(r"(.*)(\.[A-Za-z0-9]{1,8})", name, re.DOTALL)
    return (found[1], found[2]) if found else (name, "")
