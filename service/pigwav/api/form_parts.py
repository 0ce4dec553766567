"""A push parser for multipart/form-data: `feed` takes the body's bytes, and sinks receive the bytes of each part."""

from collections.abc import Callable
from typing import Final, Protocol, TypeAlias

from python_multipart import MultipartParser
from python_multipart.exceptions import MultipartParseError

from pigwav.api.parameters import Disposition, charset_of
from pigwav.errors import MalformedMultipart

_MAX_PARTS: Final = 64
_MAX_PREAMBLE_BYTES: Final = 4 * 1024
_IDENTITY_ENCODINGS: Final = frozenset({b"7bit", b"8bit", b"binary"})


class PartSink(Protocol):
    """Takes one part's body in pieces, then its end."""

    def write(self, piece: bytes) -> None: ...

    def end(self) -> None: ...


class PartHeaders:
    """The headers of one part that RFC 7578 defines; others are ignored."""

    def __init__(self, by_name: dict[str, bytes]) -> None:
        self._disposition = by_name.get("content-disposition", b"")
        self._content_type = by_name.get("content-type", b"")
        if by_name.get("content-transfer-encoding", b"binary").strip().lower() not in _IDENTITY_ENCODINGS:
            raise MalformedMultipart(
                "A part of the form has an unsupported Content-Transfer-Encoding. Send its bytes unencoded."
            )

    def disposition(self, charset: str) -> Disposition:
        """`charset`: the form's, if it has one. Raises MalformedMultipart."""
        return Disposition.parse(self._disposition, charset)

    def charset(self) -> str | None:
        """The charset that the part declares; None if it declares none that can be read."""
        return charset_of(self._content_type.decode("latin-1"))


OpenPart: TypeAlias = Callable[[PartHeaders], PartSink | None]


class FormParts:
    """Parses one body. `open_part` returns the sink for a part's bytes, or None to skip them.

    The result does not depend on how the body is split into blocks. Preamble and epilogue are ignored.
    """

    def __init__(self, boundary: bytes, open_part: OpenPart) -> None:
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._on_part_begin,
                "on_header_field": self._on_header_field,
                "on_header_value": self._on_header_value,
                "on_header_end": self._on_header_end,
                "on_headers_finished": self._on_headers_finished,
                "on_part_data": self._on_part_data,
                "on_part_end": self._on_part_end,
                "on_end": self._on_end,
            },
        )
        self._open_part = open_part
        self._delimiter = b"\r\n--" + boundary
        self._preamble = bytearray(b"\r\n")  # the body's start counts as the start of a line
        self._begun = False
        self._headers: dict[str, bytes] = {}
        self._header_name = bytearray()
        self._header_value = bytearray()
        self._sink: PartSink | None = None
        self._parts = 0
        self._complete = False

    def feed(self, block: bytes) -> None:
        """Parse the body's next bytes. Raises MalformedMultipart, and whatever `open_part` and the sinks raise."""
        try:
            self._parser.write(block if self._begun else self._after_preamble(block))
        except MultipartParseError as error:
            raise MalformedMultipart from error

    def finish(self) -> None:
        """To be called at the body's end. Raises MalformedMultipart if the final boundary is missing."""
        if not self._complete:
            raise MalformedMultipart("The body ends before the form's final boundary.")

    def _after_preamble(self, block: bytes) -> bytes:
        """The body from its first boundary on; empty until that has arrived. The parser supports no preamble."""
        self._preamble += block
        start = self._preamble.find(self._delimiter, 0, _MAX_PREAMBLE_BYTES)
        if start < 0 and len(self._preamble) >= _MAX_PREAMBLE_BYTES:
            raise MalformedMultipart("The body does not begin with the Content-Type's boundary.")
        if start < 0:
            return b""
        self._begun = True
        body, self._preamble = self._preamble[start + 2 :], bytearray()
        return bytes(body)

    def _on_part_begin(self) -> None:
        self._headers = {}
        self._parts += 1
        if self._parts > _MAX_PARTS:
            raise MalformedMultipart(f"The form has more than {_MAX_PARTS} parts.")

    def _on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._header_name += data[start:end]

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header_value += data[start:end]

    def _on_header_end(self) -> None:
        name, value = self._header_name.decode("ascii").lower(), bytes(self._header_value)
        self._header_name, self._header_value = bytearray(), bytearray()
        if name in self._headers:
            raise MalformedMultipart("A part of the form has a header twice.")
        self._headers[name] = value

    def _on_headers_finished(self) -> None:
        self._sink = self._open_part(PartHeaders(self._headers))

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._sink is not None:
            self._sink.write(data[start:end])  # no copy if the whole block belongs to one part

    def _on_part_end(self) -> None:
        if self._sink is not None:
            self._sink.end()

    def _on_end(self) -> None:
        self._complete = True
