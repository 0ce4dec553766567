"""All decisions about a conversion that are made before its first frame. Pure."""

from dataclasses import dataclass
from functools import cached_property
from typing import Final, Self

from pigwav.audio.data_size import DataSize
from pigwav.audio.info import blank_frame, info_frame, info_frame_bytes
from pigwav.audio.mp3 import LOW_RATE_HZ, Mp3Format, Mp3Shape, bit_rates_kbps, check_bit_rate
from pigwav.audio.pcm import PcmFormat
from pigwav.audio.unpack import Unpack, cleaner, unpacker
from pigwav.audio.wav import WavHeader
from pigwav.errors import AudioTooLong, NoAudio, OutputTooLarge
from pigwav.settings import EncoderSettings

MAX_EXPANSION: Final = 30
"""An MP3 may have this many times the bytes of its WAV, and FREE_MP3_BYTES more. The most that a recorder writes is 5:
GSM 6.10 at 8 kHz, converted to 64 kb/s.
"""
FREE_MP3_BYTES: Final = 1 << 20


@dataclass(frozen=True)
class Plan:
    """The formats of the WAV, of its PCM and of the MP3. Sample counts are per channel."""

    header: WavHeader
    size: DataSize
    pcm: PcmFormat
    mp3: Mp3Format
    lame_quality: int
    max_duration_s: int

    @classmethod
    def of(
        cls,
        size: DataSize,
        settings: EncoderSettings,
        *,
        max_duration_s: int,
        bitrate_kbps: int | None = None,
    ) -> Self:
        """`bitrate_kbps` None: the bit rate in the settings. Raises NoAudio, AudioTooLong, OutputTooLarge and
        UnsupportedBitRate.
        """
        header = size.header
        if header.declared_samples == 0:
            raise NoAudio
        seconds = (size.expected_samples or 0) / header.format.sample_rate_hz
        if seconds > max_duration_s:
            raise AudioTooLong(
                f"The WAV's header declares {seconds:.0f} s; the maximum is {max_duration_s} s."
            )
        pcm = PcmFormat.of(header.format)
        if bitrate_kbps is None:
            bitrate_kbps = default_bit_rate_kbps(pcm, settings)
        mp3 = Mp3Format(pcm.sample_rate_hz, pcm.channels, check_bit_rate(bitrate_kbps, pcm.sample_rate_hz))
        plan = cls(header, size, pcm, mp3, settings.lame_quality, max_duration_s)
        if plan.predicted and size.expected_bytes is not None:
            plan.check_expansion(plan.total_bytes(plan.predicted), header.data_offset + size.expected_bytes)
        return plan

    @cached_property
    def unpack(self) -> Unpack | None:
        """Converts the audio to PCM in this process; None if a decoder is needed."""
        wav = self.header.format
        return unpacker(wav) if self.pcm.is_as_recorded(wav) else None

    @property
    def clean(self) -> Unpack:
        """Prepares the audio for the decoder."""
        return cleaner(self.header.format)

    @property
    def resampled(self) -> bool:
        return self.pcm.sample_rate_hz != self.header.format.sample_rate_hz

    @property
    def cpu_limit_s(self) -> int:
        """Decoding takes a hundredth of the playing time; a decoder that takes all of it is stuck."""
        return max(60, self.max_duration_s)

    def check_samples(self, samples: int, wav_bytes: int) -> None:
        """Raises AudioTooLong or OutputTooLarge if `wav_bytes` of WAV must not become so many samples."""
        if samples > self.max_duration_s * self.pcm.sample_rate_hz:
            raise AudioTooLong(f"The WAV plays longer than {self.max_duration_s} s.")
        self.check_expansion(Mp3Shape.of(samples, self.mp3).audio_bytes, wav_bytes)

    def check_expansion(self, mp3_bytes: int, wav_bytes: int) -> None:
        """Bounds storage and CPU time by what the client has sent. Raises OutputTooLarge."""
        if mp3_bytes > MAX_EXPANSION * wav_bytes + FREE_MP3_BYTES:
            raise OutputTooLarge(
                f"The MP3 would have more than {MAX_EXPANSION} times the bytes of the WAV, because the audio has few "
                f"bytes per second ({self.header.format.codec} at {self.header.format.sample_rate_hz} Hz). "
                "Check the sample rate in its header, or ask for a lower bit rate."
            )

    @cached_property
    def predicted(self) -> Mp3Shape | None:
        """The MP3's shape if the WAV holds as much audio as is expected; None if its length is not known."""
        expected = self.size.expected_samples
        if expected is None:
            return None
        return Mp3Shape.of(self.pcm.samples_of(self.header.format, expected), self.mp3)

    @property
    def expected_duration_ms(self) -> int | None:
        """The duration of the audio that is expected; None if its length is not known."""
        expected = self.size.expected_samples
        return None if expected is None else duration_ms(expected, self.header.format.sample_rate_hz)

    def first_frame(self, shape: Mp3Shape | None) -> bytes:
        """The first frame, with tags for this shape. If `shape` is None: a blank frame of the same size."""
        if shape is None:
            return blank_frame(self.mp3)
        return info_frame(self.mp3, shape, lame_quality=self.lame_quality)

    def total_bytes(self, shape: Mp3Shape) -> int:
        return info_frame_bytes(self.mp3) + shape.audio_bytes


def default_bit_rate_kbps(pcm: PcmFormat, settings: EncoderSettings) -> int:
    """The bit rate in the settings, or the nearest lower one that MP3 has at this sample rate."""
    if pcm.sample_rate_hz <= LOW_RATE_HZ:
        wanted = settings.bitrate_low_mono_kbps if pcm.channels == 1 else settings.bitrate_low_stereo_kbps
    else:
        wanted = settings.bitrate_mono_kbps if pcm.channels == 1 else settings.bitrate_stereo_kbps
    allowed = bit_rates_kbps(pcm.sample_rate_hz)
    return max((kbps for kbps in allowed if kbps <= wanted), default=allowed[0])


def duration_ms(samples: int, sample_rate_hz: int) -> int:
    return round(samples * 1000 / sample_rate_hz)
