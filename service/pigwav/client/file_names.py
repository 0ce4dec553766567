"""The file name that a service proposes. It comes from outside, so it is made safe."""

import re
import unicodedata
from typing import Final
from urllib.parse import unquote

from pigwav.bidi import BIDI_CONTROLS

_PARAMETER: Final = re.compile(r';\s*([\w!#$&+.^`|~*-]+)\s*=\s*("(?:[^"\\]|\\.)*"|[^;]*)', re.ASCII)
_EXTENDED: Final = re.compile(r"(utf-8|iso-8859-1)'[^']*'(.*)", re.IGNORECASE | re.DOTALL)  # RFC 8187
_MAX_BYTES: Final = 240
"""Most file systems allow names of 255 bytes; `.pigwav-part` must fit as well."""

NAMELESS: Final = "recording.mp3"


def file_name(disposition: str) -> str:
    """The name in a Content-Disposition (RFC 6266: `filename*` before `filename`), safe as one path component."""
    parameters = {name.lower(): value.strip() for name, value in _PARAMETER.findall(disposition)}
    plain = parameters.get("filename", "")
    if plain.startswith('"'):
        plain = re.sub(r"\\(.)", r"\1", plain[1:-1], flags=re.DOTALL)
    if extended := _EXTENDED.fullmatch(parameters.get("filename*", "")):
        return safe_name(unquote(extended[2], encoding=extended[1], errors="replace") or plain)
    return safe_name(plain)


def safe_name(name: str) -> str:
    """`name` without folders, leading dots, control characters and bidirectional controls; never empty."""
    last = re.split(r"[/\\]", name)[-1]
    clean = "".join(char for char in last if not is_harmful(char)).lstrip(". ").rstrip(" .")
    stem, dot, suffix = clean.rpartition(".")
    if not stem or len(suffix) > 8:
        stem, dot, suffix = clean, "", ""
    short = stem.encode()[: _MAX_BYTES - len((dot + suffix).encode())].decode(errors="ignore")
    return short.rstrip(" .") + dot + suffix if clean else NAMELESS


def is_harmful(char: str) -> bool:
    """Whether `char` moves the cursor, breaks the line, changes the text direction or is a lone surrogate."""
    return char in BIDI_CONTROLS or unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp")
