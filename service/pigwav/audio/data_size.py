"""Judges the size of the audio that a WAV's header declares. Pure.

Many programs write a placeholder and never the real size, or count the header too. Therefore the declared size is
compared with the length of the request, with the limits of the service, and at the end with the bytes that came.
"""

from dataclasses import dataclass
from enum import Enum, auto
from typing import Final, Self

from pigwav.audio.wav import WavHeader

_CHUNK_HEAD_BYTES: Final = 8


class Shortfall(Enum):
    """Why the WAV holds less audio than its header declares."""

    TRUNCATED = auto()
    """The end of the audio is missing."""
    WRONG_SIZE = auto()
    """Nothing is missing: the declared size cannot be right."""


@dataclass(frozen=True)
class DataSize:
    """Sizes of the `data` chunk's body in bytes.

    `expected_bytes`: how much is taken as audio and predicted; None: all up to the end of the file. `possible`: whether
    an upload may have the size that the header declares.
    """

    header: WavHeader
    expected_bytes: int | None
    possible: bool

    @classmethod
    def of(
        cls, header: WavHeader, *, max_data_bytes: int, max_duration_s: int, max_wav_bytes: int | None
    ) -> Self:
        """`max_data_bytes`, `max_duration_s`: the limits of an upload. `max_wav_bytes`: the WAV is not longer, by the
        length of the request; None if the request states no length.
        """
        declared, wav_format = header.declared_data_bytes, header.format
        if declared is None:
            return cls(header, None, possible=True)
        possible = (
            declared <= max_data_bytes
            and wav_format.samples_in(declared) <= max_duration_s * wav_format.sample_rate_hz
        )
        end_bytes = header.data_offset + declared
        arrives = possible if max_wav_bytes is None else end_bytes <= max_wav_bytes
        return cls(header, declared if arrives else None, possible)

    @property
    def declared_bytes(self) -> int | None:
        """As the header declares; None if the writer streamed."""
        return self.header.declared_data_bytes

    @property
    def expected_samples(self) -> int | None:
        """Per channel; None if the length is not known."""
        return None if self.expected_bytes is None else self.header.format.samples_in(self.expected_bytes)

    @property
    def declared_duration_ms(self) -> int | None:
        """None if the header declares no length."""
        return None if self.declared_bytes is None else self.duration_ms(self.declared_bytes)

    def duration_ms(self, data_bytes: int) -> int:
        wav = self.header.format
        return round(wav.samples_in(data_bytes) * 1000 / wav.sample_rate_hz)

    def shortfall(self, received_bytes: int) -> Shortfall | None:
        """`received_bytes`: of audio, in the whole WAV. None if the audio has the declared length."""
        declared, samples_in = self.declared_bytes, self.header.format.samples_in
        if declared is None or samples_in(received_bytes) >= samples_in(declared):
            return None
        surplus_bytes = declared - received_bytes
        offset = self.header.data_offset
        # The size of the whole file, of the RIFF chunk, or of the data chunk with its head.
        counts_head = surplus_bytes in (offset, offset - _CHUNK_HEAD_BYTES, _CHUNK_HEAD_BYTES)
        return Shortfall.WRONG_SIZE if counts_head or not self.possible else Shortfall.TRUNCATED
