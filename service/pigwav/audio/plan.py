"""Everything about a conversion that is decided before its first frame. Pure."""

from dataclasses import dataclass
from functools import cached_property
from typing import Self

from pigwav.audio.info import blank_frame, info_frame, info_frame_bytes
from pigwav.audio.mp3 import LOW_RATE_HZ, Mp3Format, Mp3Shape, bit_rates_kbps, check_bit_rate
from pigwav.audio.pcm import PcmFormat
from pigwav.audio.unpack import Unpack, cleaner, unpacker
from pigwav.audio.wav import WavHeader
from pigwav.errors import AudioTooLong, NoAudio
from pigwav.settings import EncoderSettings


@dataclass(frozen=True)
class Plan:
    """The WAV that comes, the PCM it becomes, the MP3 that is made of it. Sample counts are per channel."""

    header: WavHeader
    pcm: PcmFormat
    mp3: Mp3Format
    lame_quality: int
    max_duration_s: int

    @classmethod
    def of(
        cls,
        header: WavHeader,
        settings: EncoderSettings,
        *,
        max_duration_s: int,
        bitrate_kbps: int | None = None,
    ) -> Self:
        """`bitrate_kbps` None: as the settings say. Raises NoAudio, AudioTooLong and UnsupportedBitRate."""
        if header.declared_samples == 0:
            raise NoAudio
        seconds = (header.declared_samples or 0) / header.format.sample_rate_hz
        if seconds > max_duration_s:
            raise AudioTooLong(
                f"The WAV says it plays {seconds:.0f} s; this service takes at most {max_duration_s} s."
            )
        pcm = PcmFormat.of(header.format)
        if bitrate_kbps is None:
            bitrate_kbps = default_bit_rate_kbps(pcm, settings)
        mp3 = Mp3Format(pcm.sample_rate_hz, pcm.channels, check_bit_rate(bitrate_kbps, pcm.sample_rate_hz))
        return cls(header, pcm, mp3, settings.lame_quality, max_duration_s)

    @cached_property
    def unpack(self) -> Unpack | None:
        """What makes the audio PCM in this process; None where that takes a decoder."""
        wav = self.header.format
        return unpacker(wav) if self.pcm.is_as_recorded(wav) else None

    @property
    def clean(self) -> Unpack:
        """What makes the audio fit for the decoder."""
        return cleaner(self.header.format)

    @property
    def resampled(self) -> bool:
        return self.pcm.sample_rate_hz != self.header.format.sample_rate_hz

    @property
    def max_samples(self) -> int:
        return self.max_duration_s * self.pcm.sample_rate_hz

    @property
    def cpu_limit_s(self) -> int:
        """Decoding takes a hundredth of the playing time; what takes all of it has gone astray."""
        return max(60, self.max_duration_s)

    @cached_property
    def predicted(self) -> Mp3Shape | None:
        """What the MP3 will be if the WAV holds what it promises; None where it does not say its length."""
        declared = self.header.declared_samples
        if declared is None:
            return None
        return Mp3Shape.of(self.pcm.samples_of(self.header.format, declared), self.mp3)

    @property
    def declared_duration_ms(self) -> int | None:
        declared = self.header.declared_samples
        return None if declared is None else duration_ms(declared, self.header.format.sample_rate_hz)

    def first_frame(self, shape: Mp3Shape | None) -> bytes:
        """With the tags that tell this shape; blank, of the same size, for None."""
        if shape is None:
            return blank_frame(self.mp3)
        return info_frame(self.mp3, shape, lame_quality=self.lame_quality)

    def total_bytes(self, shape: Mp3Shape) -> int:
        return info_frame_bytes(self.mp3) + shape.audio_bytes


def default_bit_rate_kbps(pcm: PcmFormat, settings: EncoderSettings) -> int:
    """The setting, or the nearest bit rate below it that MP3 has at this sample rate."""
    if pcm.sample_rate_hz <= LOW_RATE_HZ:
        wanted = settings.bitrate_low_mono_kbps if pcm.channels == 1 else settings.bitrate_low_stereo_kbps
    else:
        wanted = settings.bitrate_mono_kbps if pcm.channels == 1 else settings.bitrate_stereo_kbps
    allowed = bit_rates_kbps(pcm.sample_rate_hz)
    return max((kbps for kbps in allowed if kbps <= wanted), default=allowed[0])


def duration_ms(samples: int, sample_rate_hz: int) -> int:
    return round(samples * 1000 / sample_rate_hz)
