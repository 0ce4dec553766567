"""Converts floating point samples with numpy. Pure."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

_DTYPES: Final = {"pcm_f32le": "<f4", "pcm_f64le": "<f8"}


def to_pcm(codec: str, audio: bytes) -> bytes:
    """Whole samples in 16 bits, with ffmpeg's result: scaled by 32768, rounded half to even, clipped. NaN becomes 0."""
    scaled = _within_full_scale(audio, codec) * 32_768
    pcm: NDArray[np.int16] = np.minimum(np.rint(scaled), 32_767).astype("<i2")
    return pcm.tobytes()


def within_full_scale(codec: str, audio: bytes) -> bytes:
    """The same samples, clipped to full scale. NaN becomes 0."""
    return _within_full_scale(audio, codec).tobytes()


def _within_full_scale(audio: bytes, codec: str) -> NDArray[np.floating]:
    samples: NDArray[np.floating] = np.frombuffer(audio, _DTYPES[codec])
    with np.errstate(invalid="ignore"):  # signalling NaNs
        clipped = samples.clip(-1, 1)
    clipped[np.isnan(clipped)] = 0
    return clipped
