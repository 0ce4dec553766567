"""Converts audio in this process, for LAME or for the decoder. Pure; call it in the cpu executor.

Samples of any width become PCM without a decoder, by slices and tables that accept every input. The results are
identical to ffmpeg's. Source of A-law and mu-law: ITU-T G.711.
"""

from collections.abc import Callable
from functools import partial
from typing import Final

from pigwav.audio import floats
from pigwav.audio.fmt import WavFormat

Unpack = Callable[[bytes], bytes]
"""Takes whole samples and returns as many."""

_FLOATS: Final = ("pcm_f32le", "pcm_f64le")


def unpacker(wav: WavFormat) -> Unpack | None:
    """The function that converts this format to 16-bit samples; None if a decoder is needed."""
    return partial(_two_bytes, 1, 4) if wav.in_low_bytes else _UNPACKERS.get(wav.codec)


def cleaner(wav: WavFormat) -> Unpack:
    """The function that prepares this format for the decoder.

    Floating point samples are clipped: the decoder takes NaN for full scale, and values far out of range wrap around.
    """
    if wav.in_low_bytes:
        return _shifted_up
    return partial(floats.within_full_scale, wav.codec) if wav.codec in _FLOATS else _as_it_is


def _as_it_is(audio: bytes) -> bytes:
    return audio


def _unsigned_bytes(audio: bytes) -> bytes:
    pcm = bytearray(2 * len(audio))
    pcm[1::2] = audio.translate(_TO_SIGNED)
    return bytes(pcm)


def _two_bytes(first: int, width: int, audio: bytes) -> bytes:
    """Two bytes, from index `first` on, of each sample of `width` bytes. Low bits are cut off, not rounded."""
    pcm = bytearray(len(audio) // width * 2)
    pcm[0::2] = audio[first::width]
    pcm[1::2] = audio[first + 1 :: width]
    return bytes(pcm)


def _shifted_up(audio: bytes) -> bytes:
    """Moves the three low bytes of every four into the three high ones."""
    shifted = bytearray(len(audio))
    for byte in range(3):
        shifted[byte + 1 :: 4] = audio[byte::4]
    return bytes(shifted)


def _by_tables(low: bytes, high: bytes, audio: bytes) -> bytes:
    pcm = bytearray(2 * len(audio))
    pcm[0::2] = audio.translate(low)
    pcm[1::2] = audio.translate(high)
    return bytes(pcm)


def _a_law(code: int) -> int:
    """13 bits, left-justified in 16: every other bit of a code is inverted, and a set sign bit means positive."""
    code ^= 0x55
    exponent, mantissa = code >> 4 & 7, code & 15
    size = 2 * mantissa + 1 if exponent == 0 else 2 * mantissa + 33 << exponent - 1
    return size * 8 if code & 0x80 else size * -8


def _mu_law(code: int) -> int:
    """14 bits, left-justified in 16: every bit of a code is inverted, and a set sign bit means negative."""
    code ^= 0xFF
    exponent, mantissa = code >> 4 & 7, code & 15
    size = (2 * mantissa + 33 << exponent) - 33
    return size * -4 if code & 0x80 else size * 4


def _tables(value_of: Callable[[int], int]) -> tuple[bytes, bytes]:
    """Low and high byte by code, for `bytes.translate`."""
    values = [value_of(code).to_bytes(2, "little", signed=True) for code in range(256)]
    return bytes(value[0] for value in values), bytes(value[1] for value in values)


_TO_SIGNED: Final = bytes(code ^ 0x80 for code in range(256))
_UNPACKERS: Final[dict[str, Unpack]] = {
    "pcm_u8": _unsigned_bytes,
    "pcm_s16le": _as_it_is,
    "pcm_s24le": partial(_two_bytes, 1, 3),
    "pcm_s32le": partial(_two_bytes, 2, 4),
    "pcm_s64le": partial(_two_bytes, 6, 8),
    "pcm_alaw": partial(_by_tables, *_tables(_a_law)),
    "pcm_mulaw": partial(_by_tables, *_tables(_mu_law)),
    **{codec: partial(floats.to_pcm, codec) for codec in _FLOATS},
}
