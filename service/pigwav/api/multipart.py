"""An upload's multipart/form-data body (RFC 7578), read as a stream: no temporary file, bounded memory."""

from collections.abc import AsyncIterator, Callable, Collection
from typing import Final

from pigwav.api.form_parts import FormParts, PartHeaders, PartSink
from pigwav.api.parameters import base_name, boundary, charset_of
from pigwav.api.text_fields import TextFields
from pigwav.domain import plain_name
from pigwav.errors import CredentialsFirst, FileMissing, MalformedMultipart

HELD_BYTES: Final = 1024 * 1024
_BLOCK_BYTES: Final = 64 * 1024
_SHOWN_CHARS: Final = 40


class UploadForm:
    """One form with one file. `await until_file()`, then read `fields` and `filename`, then stream `file()`.

    If the `required` fields precede the file, the file streams at once, and known fields after it are in
    `late_fields` when `file()` has ended. Otherwise up to `held_bytes` of the file are held in memory until the form
    has ended, and every known field is in `fields`. Only the order of the parts decides between the two, not how the
    bytes arrive.

    Unknown parts are skipped. Every method raises MalformedMultipart, and InvalidField if a known field is repeated,
    too long, or not in its charset.
    """

    def __init__(
        self,
        content_type: str,
        blocks: AsyncIterator[bytes],
        *,
        file_field: str = "file",
        known: Collection[str] = ("user_id", "token", "title", "bitrate", "strict"),
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
        self._texts = TextFields(known, fallback=charset_of(content_type))
        self._required = frozenset(required)
        self._held_limit_bytes = held_bytes
        self._on_held = on_held
        self._held = bytearray()
        self._file: _FilePieces | None = None
        self._misnamed: str | None = None  # the field of a file that is not in the file field
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
            raise FileMissing(self._where_no_file_is())

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
            self._end()
            return None
        self._parts.feed(block)
        return b"" if self._file is None else self._file.take()

    def _where_no_file_is(self) -> str:
        if self._misnamed is None:
            return f"The form has no file: the field `{self._file_field}` is missing, or no file was chosen."
        return f"The form has its file in the field {self._misnamed[:_SHOWN_CHARS]!a}. Name it `{self._file_field}`."

    def _end(self) -> None:
        self._parts.finish()
        if self._streams:
            self.late_fields = self._texts.decoded(without=self.fields)
        else:
            self.fields = self._texts.decoded()

    def _open_part(self, part: PartHeaders) -> PartSink | None:
        disposition = part.disposition(self._texts.charset)
        if disposition.name != self._file_field:
            if disposition.filename:
                self._misnamed = disposition.name
            return self._texts.sink(disposition.name, part.charset())
        # Without a name and without bytes, it is an input of a page for which no file was chosen.
        file = _FilePieces(lambda: self._begin_file(file, disposition.filename or ""))
        if disposition.filename:
            file.begin()
        return file

    def _begin_file(self, file: "_FilePieces", filename: str) -> None:
        if self._file is not None:
            raise MalformedMultipart("The form has more than one file.")
        self._file = file
        self.filename = plain_name(base_name(filename)) or None
        self._streams = self._required <= self._texts.names
        if self._streams:
            self.fields = self._texts.decoded()


def text_fields(content_type: str, body: bytes, known: Collection[str]) -> dict[str, str]:
    """The `known` fields of a form that is completely in memory; other parts are skipped.

    Raises MalformedMultipart, and InvalidField as UploadForm does.
    """
    texts = TextFields(known, fallback=charset_of(content_type))

    def open_part(part: PartHeaders) -> PartSink | None:
        return texts.sink(part.disposition(texts.charset).name, part.charset())

    parts = FormParts(boundary(content_type), open_part)
    parts.feed(body)
    parts.finish()
    return texts.decoded()


class _FilePieces:
    """Collects the file's bytes of one block of the body: one piece, or a few if the block contains something that
    looks like a boundary. The first byte begins the file, if it has not begun yet.
    """

    def __init__(self, on_begin: Callable[[], None]) -> None:
        self._pieces: list[bytes] = []
        self._on_begin = on_begin
        self._begun = False

    def begin(self) -> None:
        self._begun = True
        self._on_begin()

    def write(self, piece: bytes) -> None:
        if not self._begun and piece:
            self.begin()
        self._pieces.append(piece)

    def end(self) -> None:
        """Does nothing: the form may continue after its file."""

    def take(self) -> bytes:
        pieces, self._pieces = self._pieces, []
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)
