"""The numbers in the settings. Upper bounds are those of the clocks, sockets and columns that the numbers reach."""

from typing import Annotated, Final, TypeAlias

from pydantic import Field

LARGEST_COUNT: Final = 1_000_000_000
LARGEST_BYTES: Final = 2**63 - 1
"""The largest bigint of Postgres."""

LARGEST_S: Final = 365 * 24 * 3600

Seconds: TypeAlias = Annotated[float, Field(gt=0, le=LARGEST_S)]
SecondsOrNone: TypeAlias = Annotated[float, Field(ge=0, le=LARGEST_S)]
Count: TypeAlias = Annotated[int, Field(gt=0, le=LARGEST_COUNT)]
Threads: TypeAlias = Annotated[int, Field(gt=0, le=10_000)]
ByteCount: TypeAlias = Annotated[int, Field(gt=0, le=LARGEST_BYTES)]
BitRate: TypeAlias = Annotated[int, Field(ge=8, le=320)]
"""Kilobits per second, within what MP3 has. A rate between two of MP3's becomes the lower one."""
