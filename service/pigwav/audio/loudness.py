"""Integrated loudness (ITU-R BS.1770-5, EBU R 128) and loudness range (EBU Tech 3342). Pure.

The standard filters the signal (K-weighting) and takes the mean square of blocks of 0.4 s that overlap by 75%. Here,
the signal is Fourier-transformed in pieces, each a frame of 0.1 s or half of one, and the power of a piece's spectrum
is weighted with that of the filter (Parseval's theorem). The result is the same to 0.1 LU, and needs no filter that
runs sample by sample, which numpy has not. A block is four frames.

Two steps keep strong low frequencies, which K-weighting removes, from leaking into others. Pieces overlap by at least
16 ms, in which one fades out as the next fades in. And what is transformed is the difference between neighbouring
samples; the weights undo its spectrum.
"""

import math
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt

FRAMES_PER_SECOND: Final = 10
_FADES_PER_SECOND: Final = 60  # at most: the fade is longer if the transform is faster then

MOST_SAMPLES: Final = 36_000
"""The samples of all channels together in one call of `LoudnessMeter.feed`: half a batch of 16-bit WAV. Smaller calls
take longer in all, because the encoder displaces numpy's code and data from the processor's caches. Larger calls need
more memory.
"""
_MOST_PIECE_SAMPLES: Final = 2_400
"""A longer frame is transformed in two pieces: numpy makes tables for each call, and they have 16 bytes a sample."""
_COUNT_AT_A_TIME: Final = 100
_FAST_DIVISOR: Final = 32
_FAST_MULTIPLE: Final = 2**13 * 3**8 * 5**5
"""All lengths up to 6,000 without a prime factor above 5 divide it. Factors of 2 are the fastest."""
_BLOCK_FRAMES: Final = 4
_SHORT_TERM_FRAMES: Final = 30

_OFFSET_LU: Final = -0.691  # so that a 997 Hz sine of 0 dBFS in one channel has -3.01 LUFS
_LOWEST_LUFS: Final = -70.0  # the absolute gate
_HIGHEST_LUFS: Final = 10.0
_BINS_PER_LU: Final = 20
_BINS: Final = round((_HIGHEST_LUFS - _LOWEST_LUFS) * _BINS_PER_LU)


def k_weighting(sample_rate_hz: int, points: int) -> npt.NDArray[np.float64]:
    """The squared magnitude of the K-weighting filter at `points` frequencies from 0 to half the sample rate.

    BS.1770 gives coefficients for 48 kHz alone. These are the analogue prototypes behind them, for any rate, as
    libebur128 has them.
    """
    delay = np.exp(-1j * np.linspace(0, math.pi, points))  # z**-1

    k = math.tan(math.pi * 1681.974450955533 / sample_rate_hz)
    q = 0.7071752369554196
    high = 10 ** (3.999843853973347 / 20)
    band = high**0.4996667741545416
    shelf = _polynomial(
        delay, high + band * k / q + k * k, 2 * (k * k - high), high - band * k / q + k * k
    ) / _polynomial(delay, 1 + k / q + k * k, 2 * (k * k - 1), 1 - k / q + k * k)
    k = math.tan(math.pi * 38.13547087602444 / sample_rate_hz)
    q = 0.5003270373238773
    # As in BS.1770's table, only the denominator is divided by its first coefficient.
    first = 1 + k / q + k * k
    high_pass = _polynomial(delay, first, -2 * first, first) / _polynomial(
        delay, first, 2 * (k * k - 1), 1 - k / q + k * k
    )
    return np.square(np.abs(shelf * high_pass))


def _polynomial(delay: npt.NDArray[np.complex128], *coefficients: float) -> npt.NDArray[np.complex128]:
    return np.asarray(np.polynomial.polynomial.polyval(delay, coefficients), np.complex128)


def _fast_length(least: int) -> int:
    """The smallest multiple of _FAST_DIVISOR from `least` on that has no prime factor above 5."""
    first = -(-least // _FAST_DIVISOR) * _FAST_DIVISOR
    return next(length for length in range(first, 2 * first, _FAST_DIVISOR) if _FAST_MULTIPLE % length == 0)


def _weights(sample_rate_hz: int, window: int, piece: int) -> npt.NDArray[np.float32]:
    """What turns the power spectrum of a window's differences, divided by the length, into the mean square of a piece,
    with full scale as 1.
    """
    weights = 2 * k_weighting(
        sample_rate_hz, window // 2 + 1
    )  # each frequency but the first and the last stands for two
    weights[0] = 0
    if window % 2 == 0:
        weights[-1] /= 2
    differencing = 2 * np.sin(np.pi * np.arange(1, weights.size) / window)
    weights[1:] /= np.square(differencing)
    return (weights * window / piece / 32_768**2).astype(np.float32)


@dataclass(frozen=True)
class _Pieces:
    """How the signal is cut, windowed and weighted. `weights`: of the real and the imaginary part of each frequency."""

    per_frame: int
    samples: int
    window: npt.NDArray[np.float32]
    weights: npt.NDArray[np.float32]


@cache
def _pieces(sample_rate_hz: int) -> _Pieces:
    frame = sample_rate_hz // FRAMES_PER_SECOND
    per_frame = -(-frame // _MOST_PIECE_SAMPLES)
    piece = frame // per_frame
    fade = _fast_length(piece + sample_rate_hz // _FADES_PER_SECOND) - piece
    ramp = np.sin(np.pi / 2 * (np.arange(fade) + 0.5) / fade)
    window = np.concatenate([ramp, np.ones(piece - fade), ramp[::-1]]).astype(np.float32)
    return _Pieces(per_frame, piece, window, np.repeat(_weights(sample_rate_hz, window.size, piece), 2))


class LoudnessMeter:
    """Constant memory, since blocks are counted in bins of 0.05 LU."""

    def __init__(self, sample_rate_hz: int, channels: int) -> None:
        pieces = _pieces(sample_rate_hz)  # of one of MP3's nine sample rates
        self._pieces_per_frame = pieces.per_frame
        self._piece = pieces.samples
        self._window = pieces.window
        self._weights = pieces.weights
        self._last = np.zeros(channels, np.float32)
        self._differences = np.zeros((channels, 0), np.float32)
        self._uncounted: list[float] = []
        self._recent = np.zeros(0)
        self._blocks = _Histogram()
        self._short_terms = _Histogram()

    def feed(self, signals: npt.NDArray[np.float32]) -> None:
        """`signals`: channels x samples, 16-bit magnitudes. Fastest with about MOST_SAMPLES in all."""
        differences = self._with_more(signals.shape[1])
        new = differences[:, self._differences.shape[1] :]
        np.subtract(signals[:, 0], self._last, out=new[:, 0])
        np.subtract(signals[:, 1:], signals[:, :-1], out=new[:, 1:])
        self._last = signals[:, -1].copy()
        self._transform(differences)

    def end(self) -> None:
        """After the last samples: the last frame fades out over none."""
        fade = self._window.size - self._piece
        differences = self._with_more(fade)
        differences[:, -fade:] = 0
        self._transform(differences)
        self._count()

    def _with_more(self, samples: int) -> npt.NDArray[np.float32]:
        """The differences that are not transformed yet, and room for more."""
        kept = self._differences
        differences = np.empty((len(kept), kept.shape[1] + samples), np.float32)
        differences[:, : kept.shape[1]] = kept
        return differences

    def _transform(self, differences: npt.NDArray[np.float32]) -> None:
        """Takes all whole pieces, and keeps the rest."""
        length = self._window.size
        pieces = max(0, (differences.shape[1] - length) // self._piece + 1)
        self._differences = differences[:, pieces * self._piece :].copy()
        if not pieces:
            return
        windowed = np.empty((len(differences), pieces, length), np.float32)
        for number in range(pieces):
            start = number * self._piece
            np.multiply(differences[:, start : start + length], self._window, out=windowed[:, number])
        # Only with norm="forward", numpy transforms 32-bit floats as such (numpy 2.4): half the time.
        spectrum = np.fft.rfft(windowed, axis=-1, norm="forward")
        power = spectrum.view(np.float32)  # real and imaginary parts in turn
        np.square(power, out=power)
        # Not by `@`: its BLAS starts threads of its own, which wait actively for cores that encoders use.
        self._uncounted += np.einsum("cpk,k->p", power, self._weights).tolist()
        if len(self._uncounted) >= _COUNT_AT_A_TIME:
            self._count()

    def _count(self) -> None:
        new = len(self._uncounted) // self._pieces_per_frame
        whole = self._uncounted[: new * self._pieces_per_frame]
        self._uncounted = self._uncounted[len(whole) :]
        frames = np.reshape(whole, (new, self._pieces_per_frame)).mean(axis=1)
        energies = np.concatenate([self._recent, frames])
        for histogram, length in ((self._blocks, _BLOCK_FRAMES), (self._short_terms, _SHORT_TERM_FRAMES)):
            recent = energies[max(0, energies.size - new - length + 1) :]
            if recent.size >= length:
                histogram.add(np.convolve(recent, np.full(length, 1 / length), "valid"))
        self._recent = energies[-(_SHORT_TERM_FRAMES - 1) :]

    def integrated_lufs(self) -> float | None:
        """None if no block is louder than -70 LUFS, as in silence and in less than 0.4 s."""
        gate = self._blocks.gate(-10)
        return None if gate is None else _lufs(self._blocks.mean(gate))

    def range_lu(self) -> float | None:
        """None if no three seconds are louder than -70 LUFS."""
        gate = self._short_terms.gate(-20)
        if gate is None:
            return None
        return self._short_terms.percentile(95, gate) - self._short_terms.percentile(10, gate)


class _Histogram:
    """Energies above the absolute gate, counted by their loudness. Each bin has its sum, so that means are exact."""

    def __init__(self) -> None:
        self._counts = np.zeros(_BINS, np.int64)
        self._sums = np.zeros(_BINS)

    def add(self, energies: npt.NDArray[np.float64]) -> None:
        energies = energies[energies > _energy(_LOWEST_LUFS)]
        if energies.size:
            bins = ((_OFFSET_LU + 10 * np.log10(energies) - _LOWEST_LUFS) * _BINS_PER_LU).astype(np.int64)
            np.clip(bins, 0, _BINS - 1, out=bins)
            self._counts += np.bincount(bins, minlength=_BINS)
            self._sums += np.bincount(bins, energies, minlength=_BINS)

    def gate(self, relative_lu: float) -> int | None:
        """The first bin that is louder than the relative gate: this much over the mean. None if all bins are empty."""
        if not self._counts.any():
            return None
        return max(0, int((_lufs(self.mean(0)) + relative_lu - _LOWEST_LUFS) * _BINS_PER_LU))

    def mean(self, first_bin: int) -> float:
        return float(self._sums[first_bin:].sum() / self._counts[first_bin:].sum())

    def percentile(self, percent: float, first_bin: int) -> float:
        """In LUFS, to half a bin."""
        counts = self._counts[first_bin:].cumsum()
        rank = round(percent / 100 * (counts[-1] - 1))
        return (
            _LOWEST_LUFS + (first_bin + int(np.searchsorted(counts, rank, side="right")) + 0.5) / _BINS_PER_LU
        )


def _lufs(energy: float) -> float:
    return _OFFSET_LU + 10 * math.log10(energy)


def _energy(lufs: float) -> float:
    return 10 ** ((lufs - _OFFSET_LU) / 10)
