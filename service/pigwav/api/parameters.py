"""Header values with parameters, as forms use them: `form-data; name="file"; filename="a.wav"`."""

import re
from contextlib import suppress
from dataclasses import dataclass
from email.errors import HeaderParseError
from email.header import decode_header
from typing import Final, Self
from urllib.parse import unquote_to_bytes

from pigwav.api.charsets import UTF8, decoded
from pigwav.errors import MalformedMultipart

_PARAMETER: Final = re.compile(
    r"""[ \t]*;[ \t]*
    (?P<name>[!#$%&'*+.^_`|~0-9A-Za-z-]+)=
    (?: "(?P<quoted>(?:[^"\\]|\\.)*+)"(?=[ \t]*(?:;|\Z))  # a backslash escapes: RFC 2045, old curl
      | "(?P<raw>[^"]*)"                                 # or is an ordinary character: browsers
      | (?P<token>(?:[^";][^;]*)?) )""",
    re.VERBOSE,
)
_END: Final = re.compile(r"[ \t;]*+\Z")
_BOUNDARY: Final = re.compile("[ -~]{0,69}[!-~]")
"""Any visible ASCII character is allowed. RFC 2046 allows fewer, but Android's samples send `*****`."""
_WHATWG_ESCAPE: Final = re.compile(r"%(22|0[AaDd])")
_ESCAPED: Final = re.compile("(?:[^%]|%[0-9A-Fa-f]{2})*")


@dataclass(frozen=True)
class Parameters:
    """`value; name=...; name=...`: the value and the parameter names in lower case."""

    value: str
    by_name: dict[str, str]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises MalformedMultipart if the text is malformed or repeats a parameter."""
        value = text.partition(";")[0].rstrip(" \t")
        position, by_name = len(value), dict[str, str]()
        while not _END.match(text, position):
            found = _PARAMETER.match(text, position)
            if found is None or (name := found["name"].lower()) in by_name:
                raise MalformedMultipart("A header of the form has malformed or repeated parameters.")
            by_name[name] = _unquoted(found)
            position = found.end()
        return cls(value.lstrip(" \t").lower(), by_name)


def _unquoted(found: re.Match[str]) -> str:
    if found["quoted"] is not None:
        return re.sub(r'\\(["\\])', r"\1", found["quoted"])
    return found["raw"] if found["raw"] is not None else found["token"].strip(" \t")


def boundary(content_type: str) -> bytes:
    """The boundary of a multipart/form-data Content-Type (RFC 2046 5.1.1). Raises MalformedMultipart."""
    header = Parameters.parse(content_type)
    if header.value != "multipart/form-data":
        raise MalformedMultipart("The body is not multipart/form-data.")
    text = header.by_name.get("boundary", "")
    if not text:
        raise MalformedMultipart("The Content-Type has no boundary. Let the HTTP library set this header.")
    if not _BOUNDARY.fullmatch(text):
        raise MalformedMultipart("The Content-Type has no valid boundary of 1 to 70 characters.")
    return text.encode("ascii")


def charset_of(content_type: str) -> str | None:
    """The charset that a Content-Type declares; None if it declares none that can be read."""
    try:
        return Parameters.parse(content_type).by_name.get("charset") or None
    except MalformedMultipart:
        return None


@dataclass(frozen=True)
class Disposition:
    """A form part's Content-Disposition (RFC 7578 4.2). `filename` is as the client sent it, including any path."""

    name: str
    filename: str | None

    @classmethod
    def parse(cls, header: bytes, charset: str = UTF8) -> Self:
        """`charset`: used if the header is not in UTF-8 and the charset is known."""
        parameters = Parameters.parse(_text(header, charset))
        name = parameters.by_name.get("name")
        if parameters.value != "form-data" or name is None:
            raise MalformedMultipart("A part of the form has no name.")
        plain, extended = parameters.by_name.get("filename"), parameters.by_name.get("filename*")
        filename = None if plain is None else _mail_decoded(plain) or _unescaped(plain)
        return cls(_unescaped(name), (extended and _extended(extended)) or filename)


def _text(header: bytes, charset: str) -> str:
    for label in (UTF8, charset):
        with suppress(LookupError, UnicodeDecodeError):
            return decoded(header, label)
    return header.decode(errors="replace")


def _unescaped(text: str) -> str:
    """Undo percent-encoding (RFC 7578 4.2), if the whole text is percent-encoded UTF-8.

    If it is not, only the three escapes of WHATWG HTML are undone: `"`, CR and LF. Browsers do not escape `%` itself.
    """
    if _ESCAPED.fullmatch(text):
        with suppress(UnicodeDecodeError):
            return unquote_to_bytes(text).decode()
    return _WHATWG_ESCAPE.sub(lambda found: chr(int(found[1], 16)), text)


def _mail_decoded(text: str) -> str | None:
    """Undo RFC 2047's encoding (`=?UTF-8?B?...?=`), as mail libraries send names. None if it is not this encoding."""
    if "=?" not in text or not text.isascii():
        return None
    try:
        words = decode_header(text)
        # Text between encoded words is bytes without a charset, or str if there is no encoded word.
        return "".join(decoded(word, charset or UTF8) for word, charset in words if isinstance(word, bytes))
    except (HeaderParseError, LookupError, UnicodeDecodeError):
        return None


def _extended(text: str) -> str | None:
    """Decodes an RFC 8187 value such as `utf-8''%D1%8F`, as old `requests` send names. None if it is not valid."""
    charset, _, rest = text.partition("'")
    _language, apostrophe, value = rest.partition("'")
    if not apostrophe or charset.lower() != "utf-8":
        return None
    try:
        return unquote_to_bytes(value).decode()
    except UnicodeDecodeError:
        return None


def base_name(filename: str) -> str:
    """The last part of a Unix or Windows path."""
    return re.split(r"[/\\]", filename)[-1]
