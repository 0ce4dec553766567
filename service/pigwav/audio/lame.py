"""Encodes PCM to MP3 frames in this process."""

from typing import Final, Protocol

import lameenc

from pigwav.audio.mp3 import Mp3Format, Mp3Shape
from pigwav.errors import AudioTooLong

_CALL_BYTES: Final = 16 * 1024
"""LAME holds a buffer for its longest call until the encoder is freed: twice these bytes for stereo."""


class Encoder(Protocol):
    """Turns PCM (signed 16-bit little-endian, interleaved) into MP3 frames. One stream, one call at a time; blocks."""

    def encode(self, pcm: bytes) -> bytes:
        """Takes whole samples, at least one. The frames may come later, several at a time."""

    def flush(self) -> bytes:
        """The remaining frames. Called once, after the last `encode`."""


class EncoderFactory(Protocol):
    """Opens an encoder of one stream. `quality`: LAME's, 0 (best) to 9 (fastest)."""

    def __call__(self, mp3: Mp3Format, *, quality: int) -> Encoder: ...


class LameEncoder:
    """LAME at a constant bit rate. Releases the interpreter lock during a call; holds 0.2 MB after the first call."""

    def __init__(self, mp3: Mp3Format, *, quality: int) -> None:
        lame = lameenc.Encoder()
        lame.silence()
        lame.set_channels(mp3.channels)
        lame.set_in_sample_rate(mp3.sample_rate_hz)
        lame.set_out_sample_rate(mp3.sample_rate_hz)  # else LAME may choose another rate
        lame.set_bit_rate(mp3.bitrate_kbps)
        lame.set_quality(quality)
        self._lame: Final = lame

    def encode(self, pcm: bytes) -> bytes:
        calls = range(0, len(pcm), _CALL_BYTES)
        return b"".join([self._lame.encode(pcm[start : start + _CALL_BYTES]) for start in calls])

    def flush(self) -> bytes:
        return bytes(self._lame.flush())


class MeteredEncoder:
    """An encoder that limits the number of samples per channel and checks the size of its output at the end."""

    def __init__(self, encoder: Encoder, mp3: Mp3Format, *, max_samples: int) -> None:
        self._encoder = encoder
        self._mp3 = mp3
        self._max_samples = max_samples
        self.bytes = 0
        self.samples = 0

    def encode(self, pcm: bytes) -> bytes:
        """Raises AudioTooLong if there are more than `max_samples`."""
        if not pcm:
            return b""
        self.samples += len(pcm) // (2 * self._mp3.channels)
        if self.samples > self._max_samples:
            limit_s = self._max_samples // self._mp3.sample_rate_hz
            raise AudioTooLong(f"The WAV plays longer than {limit_s} s.")
        return self._counted(self._encoder.encode(pcm))

    def flush(self) -> bytes:
        return self._counted(self._encoder.flush())

    def _counted(self, frames: bytes) -> bytes:
        self.bytes += len(frames)
        return frames

    def shape(self) -> Mp3Shape:
        """The shape of everything encoded; call it after `flush`. Raises RuntimeError if the output's size differs."""
        shape = Mp3Shape.of(self.samples, self._mp3)
        if self.bytes != shape.audio_bytes:
            # Seek points and length would be wrong: an error is better than a recording that players cannot seek in.
            raise RuntimeError(
                f"the encoder made {self.bytes} bytes of {self.samples} samples; expected {shape}"
            )
        return shape
