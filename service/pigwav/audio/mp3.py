"""MPEG audio layer III at a constant bit rate: frame headers, LAME's bit rates, and the exact size of an MP3. Pure.

Source: ISO/IEC 11172-3 2.4.1.3 and 13818-3 (header and tables), LAME's lame.c and bitstream.c (delay, padding,
slots) and presets.c (gains).
"""

from dataclasses import dataclass
from math import gcd
from typing import Final, Self

from pigwav.errors import UnsupportedBitRate

SAMPLE_RATES_HZ: Final = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
ENCODER_DELAY: Final = 576
"""Samples that LAME puts before the first one."""
DECODER_DELAY: Final = 529
"""Samples by which the output of a decoder lags behind its input (ISO/IEC 11172-3's filter bank: 528 and one)."""
LOW_RATE_HZ: Final = 12_000
"""The highest sample rate of MPEG 2.5. Up to this rate, LAME limits the bit rate to 64 kb/s."""

_MPEG1_KBPS: Final = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_MPEG2_KBPS: Final = (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_RATES_HZ: Final = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}
_VERSIONS: Final = {rate: version for version, rates in _RATES_HZ.items() for rate in rates}
_GAINS: Final = ((256, 1.0), (224, 0.98), (192, 0.97), (0, 0.95))
_JOINT_STEREO_UP_TO_KBPS: Final = 128
"""At higher bit rates, LAME uses plain stereo."""


def bit_rates_kbps(sample_rate_hz: int) -> tuple[int, ...]:
    """Bit rates that a header can state and LAME does not silently lower, at one of SAMPLE_RATES_HZ; ascending."""
    most_kbps = 64 if sample_rate_hz <= LOW_RATE_HZ else 320
    return tuple(kbps for kbps in _table_kbps(sample_rate_hz) if kbps <= most_kbps)


def check_bit_rate(bitrate_kbps: int, sample_rate_hz: int) -> int:
    """Returns `bitrate_kbps`. Raises UnsupportedBitRate, with the list of bit rates at this sample rate."""
    allowed = bit_rates_kbps(sample_rate_hz)
    if bitrate_kbps not in allowed:
        names = ", ".join(str(kbps) for kbps in allowed)
        raise UnsupportedBitRate(
            f"At {sample_rate_hz} Hz the bit rate must be one of {names} kb/s, not {bitrate_kbps}."
        )
    return bitrate_kbps


def _table_kbps(sample_rate_hz: int) -> tuple[int, ...]:
    return _MPEG1_KBPS if _VERSIONS[sample_rate_hz] == 3 else _MPEG2_KBPS


@dataclass(frozen=True)
class Mp3Format:
    """A constant-bit-rate stream. `sample_rate_hz` is one of SAMPLE_RATES_HZ, `bitrate_kbps` one of its bit rates."""

    sample_rate_hz: int
    channels: int
    bitrate_kbps: int

    @property
    def is_mpeg1(self) -> bool:
        """Otherwise, it is MPEG 2 or 2.5."""
        return _VERSIONS[self.sample_rate_hz] == 3

    @property
    def frame_samples(self) -> int:
        """Per channel: two granules of 576 in MPEG 1, one in MPEG 2 and 2.5."""
        return 1152 if self.is_mpeg1 else 576

    @property
    def gain(self) -> float:
        """The factor by which LAME multiplies the samples, so that fewer of the decoded ones are clipped."""
        return next(gain for kbps, gain in _GAINS if self.bitrate_kbps >= kbps)

    @property
    def side_info_bytes(self) -> int:
        if self.is_mpeg1:
            return 17 if self.channels == 1 else 32
        return 9 if self.channels == 1 else 17

    @property
    def max_reservoir_bytes(self) -> int:
        """How far before a frame its main data may begin: `main_data_begin` has 9 bits in MPEG 1, else 8."""
        return 511 if self.is_mpeg1 else 255

    @property
    def slot_period(self) -> int:
        """After so many frames, the pattern of padded frames repeats (see `frame_offset`)."""
        owed = self.frame_samples * 125 * self.bitrate_kbps % self.sample_rate_hz
        return self.sample_rate_hz // gcd(owed, self.sample_rate_hz)

    def frame_bytes(self, bitrate_kbps: int) -> int:
        """The size of an unpadded frame."""
        return self.frame_samples * 125 * bitrate_kbps // self.sample_rate_hz

    def frame_offset(self, index: int) -> int:
        """Bytes from the first audio frame to audio frame `index`, by LAME's rule for slots.

        A frame's size is rounded down. The remainders of all frames but the first add up; their sum, rounded up to
        bytes, is added to the frames, at most one byte each.
        """
        whole, owed = divmod(self.frame_samples * 125 * self.bitrate_kbps, self.sample_rate_hz)
        paid = -(-(index - 1) * owed // self.sample_rate_hz) if index else 0
        return index * whole + paid

    def header(self, bitrate_kbps: int) -> bytes:
        """A frame header, four bytes: no CRC, not padded, original, no emphasis, the mode that LAME chooses."""
        version = _VERSIONS[self.sample_rate_hz]
        bitrate_index = _table_kbps(self.sample_rate_hz).index(bitrate_kbps) + 1
        rate_index = _RATES_HZ[version].index(self.sample_rate_hz)
        joint = self.bitrate_kbps <= _JOINT_STEREO_UP_TO_KBPS
        mode = 3 if self.channels == 1 else int(joint)
        return bytes((0xFF, 0xE3 | version << 3, bitrate_index << 4 | rate_index << 2, mode << 6 | 0x04))

    def smallest_frame_kbps(self, size_bytes: int) -> int:
        """The stream's bit rate, or the next one whose frames hold `size_bytes`, even if LAME does not support it."""
        table = _table_kbps(self.sample_rate_hz)
        return next(k for k in table if k >= self.bitrate_kbps and self.frame_bytes(k) >= size_bytes)


@dataclass(frozen=True)
class Mp3Shape:
    """The audio frames that a number of samples becomes. `padding`: samples of silence after the last one."""

    samples: int
    frames: int
    padding: int
    audio_bytes: int

    @classmethod
    def of(cls, samples: int, mp3: Mp3Format) -> Self:
        """Exact: LAME adds its delay before the samples, and at least 576 samples of silence up to a frame's end."""
        coded = samples + ENCODER_DELAY
        padding = mp3.frame_samples - coded % mp3.frame_samples
        if padding < ENCODER_DELAY:
            padding += mp3.frame_samples
        frames = (coded + padding) // mp3.frame_samples
        return cls(samples, frames, padding, mp3.frame_offset(frames))


@dataclass(frozen=True)
class FrameHeader:
    """A layer III frame header, as a player reads it."""

    sample_rate_hz: int
    channels: int
    bitrate_kbps: int
    size_bytes: int

    @classmethod
    def parse(cls, head: bytes) -> Self | None:
        """Parses a frame's first four bytes. None if they are no layer III header, or one of a free bit rate."""
        version, layer = head[1] >> 3 & 3, head[1] >> 1 & 3
        bitrate_index, rate_index = head[2] >> 4, head[2] >> 2 & 3
        synced = head[0] == 0xFF and head[1] >> 5 == 7
        if (
            not synced
            or layer != 1
            or version not in _RATES_HZ
            or rate_index == 3
            or bitrate_index in (0, 15)
        ):
            return None
        sample_rate_hz = _RATES_HZ[version][rate_index]
        bitrate_kbps = _table_kbps(sample_rate_hz)[bitrate_index - 1]
        mp3 = Mp3Format(sample_rate_hz, 1 if head[3] >> 6 == 3 else 2, bitrate_kbps)
        size_bytes = mp3.frame_bytes(bitrate_kbps) + (head[2] >> 1 & 1)
        return cls(sample_rate_hz, mp3.channels, bitrate_kbps, size_bytes)
