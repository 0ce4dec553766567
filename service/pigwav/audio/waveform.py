"""A waveform to draw: the lowest and highest sample of each of at most 4,096 equal pieces. Pure.

A piece begins as 20 ms. When all are full, neighbours are merged and pieces become twice as long, so memory is constant
and a recording of any length has 2,048 to 4,096 points, unless it is shorter than 41 s. Two channels are mixed to one.

`Waveform.dat` is the format of BBC's audiowaveform (doc/DataFormat.md there), version 2, with 8 bits.
"""

import struct
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from pigwav.audio.pcm import PcmFormat

MAX_POINTS: Final = 4096
_FIRST_PIECES_PER_SECOND: Final = 50

_HEADER: Final = struct.Struct("<iIiiIi")  # version, flags, sample rate, samples per point, points, channels
_VERSION: Final = 2
_8_BIT: Final = 1

Pairs = npt.NDArray[np.int16]
"""Points x 2: lowest and highest sample."""


@dataclass(frozen=True)
class Waveform:
    """`pairs`: points x 2 (lowest, highest), -128 to 127. The last point may stand for fewer samples."""

    sample_rate_hz: int
    samples_per_point: int
    pairs: npt.NDArray[np.int8]

    def dat(self) -> bytes:
        head = _HEADER.pack(_VERSION, _8_BIT, self.sample_rate_hz, self.samples_per_point, len(self.pairs), 1)
        return head + self.pairs.tobytes()

    @classmethod
    def read(cls, dat: bytes) -> Self:
        """What `dat` wrote."""
        _, _, sample_rate_hz, samples_per_point, points, _ = _HEADER.unpack_from(dat)
        pairs = np.frombuffer(dat, np.int8, 2 * points, _HEADER.size).reshape(-1, 2)
        return cls(sample_rate_hz, samples_per_point, pairs)

    def magnitudes(self, count: int) -> bytes:
        """`means`, rounded."""
        return bytes(map(round, self.means(count)))

    def means(self, count: int) -> list[float]:
        """The mean magnitude of each of `count` equal parts, 0 to 128; fewer if there are fewer points."""
        magnitude = np.abs(self.pairs.astype(np.int16)).max(axis=1)
        parts = min(count, magnitude.size)
        if not parts:
            return []
        edges = np.arange(parts + 1) * magnitude.size // parts
        means: list[float] = (
            np.add.reduceat(magnitude, edges[:-1], dtype=np.int64) / np.diff(edges)
        ).tolist()
        return means


class WaveformMeter:
    """Builds the waveform while PCM arrives. About 20 KB."""

    def __init__(self, pcm_format: PcmFormat) -> None:
        self._format = pcm_format
        self._piece_samples = pcm_format.sample_rate_hz // _FIRST_PIECES_PER_SECOND
        self._piece_bytes = self._piece_samples * pcm_format.sample_bytes
        self._rest = b""
        self._pieces_per_point = 1
        self._waiting: Pairs = np.empty((0, 2), np.int16)  # pieces of the next point
        self._pairs: Pairs = np.empty((MAX_POINTS, 2), np.int16)
        self._points = 0

    def feed(self, pcm: bytes) -> None:
        """Takes the next block: whole samples (see `PcmFormat`)."""
        data = self._rest + pcm if self._rest else pcm
        whole_bytes = len(data) // self._piece_bytes * self._piece_bytes
        self._rest = data[whole_bytes:]
        if whole_bytes:
            self._add(self._lowest_and_highest(data[:whole_bytes], self._piece_samples))

    def waveform(self) -> Waveform:
        """Called once, after the last block."""
        if self._rest:
            self._add(self._lowest_and_highest(self._rest, len(self._rest) // self._format.sample_bytes))
        if self._waiting.size:
            self._append(_merged(self._waiting, len(self._waiting)))
        pairs = (self._pairs[: self._points] >> 8).astype(np.int8)
        return Waveform(self._format.sample_rate_hz, self._piece_samples * self._pieces_per_point, pairs)

    def _lowest_and_highest(self, pcm: bytes, piece_samples: int) -> Pairs:
        samples = np.frombuffer(pcm, "<i2")
        if self._format.channels == 2:
            samples = (samples[0::2] >> 1) + (samples[1::2] >> 1)
        pieces = samples.reshape(-1, piece_samples)
        return np.stack([pieces.min(axis=1), pieces.max(axis=1)], axis=1)

    def _add(self, pieces: Pairs) -> None:
        pieces = np.concatenate([self._waiting, pieces])
        while True:
            wanted = (MAX_POINTS - self._points) * self._pieces_per_point
            whole = min(len(pieces), wanted) // self._pieces_per_point * self._pieces_per_point
            self._append(_merged(pieces[:whole], self._pieces_per_point))
            pieces = pieces[whole:]
            if self._points < MAX_POINTS:
                break
            self._points = MAX_POINTS // 2
            self._pairs[: self._points] = _merged(self._pairs, 2)
            self._pieces_per_point *= 2
        self._waiting = pieces

    def _append(self, pairs: Pairs) -> None:
        self._pairs[self._points : self._points + len(pairs)] = pairs
        self._points += len(pairs)


def _merged(pairs: Pairs, count: int) -> Pairs:
    """Each `count` neighbours as one."""
    groups = pairs.reshape(-1, count, 2)
    return np.stack([groups[:, :, 0].min(axis=1), groups[:, :, 1].max(axis=1)], axis=1)
