"""Header values with parameters, as forms use them: `form-data; name="file"; filename="a.wav"`."""

import re
from dataclasses import dataclass
from typing import Final, Self
from urllib.parse import unquote_to_bytes

from pigwav.errors import MalformedMultipart

_PARAMETER: Final = re.compile(
    r"""[ \t]*;[ \t]*
    (?P<name>[!#$%&'*+.^_`|~0-9A-Za-z-]+)=
    (?: "(?P<quoted>(?:[^"\\]|\\.)*+)"(?=[ \t]*(?:;|\Z))  # a backslash escapes: RFC 2045, old curl
      | "(?P<raw>[^"]*)"                                 # or is an ordinary character: browsers
      | (?P<token>[^";]*) )""",
    re.VERBOSE,
)
_END: Final = re.compile(r"[ \t;]*+\Z")
_BOUNDARY: Final = re.compile(r"[0-9A-Za-z'()+_,./:=? -]{0,69}[0-9A-Za-z'()+_,./:=?-]")
_WHATWG_ESCAPE: Final = re.compile(r"%(22|0[AaDd])")


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
    if not _BOUNDARY.fullmatch(text):
        raise MalformedMultipart("The Content-Type has no valid boundary of 1 to 70 characters.")
    return text.encode("ascii")


@dataclass(frozen=True)
class Disposition:
    """A form part's Content-Disposition (RFC 7578 4.2). `filename` is as the client sent it, including any path."""

    name: str
    filename: str | None

    @classmethod
    def parse(cls, header: bytes) -> Self:
        parameters = Parameters.parse(header.decode("utf-8", errors="replace"))
        name = parameters.by_name.get("name")
        if parameters.value != "form-data" or name is None:
            raise MalformedMultipart("A part of the form has no name.")
        plain, extended = parameters.by_name.get("filename"), parameters.by_name.get("filename*")
        filename = None if plain is None else _unescaped(plain)
        return cls(_unescaped(name), (extended and _extended(extended)) or filename)


def _unescaped(text: str) -> str:
    """Undo the three escapes of WHATWG HTML's multipart encoding: `"`, CR and LF. It does not escape `%` itself."""
    return _WHATWG_ESCAPE.sub(lambda found: chr(int(found[1], 16)), text)


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
