"""An upload's multipart/form-data body (RFC 7578), read as a stream: no temporary file, bounded memory."""

from collections.abc import AsyncIterator, Callable, Collection
from typing import Final

from pigwav.api.form_parts import FormParts, PartHeaders, PartSink
from pigwav.api.parameters import base_name, boundary
from pigwav.domain import plain_name
from pigwav.errors import CredentialsFirst, FileMissing, InvalidField, MalformedMultipart

HELD_BYTES: Final = 1024 * 1024
_BLOCK_BYTES: Final = 64 * 1024
_MAX_FIELD_BYTES: Final = 4 * 1024
_UTF8_CHARSETS: Final = frozenset({"utf-8", "utf8", "us-ascii"})


class UploadForm:
    """One form with one file. `await until_file()`, then read `fields` and `filename`, then stream `file()`.

    If the `required` fields precede the file, the file streams at once, and known fields after it go to
    `late_fields`. Otherwise up to `held_bytes` of the file are held in memory until the form has ended, and every
    known field is in `fields`. Only the order of the parts decides between the two, not how the bytes arrive.

    Unknown parts are skipped. Every method raises MalformedMultipart, and InvalidField if a known field is repeated,
    too long, or not UTF-8.
    """

    def __init__(
        self,
        content_type: str,
        blocks: AsyncIterator[bytes],
        *,
        file_field: str = "file",
        known: Collection[str] = ("user_id", "token", "title", "bitrate"),
        required: Collection[str] = ("user_id", "token"),
        held_bytes: int = HELD_BYTES,
        on_held: Callable[[int], None] = lambda _: None,
    ) -> None:
        """`on_held` is called with the number of bytes that are held because required fields are missing, each time
        that it grows. An error that it raises ends the upload.
        """
        self.fields: dict[str, str] = {}
        self.late_fields: dict[str, str] = {}
        self.filename: str | None = None
        """The file's base name as one line of text; None if the client sent none."""
        self._parts = FormParts(boundary(content_type), self._open_part)
        self._blocks = blocks
        self._file_field = file_field
        self._known = frozenset(known)
        self._required = frozenset(required)
        self._held_limit_bytes = held_bytes
        self._on_held = on_held
        self._held = bytearray()
        self._file: _FilePieces | None = None
        self._streams = False

    async def until_file(self) -> None:
        """Read until the file can be streamed: to its first bytes, or to the end of the form (see the class).

        Raises FileMissing if the form ends without a file, and CredentialsFirst if more than `held_bytes` of the
        file would be held. A required field that the form does not contain is absent from `fields`.
        """
        while not self._streams and (block := await self._next_of_file()) is not None:
            self._held += block
            if not self._streams:
                if len(self._held) > self._held_limit_bytes:
                    raise CredentialsFirst
                self._on_held(len(self._held))
        if self._file is None:
            raise FileMissing

    async def file(self) -> AsyncIterator[bytes]:
        """Yields the file's bytes as they arrive, in non-empty blocks. Ends only if the whole body is well-formed."""
        while self._held:
            block = bytes(self._held[:_BLOCK_BYTES])
            del self._held[:_BLOCK_BYTES]
            yield block
        while (piece := await self._next_of_file()) is not None:
            if piece:
                yield piece

    async def _next_of_file(self) -> bytes | None:
        """The file's bytes in the body's next block: usually the whole block. None at the end of the body."""
        block = await anext(self._blocks, None)
        if block is None:
            self._parts.finish()
            return None
        self._parts.feed(block)
        return b"" if self._file is None else self._file.take()

    def _open_part(self, part: PartHeaders) -> PartSink | None:
        name = part.disposition.name
        if name != self._file_field:
            return _Field(name, part.charset(), self._keep) if name in self._known else None
        if self._file is not None:
            raise MalformedMultipart("The form has more than one file.")
        self._file = _FilePieces()
        self._streams = self._required <= self.fields.keys()
        self.filename = plain_name(base_name(part.disposition.filename or "")) or None
        return self._file

    def _keep(self, name: str, text: str) -> None:
        if name in self.fields or name in self.late_fields:
            raise InvalidField(f"The form contains the field {name} more than once.")
        (self.late_fields if self._streams else self.fields)[name] = text


def text_fields(content_type: str, body: bytes, known: Collection[str]) -> dict[str, str]:
    """The `known` fields of a form that is completely in memory; other parts are skipped.

    Raises MalformedMultipart, and InvalidField as UploadForm does.
    """
    fields: dict[str, str] = {}

    def keep(name: str, text: str) -> None:
        if name in fields:
            raise InvalidField(f"The form contains the field {name} more than once.")
        fields[name] = text

    def open_part(part: PartHeaders) -> PartSink | None:
        name = part.disposition.name
        return _Field(name, part.charset(), keep) if name in known else None

    parts = FormParts(boundary(content_type), open_part)
    parts.feed(body)
    parts.finish()
    return fields


class _FilePieces:
    """Collects the file's bytes of one block of the body: one piece, or a few if the block contains something that
    looks like a boundary.
    """

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def write(self, piece: bytes) -> None:
        self._pieces.append(piece)

    def end(self) -> None:
        """Does nothing: the form may continue after its file."""

    def take(self) -> bytes:
        pieces, self._pieces = self._pieces, []
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)


class _Field:
    """A text field while it arrives."""

    def __init__(self, name: str, charset: str, keep: Callable[[str, str], None]) -> None:
        if charset not in _UTF8_CHARSETS:
            raise InvalidField(f"The field {name} is not in UTF-8.")
        self._name = name
        self._keep = keep
        self._value = bytearray()

    def write(self, piece: bytes) -> None:
        self._value += piece
        if len(self._value) > _MAX_FIELD_BYTES:
            raise InvalidField(f"The field {self._name} is longer than {_MAX_FIELD_BYTES} bytes.")

    def end(self) -> None:
        try:
            text = self._value.decode()
        except UnicodeDecodeError as error:
            raise InvalidField(f"The field {self._name} is not in UTF-8.") from error
        self._keep(self._name, text)
