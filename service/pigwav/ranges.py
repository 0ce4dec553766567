"""One byte range of a representation (RFC 9110 section 14). Requests for several ranges get the whole."""

import re
from dataclasses import dataclass
from typing import Final, TypeAlias

_ONE_RANGE: Final = re.compile(r"0*+([0-9]*+)-0*+([0-9]*+)")  # possessive: linear in a hostile header
_BEYOND_ANY_SIZE: Final = 10**19
"""Stands for every position of 20 digits and more: none exists, and int() refuses thousands of digits."""


@dataclass(frozen=True)
class Whole:
    """There is no valid single byte range in the request: 200 and all bytes."""


@dataclass(frozen=True)
class ByteSlice:
    """The bytes [start, stop), never empty: 206."""

    start: int
    stop: int

    @property
    def length(self) -> int:
        return self.stop - self.start

    def content_range(self, size_bytes: int) -> str:
        return f"bytes {self.start}-{self.stop - 1}/{size_bytes}"


@dataclass(frozen=True)
class Unsatisfiable:
    """The range selects nothing: 416."""


Selection: TypeAlias = Whole | ByteSlice | Unsatisfiable


@dataclass(frozen=True)
class FromTo:
    """`first-last`, both counted from 0 and inclusive; no `last` means up to the end."""

    first: int
    last: int | None

    def resolve(self, size_bytes: int) -> Selection:
        if self.first >= size_bytes:
            return Unsatisfiable()
        stop = size_bytes if self.last is None else min(self.last + 1, size_bytes)
        return ByteSlice(self.first, stop)


@dataclass(frozen=True)
class LastBytes:
    """`-length`: the last `length` bytes, or all bytes if there are fewer."""

    length: int

    def resolve(self, size_bytes: int) -> Selection:
        if self.length == 0:
            return Unsatisfiable()
        if size_bytes == 0:
            return Whole()  # satisfiable by RFC 9110 14.1.2, but Content-Range cannot express it
        return ByteSlice(max(0, size_bytes - self.length), size_bytes)


ByteRange: TypeAlias = FromTo | LastBytes


def select(header: str | None, size_bytes: int) -> Selection:
    """The bytes, of `size_bytes`, that a Range header selects."""
    asked = parse_range(header)
    return Whole() if asked is None else asked.resolve(size_bytes)


def parse_range(header: str | None) -> ByteRange | None:
    """The range in a Range header; None if there is none or more than one, it is malformed, or not in bytes."""
    unit, equals, range_set = (header or "").strip(" \t").partition("=")
    if not equals or unit.lower() != "bytes":
        return None
    specs = [spec for item in range_set.split(",") if (spec := item.strip(" \t"))]
    return _parse_spec(specs[0]) if len(specs) == 1 else None


def _parse_spec(spec: str) -> ByteRange | None:
    found = _ONE_RANGE.fullmatch(spec)
    if found is None or spec == "-":
        return None
    first, last = found.groups()
    if spec.startswith("-"):
        return LastBytes(_position(last))
    if spec.endswith("-"):
        return FromTo(_position(first), None)
    if (len(last), last) < (len(first), first):
        return None
    return FromTo(_position(first), _position(last))


def _position(digits: str) -> int:
    """`digits` has no leading zeros; 0 is the empty string."""
    return int(digits or "0") if len(digits) < 20 else _BEYOND_ANY_SIZE
