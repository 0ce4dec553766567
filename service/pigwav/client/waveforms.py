"""A recording's waveform: a `.dat` file of audiowaveform, version 2, 8 bits, one channel."""

import struct
from array import array
from dataclasses import dataclass, field
from typing import Final, Self

_HEADER: Final = struct.Struct("<iIiiIi")  # version, flags, sample rate, samples per point, points, channels
_VERSION: Final = 2
_8_BIT: Final = 1


@dataclass(frozen=True)
class Waveform:
    """`pairs`: the lowest and the highest sample of each point, -128 to 127. `dat`: the file itself."""

    sample_rate_hz: int
    samples_per_point: int
    pairs: tuple[tuple[int, int], ...] = field(repr=False)
    dat: bytes = field(repr=False, compare=False)

    @classmethod
    def from_dat(cls, dat: bytes) -> Self:
        """Raises ValueError if it is not such a file."""
        if len(dat) < _HEADER.size:
            raise ValueError("a .dat file has at least 24 bytes")
        version, flags, sample_rate_hz, samples_per_point, points, channels = _HEADER.unpack_from(dat)
        samples = array("b", dat[_HEADER.size :])
        if (version, flags, channels, 2 * points) != (_VERSION, _8_BIT, 1, len(samples)):
            raise ValueError("not a .dat file of version 2 with 8 bits and one channel")
        return cls(
            sample_rate_hz, samples_per_point, tuple(zip(samples[::2], samples[1::2], strict=True)), dat
        )

    @property
    def magnitudes(self) -> bytes:
        """One for each point, 0 to 128: how far the farther of its two samples is from zero."""
        return bytes(max(-lowest, highest, 0) for lowest, highest in self.pairs)
