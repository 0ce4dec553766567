"""Decodes MP3s with ffmpeg, which honours the delay and padding in LAME's tag."""

import subprocess
from array import array
from pathlib import Path

import imageio_ffmpeg

from factories import chunk, fmt_chunk, riff


def played(mp3: Path) -> "array[int]":
    """Interleaved 16-bit samples, at the MP3's own rate and channels."""
    decode = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", str(mp3), "-f", "s16le", "-"]
    pcm = subprocess.run(decode, capture_output=True, check=True)
    assert not pcm.stderr
    return array("h", pcm.stdout)


def difference(ours: "array[int]", theirs: "array[int]") -> float:
    """Energy of the difference over the energy of `theirs`; 2 for unrelated sounds of equal loudness."""
    return sum((a - b) ** 2 for a, b in zip(ours, theirs, strict=True)) / sum(b * b for b in theirs)


def mu_law_wav(samples: "array[int]", *, rate: int) -> bytes:
    """A mono telephone recording (WAVE_FORMAT_MULAW)."""
    data = bytes(map(_mu_law, samples))
    return riff(fmt_chunk(tag=7, rate=rate, channels=1, bits=8) + chunk(b"data", data))


def _mu_law(sample: int) -> int:
    """Encodes by ITU-T G.711: sign, exponent and mantissa, all bits inverted."""
    magnitude = min(abs(sample), 32_635) + 132
    exponent = magnitude.bit_length() - 8
    sign = 0x80 if sample < 0 else 0
    return ~(sign | exponent << 4 | (magnitude >> (exponent + 3)) & 0x0F) & 0xFF
