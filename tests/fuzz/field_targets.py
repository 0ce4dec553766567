"""Header fields that select the response or detect repetitions: ranges, preconditions, idempotency keys."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from starlette.datastructures import Headers

from fuzz.target import Target
from pigwav.api.conditional import Answer, Conditions
from pigwav.api.headers import http_date
from pigwav.api.idempotency import idempotency_key
from pigwav.errors import InvalidIdempotencyKey
from pigwav.ranges import ByteSlice, Unsatisfiable, Whole, select


def check_range(steer: int, body: bytes) -> None:
    """`select` agrees with a slow and simple implementation of RFC 9110 14.1.2 and 14.2."""
    header, size_bytes = body.decode("latin-1"), (0, 1, 2, 9, 10, 255, 65_536, 4 << 30)[steer % 8]
    selection = select(header, size_bytes)
    assert selection == _selection(header, size_bytes)
    if isinstance(selection, ByteSlice):
        assert 0 <= selection.start < selection.stop <= size_bytes
        told = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", selection.content_range(size_bytes))
        assert told
        assert int(told[2]) - int(told[1]) + 1 == selection.length


def _selection(header: str, size_bytes: int) -> Whole | ByteSlice | Unsatisfiable:
    unit, _, ranges = header.strip(" \t").partition("=")
    specs = [spec.strip(" \t") for spec in ranges.split(",") if spec.strip(" \t")]
    if unit.lower() != "bytes" or len(specs) != 1:
        return Whole()
    first, dash, last = specs[0].partition("-")
    digits = {*first, *last} <= {*"0123456789"}
    if not (dash and digits and first + last) or max(len(first), len(last)) > 4_000:
        return Whole() if not (dash and digits and first + last) else select(header, size_bytes)
    if not first:
        chosen = range(size_bytes)[max(0, size_bytes - int(last)) :] if int(last) else range(0)
        return ByteSlice(chosen.start, chosen.stop) if chosen else _no_bytes(int(last), size_bytes)
    if last and int(last) < int(first):
        return Whole()
    chosen = range(size_bytes)[int(first) : int(last) + 1 if last else size_bytes]
    return ByteSlice(chosen.start, chosen.stop) if chosen else Unsatisfiable()


def _no_bytes(suffix_bytes: int, size_bytes: int) -> Whole | Unsatisfiable:
    """A suffix range of an empty object is satisfiable, but Content-Range cannot express it."""
    return Whole() if suffix_bytes and not size_bytes else Unsatisfiable()


ETAG: Final = '"' + "a1" * 32 + '"'
MODIFIED: Final = datetime(2026, 3, 1, 12, 30, 5, tzinfo=UTC)
_CONDITIONS: Final = (
    "if-match",
    "if-none-match",
    "if-unmodified-since",
    "if-modified-since",
    "if-range",
    "range",
)


def check_conditions(steer: int, body: bytes) -> None:
    """Any headers get an answer, which is consistent with the headers that are present."""
    lines = body.decode("latin-1").split("\n")
    headers = {
        name: line
        for bit, (name, line) in enumerate(zip(_CONDITIONS, lines, strict=False))
        if steer >> bit & 1
    }
    method = ("GET", "HEAD")[steer >> 8 & 1]
    answer = Conditions(method, headers, ETAG, MODIFIED).answer()
    if answer is Answer.RANGE:
        assert method == "GET"
        assert "range" in headers
    if answer is Answer.PRECONDITION_FAILED:
        assert headers.keys() & {"if-match", "if-unmodified-since"}
        assert headers.get("if-match", "").strip(" \t") != "*"
    if answer is Answer.NOT_MODIFIED:
        assert headers.keys() & {"if-none-match", "if-modified-since"}
    without = {name: line for name, line in headers.items() if name in ("range", "if-range")}
    if not headers.keys() - without.keys():
        assert answer in (Answer.WHOLE, Answer.RANGE)


_PRINTABLE: Final = re.compile("[ -~]{1,255}")


def check_idempotency_key(_: int, body: bytes) -> None:
    """A key is short printable text, or is refused. Short printable text survives serialisation as a string."""
    printable = bytes(byte for byte in body if 0x20 <= byte <= 0x7E)[:255] or b"x"
    said = idempotency_key(_with_key(_as_string(printable)), filename="a.wav")
    assert said
    assert said.key.encode() == printable
    try:
        sent = idempotency_key(_with_key(body), filename="b.wav")
    except InvalidIdempotencyKey:
        return
    assert sent
    assert _PRINTABLE.fullmatch(sent.key)
    assert sent.fingerprint != said.fingerprint


def _with_key(value: bytes) -> Headers:
    return Headers(raw=[(b"idempotency-key", value), (b"content-length", b"44")])


def _as_string(printable: bytes) -> bytes:
    """Serialises a string by RFC 9651 section 4.1.6."""
    return b'"%s"' % re.sub(rb'(["\\])', rb"\\\1", printable)


def _ranges() -> Iterator[bytes]:
    yield from (
        b"bytes=0-1",
        b"bytes=5-",
        b"bytes=-5",
        b"bytes=0-1,3-4",
        b"Bytes= 007-9 ,",
        b"items=0-1",
        b"bytes=9-1",
    )
    yield b"bytes=" + b"9" * 25 + b"-"


def _conditions() -> Iterator[bytes]:
    date, etag = http_date(MODIFIED).encode(), ETAG.encode()
    yield b"\n".join((etag, etag, date, date, etag, b"bytes=0-1"))
    yield b"\n".join(
        (b"*", b'W/"x", ' + etag, b"Sunday, 01-Mar-26 12:30:05 GMT", b"Sun Mar  1 12:30:05 2026", date)
    )


def _keys() -> Iterator[bytes]:
    yield from (
        b'"8e03978e-40d5-43dd-bc93-6894a57f9324"',
        b"8e03978e-40d5",
        rb'"a \"b\" \\ c"',
        b'"',
        b"a, b",
    )


FIELD_TARGETS: Final = (
    Target("range", check_range, _ranges, limit_bytes=256),
    Target("conditions", check_conditions, _conditions, limit_bytes=512),
    Target("idempotency-key", check_idempotency_key, _keys, limit_bytes=600),
)
