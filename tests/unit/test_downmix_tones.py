"""Downmix, measured: a tone in one channel has the documented level on the left and on the right.

The rule of service/docs/formats.md, "More than two channels", is implemented here independently.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
import pytest
from numpy.typing import NDArray

from codings import float_wav, full_scale, packed
from factories import chunk, extensible_fmt_chunk, fmt_chunk, riff
from reference import Heard, reaching_lame

Gains = NDArray[np.float64]

MINUS_3_DB: Final = 2**-0.5
MINUS_6_DB: Final = 0.5
TOLERANCE: Final = 10 ** (0.05 / 20) - 1
"""0.05 dB."""

LEVELS: Final = {
    "front left": (1, 0),
    "front right": (0, 1),
    "centre": (MINUS_3_DB, MINUS_3_DB),
    "low frequency": (MINUS_6_DB, MINUS_6_DB),
    "back left": (MINUS_3_DB, 0),
    "back right": (0, MINUS_3_DB),
    "left of centre": (1, 0),
    "right of centre": (0, 1),
    "back centre": (MINUS_6_DB, MINUS_6_DB),
    "side left": (MINUS_3_DB, 0),
    "side right": (0, MINUS_3_DB),
    "above": (MINUS_6_DB, MINUS_6_DB),
    "above front left": (MINUS_3_DB, 0),
    "above front centre": (MINUS_6_DB, MINUS_6_DB),
    "above front right": (0, MINUS_3_DB),
    "above back left": (MINUS_3_DB, 0),
    "above back centre": (MINUS_6_DB, MINUS_6_DB),
    "above back right": (0, MINUS_3_DB),
}
"""Gains of each speaker (left, right), in the order of the channel mask's bits (mmreg.h, SPEAKER_*)."""
BITS: Final = {name: 1 << bit for bit, name in enumerate(LEVELS)}

STEREO: Final = ("front left", "front right")
BACKS: Final = ("back left", "back right")
SIDES: Final = ("side left", "side right")
FRONT: Final = (*STEREO, "centre")
SURROUND: Final = (*FRONT, "low frequency", *BACKS)
ABOVE: Final = ("above front left", "above front right", "above back left", "above back right")
USUAL: Final = {
    3: FRONT,
    4: (*STEREO, *BACKS),
    5: (*FRONT, *BACKS),
    6: SURROUND,
    7: (*FRONT, "low frequency", "back centre", *SIDES),
    8: (*SURROUND, *SIDES),
}


@dataclass(frozen=True)
class Layout:
    """`mask`: None for a WAV without a channel mask. `speakers`: one per channel; empty if the channels are tracks."""

    channels: int
    mask: int | None
    speakers: tuple[str, ...]

    def fmt(self, **shape: int) -> bytes:
        if self.mask is None:
            return fmt_chunk(channels=self.channels, **shape)
        return extensible_fmt_chunk(channels=self.channels, speakers=self.mask, **shape)

    @property
    def gains(self) -> Gains:
        """The documented gains by channel: left, right."""
        tracks = [(1, 0), (0, 1)] * self.channels
        levels = [LEVELS[name] for name in self.speakers] or tracks[: self.channels]
        return np.array(levels) / np.sum(levels, axis=0).max()


def named(*speakers: str, excess: Iterable[str] = ()) -> Layout:
    """A layout whose mask has `speakers`, and `excess` speakers without a channel."""
    mask = sum(BITS[name] for name in (*speakers, *excess))
    return Layout(len(speakers), mask, speakers)


LAYOUTS: Final = (
    {f"{count} channels": Layout(count, None, speakers) for count, speakers in USUAL.items()}
    | {f"{count} tracks": Layout(count, None, ()) for count in (*range(9, 17), 32)}
    | {f"{count} channels, empty mask": Layout(count, 0, speakers) for count, speakers in USUAL.items()}
    | {
        "quad": named(*STEREO, *BACKS),
        "quad of sides": named(*STEREO, *SIDES),
        "3.0 with a back": named(*STEREO, "back centre"),
        "3.0 with a right side": named(*STEREO, "side right"),
        "5.1": named(*SURROUND),
        "5.1 of sides": named(*FRONT, "low frequency", *SIDES),
        "6.1": named(*SURROUND, "back centre"),
        "7.1": named(*SURROUND, *SIDES),
        "7.1 wide": named(*SURROUND, "left of centre", "right of centre"),
        "7.1.4": named(*SURROUND, *SIDES, *ABOVE),
        "all there are": named(*LEVELS),
        "excess bits": named(*FRONT, "low frequency", excess=(*BACKS, *SIDES)),
        "mask of too few": Layout(6, BITS["front left"] | BITS["front right"], SURROUND),
        "mask of too few for tracks": Layout(9, BITS["front left"], ()),
        "mask without meaning": Layout(6, 0x80000000, SURROUND),
    }
)
SEGMENT: Final = 480
"""Samples at 48 kHz: ten periods of 1 kHz."""

every_layout = pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS.keys())


def one_after_the_other(channels: int, segment: int) -> NDArray[np.float64]:
    """A full-scale tone in the first channel only, then in the second only, and so on."""
    signal = np.zeros((channels, segment, channels))
    tone = np.sin(np.arange(segment) * 2 * np.pi * 10 / segment)
    for channel in range(channels):
        signal[channel, :, channel] = tone
    return signal.reshape(-1, channels)


def wav_of(signal: NDArray[np.float64], layout: Layout, *, bits: int = 16, rate_hz: int = 48_000) -> bytes:
    values = np.rint(signal * ((1 << bits - 1) - 1)).astype(np.int64)
    return riff(layout.fmt(bits=bits, rate=rate_hz) + chunk(b"data", packed(values, bits // 8)))


def loudness(heard: Heard, channels: int) -> Gains:
    """The gain of each channel's tone on the left and on the right; negative if the polarity is inverted.

    Measured in the middle half of each tone, which the resampler's window does not mix with other tones.
    """
    segments = (heard.pcm / 32_768).reshape(channels, -1, 2)
    length = segments.shape[1]
    tone = np.sin(np.arange(length) * 2 * np.pi * 10 / length)
    middle = slice(length // 4, length - length // 4)
    return 2 * np.einsum("cns,n->cs", segments[:, middle], tone[middle]) / len(tone[middle])


@every_layout
def test_a_tone_in_one_channel_arrives_at_the_documented_level(layout: Layout) -> None:
    [heard] = reaching_lame(wav_of(one_after_the_other(layout.channels, SEGMENT), layout))
    np.testing.assert_allclose(loudness(heard, layout.channels), layout.gains, rtol=TOLERANCE)
    silent = np.repeat(layout.gains == 0, SEGMENT, axis=0)
    assert not heard.pcm[silent].any()


@pytest.mark.parametrize("bits", [8, 16, 24, 32])
def test_level_is_the_same_in_every_width(bits: int) -> None:
    layout = LAYOUTS["5.1"]
    [heard] = reaching_lame(wav_of(one_after_the_other(6, SEGMENT), layout, bits=bits))
    highest = 1 - 2 ** (1 - bits)  # the highest positive value
    np.testing.assert_allclose(loudness(heard, 6), layout.gains * highest, rtol=TOLERANCE)


@pytest.mark.parametrize("kind", ["<f4", "<f8"])
def test_level_is_the_same_in_floats(kind: str) -> None:
    [heard] = reaching_lame(float_wav(one_after_the_other(6, SEGMENT).astype(kind), 48_000).wav)
    np.testing.assert_allclose(loudness(heard, 6), LAYOUTS["6 channels"].gains, rtol=TOLERANCE)


@pytest.mark.parametrize("rate_hz", [96_000, 384_000, 24_000, 16_000, 37_500])
def test_level_is_the_same_at_other_rates(rate_hz: int) -> None:
    """The tones are 1 kHz at every rate. 37.5 and 384 kHz also need resampling."""
    layout, segment = LAYOUTS["7.1"], rate_hz // 100
    [heard] = reaching_lame(wav_of(one_after_the_other(8, segment), layout, rate_hz=rate_hz))
    np.testing.assert_allclose(loudness(heard, 8), layout.gains, rtol=TOLERANCE, atol=1e-4)


@every_layout
def test_all_channels_at_full_scale_neither_clip_nor_wrap(layout: Layout) -> None:
    """The louder side reaches full scale, the other one its share; the sign is unchanged."""
    tone = one_after_the_other(1, SEGMENT)
    square = np.where(tone < 0, -1.0, 1.0)
    signal = np.repeat(np.concatenate([tone, square]), layout.channels, axis=1)
    [heard] = reaching_lame(wav_of(signal, layout))
    np.testing.assert_allclose(heard.pcm, signal @ layout.gains * 32_767, rtol=0, atol=1.5)


@every_layout
@pytest.mark.parametrize("block_bytes", [1_001])
def test_any_signal_is_mixed_to_the_nearest_step(layout: Layout, block_bytes: int) -> None:
    """Full-scale noise and the extremes, different in every channel, compared with sums in double precision."""
    values = full_scale(700, layout.channels, bits=16, container_bytes=2)
    wav = riff(layout.fmt(rate=48_000) + chunk(b"data", packed(values, 2)))
    [heard] = reaching_lame(wav, block_bytes=[block_bytes])
    np.testing.assert_allclose(heard.pcm, values @ layout.gains, rtol=0, atol=1)


def test_floats_are_clipped_before_they_are_mixed() -> None:
    """A channel far out of range does not need more headroom than one at full scale."""
    signal = np.zeros((400, 6), "<f4")
    signal[:, 0], signal[:, 4] = 1e6, -1e6
    [heard] = reaching_lame(float_wav(signal, 48_000).wav)
    left, right = np.array([1, 0, 0, 0, -1, 0]) @ LAYOUTS["6 channels"].gains * 32_768
    np.testing.assert_allclose(heard.pcm, [[left, right]] * 400, rtol=0, atol=1)
