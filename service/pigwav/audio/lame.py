"""Encodes PCM to MP3 frames in this process."""

from typing import Final, Protocol

import lameenc

from pigwav.audio.mp3 import Mp3Format


class Encoder(Protocol):
    """Turns PCM (signed 16-bit little-endian, interleaved) into MP3 frames. One stream, one call at a time; blocks."""

    def encode(self, pcm: bytes) -> bytes:
        """Takes whole samples, at least one. The frames may come later, several at a time.

        Longer calls are faster, but LAME holds a buffer for its longest call until the encoder is freed: twice the
        bytes of that call for stereo.
        """

    def flush(self) -> bytes:
        """The remaining frames. Called once, after the last `encode`."""


class EncoderFactory(Protocol):
    """Opens an encoder of one stream. `quality`: LAME's, 0 (best) to 9 (fastest)."""

    def __call__(self, mp3: Mp3Format, *, quality: int) -> Encoder: ...


class LameEncoder:
    """LAME at a constant bit rate. Releases the interpreter lock during a call; holds 0.2 MB, and its buffer."""

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
        return bytes(self._lame.encode(pcm))

    def flush(self) -> bytes:
        return bytes(self._lame.flush())
