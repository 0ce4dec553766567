"""Levels of the PCM that goes to the encoder: peak, RMS, offset, clipping, silence, and how two channels relate."""

import math
from dataclasses import replace
from typing import Final

import numpy as np
import numpy.typing as npt

from pigwav.audio.loudness import FRAMES_PER_SECOND, MOST_SAMPLES, LoudnessMeter
from pigwav.audio.pcm import PcmFormat
from pigwav.audio.warnings import SILENT_BELOW_DBFS, level_warnings
from pigwav.domain import SILENCE_DBFS, AudioFacts, ChannelLevels, Levels

CLIPPED_RUN: Final = 3
"""Samples at full scale count as clipped if at least so many of one sign follow each other in a channel."""

_FULL_SCALE: Final = 32_768
# A frame of 0.1 s is silent if no sample of any channel is above this.
_SILENT_MAGNITUDE: Final = int(_FULL_SCALE * 10 ** (SILENT_BELOW_DBFS / 20))

Int16s = npt.NDArray[np.int16]


class LevelMeter:
    """Constant memory, about 0.1 MB."""

    def __init__(self, pcm_format: PcmFormat) -> None:
        self._sample_rate_hz = pcm_format.sample_rate_hz
        self._channels = pcm_format.channels
        self._frame_samples = pcm_format.sample_rate_hz // FRAMES_PER_SECOND
        self._frame_bytes = self._frame_samples * pcm_format.sample_bytes
        self._frame_ms = 1000 * self._frame_samples / pcm_format.sample_rate_hz
        self._loudness = LoudnessMeter(pcm_format.sample_rate_hz, pcm_format.channels)
        self._rest = b""
        self._samples = 0
        self._sums = np.zeros(self._channels)
        self._squares = np.zeros(self._channels)
        self._product = 0.0
        self._identical = self._channels == 2
        self._highest = np.zeros(self._channels, np.int16)
        self._lowest = np.zeros(self._channels, np.int16)
        self._clipped = [_Runs() for _ in range(2 * self._channels)]
        self._silent_samples = 0
        self._silent_run = 0
        self._longest_silence = 0

    def feed(self, pcm: bytes) -> None:
        step_bytes = max(1, 2 * MOST_SAMPLES // self._frame_bytes) * self._frame_bytes
        data, taken = memoryview(pcm), 0
        while taken < len(data):
            step = data[taken : taken + step_bytes - len(self._rest)]
            taken += len(step)
            self._rest = self._take_frames(self._rest + step if self._rest else step)

    def _take_frames(self, data: bytes | memoryview) -> bytes:
        """Takes all whole frames, and returns the rest."""
        whole_bytes = len(data) // self._frame_bytes * self._frame_bytes
        if whole_bytes:
            planar = self._planar(data[:whole_bytes])
            self._take(planar.reshape(self._channels, -1, self._frame_samples))
        return bytes(data[whole_bytes:])

    def complete(self, facts: AudioFacts) -> AudioFacts:
        levels = self.levels()
        return replace(
            facts,
            peak_dbfs=levels.peak_dbfs,
            levels=levels,
            warnings=(*(facts.warnings or ()), *level_warnings(levels, self._sample_rate_hz)),
        )

    def levels(self) -> Levels:
        """Called once, after the last block."""
        if self._rest:
            self._take(self._planar(self._rest)[:, np.newaxis])
            self._rest = b""
        self._loudness.end()
        samples = max(1, self._samples)
        return Levels(
            loudness_lufs=_rounded(self._loudness.integrated_lufs()),
            loudness_range_lu=_rounded(self._loudness.range_lu()),
            rms_dbfs=_dbfs(math.sqrt(float(self._squares.sum()) / self._channels / samples)),
            silent_share=round(self._silent_samples / samples, 4),
            longest_silence_ms=round(self._longest_silence * self._frame_ms),
            channels=tuple(self._channel(number) for number in range(self._channels)),
            correlation=self._correlation(),
            identical=self._identical if self._channels == 2 else None,
        )

    def _planar(self, pcm: bytes | memoryview) -> Int16s:
        """Channels x samples, each channel's samples next to each other: what follows is twice as fast then."""
        return np.ascontiguousarray(np.frombuffer(pcm, "<i2").reshape(-1, self._channels).T)

    def _take(self, frames: Int16s) -> None:
        """`frames`: channels x frames x samples."""
        highest, lowest = frames.max(axis=2), frames.min(axis=2)
        tops, bottoms = highest.max(axis=1), lowest.min(axis=1)
        np.maximum(self._highest, tops, out=self._highest)
        np.minimum(self._lowest, bottoms, out=self._lowest)
        self._count_silence(
            (highest.max(axis=0) <= _SILENT_MAGNITUDE) & (lowest.min(axis=0) >= -_SILENT_MAGNITUDE),
            frames.shape[2],
        )
        self._count_clipped(frames, tops, bottoms)
        signals = frames.reshape(self._channels, -1).astype(np.float32)
        self._loudness.feed(signals)
        self._samples += signals.shape[1]
        self._sums += signals.sum(axis=1)
        # Not by np.dot: see loudness.py.
        self._squares += np.einsum("cn,cn->c", signals, signals)
        if self._channels == 2:
            self._product += float(np.einsum("n,n->", *signals))
            self._identical = self._identical and np.array_equal(*frames)

    def _count_silence(self, silent: npt.NDArray[np.bool_], frame_samples: int) -> None:
        self._silent_samples += int(silent.sum()) * frame_samples
        for is_silent in silent:
            self._silent_run = self._silent_run + 1 if is_silent else 0
            self._longest_silence = max(self._longest_silence, self._silent_run)

    def _count_clipped(self, frames: Int16s, tops: Int16s, bottoms: Int16s) -> None:
        for number in range(self._channels):
            above, below = self._clipped[2 * number : 2 * number + 2]
            signal = frames[number].reshape(-1)
            above.feed(signal == _FULL_SCALE - 1 if tops[number] == _FULL_SCALE - 1 else None)
            below.feed(signal == -_FULL_SCALE if bottoms[number] == -_FULL_SCALE else None)

    def _channel(self, number: int) -> ChannelLevels:
        samples = max(1, self._samples)
        return ChannelLevels(
            peak_dbfs=_dbfs(max(int(self._highest[number]), -int(self._lowest[number]))),
            rms_dbfs=_dbfs(math.sqrt(float(self._squares[number]) / samples)),
            dc_offset=round(float(self._sums[number]) / samples / _FULL_SCALE, 5) + 0.0,
            clipped_samples=sum(runs.total() for runs in self._clipped[2 * number : 2 * number + 2]),
        )

    def _correlation(self) -> float | None:
        """-1 to 1; None for one channel, or if a channel is silent."""
        if self._channels == 1 or not self._squares.all():
            return None
        return round(self._product / math.sqrt(float(self._squares.prod())), 3) + 0.0


class _Runs:
    """Counts the samples in runs of at least CLIPPED_RUN, also across blocks."""

    def __init__(self) -> None:
        self._total = 0
        self._open = 0

    def feed(self, clipped: npt.NDArray[np.bool_] | None) -> None:
        """None: a block in which no sample is."""
        if clipped is None or not clipped.size:
            self._end()
            return
        edges = np.flatnonzero(np.diff(clipped, prepend=False, append=False))
        lengths = np.diff(edges)[::2]
        if clipped[0]:
            lengths[0] += self._open
            self._open = 0
        self._end()
        if clipped[-1]:
            self._open = int(lengths[-1])
            lengths = lengths[:-1]
        self._total += int(lengths[lengths >= CLIPPED_RUN].sum())

    def total(self) -> int:
        """All blocks have been fed."""
        self._end()
        return self._total

    def _end(self) -> None:
        self._total += self._open if self._open >= CLIPPED_RUN else 0
        self._open = 0


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2) + 0.0


def _dbfs(magnitude: float) -> float:
    """16-bit magnitude in dB below full scale, to hundredths."""
    if magnitude <= 0:
        return SILENCE_DBFS
    return max(SILENCE_DBFS, round(20 * math.log10(magnitude / _FULL_SCALE), 2) + 0.0)
