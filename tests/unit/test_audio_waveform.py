"""The waveform: points against the samples they stand for, at any length."""

import struct

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pigwav.audio.pcm import PcmFormat
from pigwav.audio.waveform import MAX_POINTS, Waveform, WaveformMeter

RATE_HZ = 8_000
PIECE = RATE_HZ // 50


def waveform_of(samples: npt.NDArray[np.int16], *, block_samples: int = 20_000) -> Waveform:
    """`samples`: samples x channels."""
    meter = WaveformMeter(PcmFormat(RATE_HZ, samples.shape[1]))
    for start in range(0, len(samples), block_samples):
        meter.feed(samples[start : start + block_samples].tobytes())
    return meter.waveform()


def noise(count: int, channels: int = 1) -> npt.NDArray[np.int16]:
    return np.random.default_rng(count).integers(-32_768, 32_768, (count, channels), np.int16)


@given(
    st.integers(0, 9000 * PIECE // 16),
    st.integers(1, 2),
    st.sampled_from([1000, PIECE, 3 * PIECE + 1, 100_000]),
)
def test_each_point_is_the_lowest_and_the_highest_sample_of_its_piece(
    count: int, channels: int, block_samples: int
) -> None:
    samples = noise(count, channels)

    waveform = waveform_of(samples, block_samples=block_samples)

    mono = samples[:, 0] if channels == 1 else (samples[:, 0] >> 1) + (samples[:, 1] >> 1)
    length = waveform.samples_per_point
    pieces = [mono[start : start + length] for start in range(0, count, length)]
    assert [(low, high) for low, high in waveform.pairs.tolist()] == [
        (int(piece.min()) >> 8, int(piece.max()) >> 8) for piece in pieces
    ]


@pytest.mark.parametrize(
    ("pieces", "samples_per_point", "points"),
    [
        (0, PIECE, 0),
        (1, PIECE, 1),
        (MAX_POINTS - 1, PIECE, MAX_POINTS - 1),
        (MAX_POINTS, 2 * PIECE, MAX_POINTS // 2),
        (MAX_POINTS + 1, 2 * PIECE, MAX_POINTS // 2 + 1),
        (5 * MAX_POINTS, 8 * PIECE, 5 * MAX_POINTS // 8),
    ],
)
def test_memory_is_bounded_because_pieces_become_longer(
    pieces: int, samples_per_point: int, points: int
) -> None:
    waveform = waveform_of(noise(pieces * PIECE))

    assert (waveform.samples_per_point, len(waveform.pairs)) == (samples_per_point, points)


def test_the_file_is_that_of_audiowaveform() -> None:
    """Version 2 of https://github.com/bbc/audiowaveform/blob/master/doc/DataFormat.md."""
    samples = np.concatenate([np.full((PIECE, 1), -256, np.int16), np.full((10, 1), 32_767, np.int16)])

    dat = waveform_of(samples).dat()

    assert dat == struct.pack("<iIiiIi4b", 2, 1, RATE_HZ, PIECE, 2, 1, -1, -1, 127, 127)


def test_what_is_written_is_read() -> None:
    waveform = waveform_of(noise(50 * PIECE))

    read = Waveform.read(waveform.dat())

    assert (read.sample_rate_hz, read.samples_per_point) == (RATE_HZ, PIECE)
    assert np.array_equal(read.pairs, waveform.pairs)


def test_magnitudes_are_few_and_follow_the_loudness() -> None:
    quiet, loud = np.full((100 * PIECE, 1), 1000, np.int16), np.full((100 * PIECE, 1), -32_768, np.int16)

    magnitudes = waveform_of(np.concatenate([quiet, loud])).magnitudes(4)

    assert magnitudes == bytes([3, 3, 128, 128])
    assert waveform_of(noise(0)).magnitudes(96) == b""
    assert len(waveform_of(noise(5 * PIECE)).magnitudes(96)) == 5
