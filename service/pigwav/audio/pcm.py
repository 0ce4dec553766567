"""PCM, the format of all audio between decoding and encoding. Pure.

Signed 16-bit little-endian interleaved samples, 1 or 2 channels, at one of MP3's nine sample rates.
"""

from dataclasses import dataclass
from typing import Self

from pigwav.audio.fmt import WavFormat
from pigwav.audio.mp3 import SAMPLE_RATES_HZ


@dataclass(frozen=True)
class PcmFormat:
    sample_rate_hz: int
    channels: int

    @property
    def sample_bytes(self) -> int:
        """Bytes of one sample of all channels."""
        return 2 * self.channels

    @classmethod
    def of(cls, wav: WavFormat) -> Self:
        """The format that a WAV is converted to: 1 or 2 channels, at the lowest of MP3's rates that is not below the
        WAV's; for a WAV above 48 kHz, 44.1 kHz if its rate is a multiple of that, else 48 kHz.
        """
        if wav.sample_rate_hz > SAMPLE_RATES_HZ[-1]:
            sample_rate_hz = 44_100 if wav.sample_rate_hz % 44_100 == 0 else 48_000
        else:
            sample_rate_hz = next(rate for rate in SAMPLE_RATES_HZ if rate >= wav.sample_rate_hz)
        return cls(sample_rate_hz, min(wav.channels, 2))

    def is_as_recorded(self, wav: WavFormat) -> bool:
        """Whether it has the WAV's sample rate and channels: if so, each WAV sample becomes one PCM sample."""
        return (wav.sample_rate_hz, wav.channels) == (self.sample_rate_hz, self.channels)

    def samples_of(self, wav: WavFormat, samples: int) -> int:
        """How many samples at this rate `samples` of the WAV become, rounded up."""
        return -(-samples * self.sample_rate_hz // wav.sample_rate_hz)
