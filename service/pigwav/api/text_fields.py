"""The text fields of a form, in their charsets (RFC 7578, sections 4.5, 4.6 and 5.1.2; WHATWG HTML, 4.10.21.5)."""

from collections.abc import Collection, KeysView
from contextlib import suppress
from typing import Final, NamedTuple
from urllib.parse import parse_qsl

from pigwav.api.charsets import UTF8, decoded
from pigwav.api.form_parts import PartSink
from pigwav.errors import InvalidField

_MAX_FIELD_BYTES: Final = 4 * 1024
_CHARSET_FIELD: Final = "_charset_"
_SHOWN_CHARS: Final = 40


class TextFields:
    """A form's known fields, as bytes: they are decoded when they are asked for, because `_charset_` may follow them.

    A field's charset is the one that its part declares, else the value of the form's field `_charset_`. Without both
    it is UTF-8, or `fallback` if the field is not in UTF-8.
    """

    def __init__(self, known: Collection[str], *, fallback: str | None = None) -> None:
        """`fallback`: the charset that the form's own Content-Type declares."""
        self._fallback = fallback or UTF8
        self._known = frozenset({*known, _CHARSET_FIELD})
        self._raw: dict[str, _Raw] = {}

    def sink(self, name: str, charset: str | None) -> PartSink | None:
        """Takes the field's bytes; None if the field is not known. `charset`: the one that its part declares."""
        return _Field(name, charset, self._raw) if name in self._known else None

    @property
    def names(self) -> KeysView[str]:
        return self._raw.keys()

    @property
    def charset(self) -> str:
        """The charset of what is not in UTF-8 and declares none."""
        return self._named_charset or self._fallback

    @property
    def _named_charset(self) -> str | None:
        named = self._raw.get(_CHARSET_FIELD)
        return named.value.decode("ascii", "replace").strip() if named else None

    def decoded(self, *, without: Collection[str] = ()) -> dict[str, str]:
        """The fields that have arrived, without `_charset_`. Raises InvalidField."""
        left_out = {*without, _CHARSET_FIELD}
        return {name: self._text(name, raw) for name, raw in self._raw.items() if name not in left_out}

    def _text(self, name: str, raw: "_Raw") -> str:
        charset = raw.charset or self._named_charset
        if not charset:
            with suppress(UnicodeDecodeError):
                return raw.value.decode()
        return _text(name, raw.value, charset or self._fallback)


def urlencoded_fields(body: bytes, charset: str | None, known: Collection[str]) -> dict[str, str]:
    """The `known` fields of an application/x-www-form-urlencoded body. `charset`: its Content-Type's.

    Raises InvalidField.
    """
    texts = TextFields(known)
    for name, value in parse_qsl(body.decode("latin-1"), keep_blank_values=True, encoding="latin-1"):
        if field := texts.sink(name, charset):
            field.write(value.encode("latin-1"))
            field.end()
    return texts.decoded()


class _Raw(NamedTuple):
    value: bytes
    charset: str | None


class _Field:
    """A text field while it arrives."""

    def __init__(self, name: str, charset: str | None, ended: dict[str, _Raw]) -> None:
        self._name = name
        self._charset = charset
        self._ended = ended
        self._value = bytearray()

    def write(self, piece: bytes) -> None:
        self._value += piece
        if len(self._value) > _MAX_FIELD_BYTES:
            raise InvalidField(f"The field {self._name} is longer than {_MAX_FIELD_BYTES} bytes.")

    def end(self) -> None:
        if self._name in self._ended:
            raise InvalidField(f"The form contains the field {self._name} more than once.")
        self._ended[self._name] = _Raw(bytes(self._value), self._charset)


def _text(name: str, value: bytes, charset: str) -> str:
    try:
        return decoded(value, charset)
    except LookupError:
        raise InvalidField(
            f"The field {name} is in the charset {charset[:_SHOWN_CHARS]!a}, which is not known. Send UTF-8."
        ) from None
    except UnicodeDecodeError as error:
        raise InvalidField(f"The field {name} is not in {charset.upper()}.") from error
