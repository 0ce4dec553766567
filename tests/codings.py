"""WAVs in every supported codec, with their samples: full scale, different in every channel."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from factories import FLOAT_TAG, chunk, extensible_fmt_chunk, fmt_chunk, riff
from reference import Pcm, Values, as_documented, encoded_by_ffmpeg, encoded_by_libsndfile

A_LAW_TAG: Final = 0x0006
MU_LAW_TAG: Final = 0x0007


@dataclass(frozen=True)
class Sample:
    """A WAV and its samples by the specification of its codec; `pcm` is None if only a decoder can tell them."""

    wav: bytes
    channels: int
    pcm: Pcm | None = None


def full_scale(samples: int, channels: int, *, bits: int, container_bytes: int) -> NDArray[np.int64]:
    """Signed integers of `bits`: the extremes and silence in all channels, then noise over the whole range.

    They are in the high bits of their container.
    """
    lowest, highest = -(1 << bits - 1), (1 << bits - 1) - 1
    values = _noise(samples, channels, bits).integers(lowest, highest, (samples, channels), endpoint=True)
    for row, value in enumerate((lowest, highest, 0, -1, 1)):
        values[row : row + 1] = value
    return values << (8 * container_bytes - bits)


def _noise(*seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def packed(values: NDArray[np.int64], container_bytes: int) -> bytes:
    """Little-endian, interleaved; 8 bits are unsigned."""
    if container_bytes == 1:
        values = values + 128
    low_bytes = values.astype("<i8").view(np.uint8).reshape(*values.shape, 8)[..., :container_bytes]
    return low_bytes.tobytes()


def integers(*, bits: int, container_bytes: int, extensible: bool = False) -> Callable[..., Sample]:
    """Returns a function that makes a linear PCM WAV with `bits` in the high bits of a container."""

    def make(samples: int, channels: int, rate_hz: int) -> Sample:
        values = full_scale(samples, channels, bits=bits, container_bytes=container_bytes)
        shape = {"rate": rate_hz, "channels": channels}
        fmt = (
            extensible_fmt_chunk(bits=8 * container_bytes, valid_bits=bits, **shape)
            if extensible
            else fmt_chunk(bits=bits, block=container_bytes * channels, **shape)
        )
        pcm = (values >> (8 * container_bytes - 16)) if container_bytes > 1 else values << 8
        body = riff(fmt + chunk(b"data", packed(values, container_bytes)))
        return Sample(body, channels, pcm.astype("<i2"))

    return make


def floats(*, bits: int) -> Callable[..., Sample]:
    def make(samples: int, channels: int, rate_hz: int) -> Sample:
        values = _noise(samples, channels, bits).uniform(-1.5, 1.5, (samples, channels))
        values[:4] = [[-1.0], [1.0], [0.0], [-0.0]]
        return float_wav(values.astype(f"<f{bits // 8}"), rate_hz)

    return make


def float_wav(values: Values, rate_hz: int = 44_100) -> Sample:
    fmt = fmt_chunk(tag=FLOAT_TAG, bits=8 * values.itemsize, channels=values.shape[1], rate=rate_hz)
    return Sample(riff(fmt + chunk(b"data", values.tobytes())), values.shape[1], as_documented(values))


def companded(tag: int) -> Callable[..., Sample]:
    """A-law or mu-law: all 256 codes, then noise."""

    def make(samples: int, channels: int, rate_hz: int) -> Sample:
        codes = _noise(samples, channels, tag).integers(0, 256, (samples, channels), dtype=np.uint8)
        every = np.arange(256, dtype=np.uint8)[:, None] + np.arange(channels, dtype=np.uint8)
        codes[:256] = every[:samples]
        fmt = fmt_chunk(tag=tag, bits=8, channels=channels, rate=rate_hz)
        law = a_law if tag == A_LAW_TAG else mu_law
        return Sample(riff(fmt + chunk(b"data", codes.tobytes())), channels, law(codes))

    return make


def a_law(codes: NDArray[np.uint8]) -> Pcm:
    """ITU-T G.711, table 1: 13 bits, in the high bits of 16."""
    bits = (codes ^ 0x55).astype(np.int32)
    exponent, mantissa = bits >> 4 & 7, (bits & 0x0F) << 4
    magnitude = np.where(exponent == 0, mantissa + 8, (mantissa + 0x108) << np.maximum(exponent - 1, 0))
    return np.where(bits & 0x80, magnitude, -magnitude).astype("<i2")


def mu_law(codes: NDArray[np.uint8]) -> Pcm:
    """ITU-T G.711, table 2: 14 bits, in the high bits of 16."""
    bits = (~codes).astype(np.int32)
    magnitude = (((bits & 0x0F) << 3) + 0x84 << (bits >> 4 & 7)) - 0x84
    return np.where(bits & 0x80, -magnitude, magnitude).astype("<i2")


def compressed(codec: str, *options: str) -> Callable[..., Sample]:
    """Returns a function that encodes with one of ffmpeg's ADPCM codecs."""

    def make(samples: int, channels: int, rate_hz: int) -> Sample:
        values = full_scale(samples, channels, bits=16, container_bytes=2).astype("<i2")
        return Sample(encoded_by_ffmpeg(values, codec, rate_hz=rate_hz, options=options), channels)

    return make


def ms_adpcm_of_libsndfile(samples: int, channels: int, rate_hz: int) -> Sample:
    """A sweep over all frequencies, so that libsndfile uses all predictors; ffmpeg's encoder uses only one."""
    phase = np.pi / 2 * np.arange(samples) ** 2 / samples
    values = 32_767 * np.sin(phase[:, None] * np.linspace(1, 0.9, channels))
    return Sample(encoded_by_libsndfile(values.astype("<i2"), "MS_ADPCM", rate_hz=rate_hz), channels)


def gsm(samples: int, channels: int, rate_hz: int) -> Sample:
    """Mono at half scale, because beyond full scale the decoders of GSM 6.10 differ: ffmpeg clips, libsndfile wraps."""
    values = full_scale(samples, 1, bits=15, container_bytes=2).astype("<i2") // 4
    return Sample(encoded_by_libsndfile(values, "GSM610", rate_hz=rate_hz), 1)


LINEAR: Final = {
    "8-bit": integers(bits=8, container_bytes=1),
    "16-bit": integers(bits=16, container_bytes=2),
    "24-bit": integers(bits=24, container_bytes=3),
    "32-bit": integers(bits=32, container_bytes=4),
    "64-bit": integers(bits=64, container_bytes=8),
    "12 bits in 16": integers(bits=12, container_bytes=2),
    "20 bits in 24": integers(bits=20, container_bytes=3),
    "extensible 8-bit": integers(bits=8, container_bytes=1, extensible=True),
    "extensible 16-bit": integers(bits=16, container_bytes=2, extensible=True),
    "extensible 24-bit": integers(bits=24, container_bytes=3, extensible=True),
    "extensible 32-bit": integers(bits=32, container_bytes=4, extensible=True),
    "extensible 12 bits in 16": integers(bits=12, container_bytes=2, extensible=True),
    "extensible 20 bits in 24": integers(bits=20, container_bytes=3, extensible=True),
    "extensible 24 bits in 32": integers(bits=24, container_bytes=4, extensible=True),
}
FLOATS: Final = {"32-bit float": floats(bits=32), "64-bit float": floats(bits=64)}
COMPANDED: Final = {"A-law": companded(A_LAW_TAG), "mu-law": companded(MU_LAW_TAG)}
ADPCM: Final = {
    "MS ADPCM": compressed("adpcm_ms"),
    "MS ADPCM in small blocks": compressed("adpcm_ms", "-block_size", "256"),
    "MS ADPCM of all predictors": ms_adpcm_of_libsndfile,
    "IMA ADPCM": compressed("adpcm_ima_wav"),
    "IMA ADPCM in small blocks": compressed("adpcm_ima_wav", "-block_size", "128"),
}
KNOWN: Final = LINEAR | FLOATS | COMPANDED
CODINGS: Final = KNOWN | ADPCM | {"GSM 6.10": gsm}


@lru_cache(maxsize=64)
def sample(coding: str, samples: int, channels: int = 2, rate_hz: int = 44_100) -> Sample:
    """A WAV in this codec; deterministic."""
    return CODINGS[coding](samples, channels, rate_hz)
