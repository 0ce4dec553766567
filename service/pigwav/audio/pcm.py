"""PCM, the one thing that flows through the middle of the service, and the way of the WAV's bytes to it.

PCM: signed 16-bit little-endian interleaved samples, 1 or 2 channels, at one of MP3's nine rates.
"""

from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Self

from pigwav.audio.chunks import TagChunk, TailWalk
from pigwav.audio.fmt import WavFormat
from pigwav.audio.mp3 import SAMPLE_RATES_HZ
from pigwav.audio.wav import WavHeader


@dataclass(frozen=True)
class PcmFormat:
    sample_rate_hz: int
    channels: int

    @property
    def sample_bytes(self) -> int:
        """Of one sample of every channel."""
        return 2 * self.channels

    @classmethod
    def of(cls, wav: WavFormat) -> Self:
        """What a WAV becomes: at most stereo, at MP3's lowest rate that loses no band, else at its highest."""
        return cls(_mp3_rate_hz(wav.sample_rate_hz), min(wav.channels, 2))

    def is_as_recorded(self, wav: WavFormat) -> bool:
        """Whether it has the WAV's own rate and channels, so that each sample becomes one."""
        return (wav.sample_rate_hz, wav.channels) == (self.sample_rate_hz, self.channels)

    def samples_of(self, wav: WavFormat, samples: int) -> int:
        """How many samples `samples` of the WAV are at this rate; a begun one counts."""
        return -(-samples * self.sample_rate_hz // wav.sample_rate_hz)


def _mp3_rate_hz(sample_rate_hz: int) -> int:
    if sample_rate_hz > SAMPLE_RATES_HZ[-1]:
        return 44_100 if sample_rate_hz % 44_100 == 0 else 48_000
    return next(rate for rate in SAMPLE_RATES_HZ if rate >= sample_rate_hz)


class Intake:
    """Takes a WAV's bytes in order: hashes all of them, hands out those of the audio, in whole samples or packets, and
    looks for tags in those behind it.

    One call at a time; `take` is work for the cpu lane.
    """

    def __init__(self) -> None:
        self._hash = sha256()
        self._format: WavFormat | None = None
        self._before_audio_bytes = 0
        self._audio_left_bytes: int | None = None
        self._tail: TailWalk | None = None
        self._cut = b""
        self.wav_bytes = 0
        self.audio_bytes = 0

    def skip(self, block: bytes) -> None:
        """Take bytes that lie wholly before the audio."""
        self._hash.update(block)
        self.wav_bytes += len(block)

    def begin(self, header: WavHeader) -> None:
        """From here on, `take` finds the audio."""
        self._format = header.format
        self._before_audio_bytes = header.data_offset - self.wav_bytes
        self._audio_left_bytes = header.declared_data_bytes
        if header.declared_data_bytes is not None:
            self._tail = TailWalk(after_odd=header.declared_data_bytes % 2 == 1)

    def take(self, batch: bytes) -> bytes:
        """The audio in `batch`: with what the last batch left over, without what lies before and behind the audio."""
        self.skip(batch)
        start = min(self._before_audio_bytes, len(batch))
        stop = (
            len(batch) if self._audio_left_bytes is None else min(len(batch), start + self._audio_left_bytes)
        )
        self._before_audio_bytes -= start
        if self._audio_left_bytes is not None:
            self._audio_left_bytes -= stop - start
        self.audio_bytes += stop - start
        if self._tail and stop < len(batch):
            self._tail.feed(batch[stop:])
        return self._whole(batch[start:stop])

    def _whole(self, audio: bytes) -> bytes:
        if self._format is None:
            raise RuntimeError("Intake.take before Intake.begin")
        if self._cut:
            audio = self._cut + audio
        whole = len(audio) - len(audio) % self._format.cut_bytes
        self._cut = audio[whole:]
        return audio[:whole]

    @property
    def samples(self) -> int:
        """Per channel, in the audio that has come."""
        return self._format.samples_in(self.audio_bytes) if self._format else 0

    def tail_chunks(self) -> tuple[TagChunk, ...]:
        """Those behind the audio, once the WAV has ended; none where the header does not say how long the audio is."""
        return self._tail.end() if self._tail else ()

    def wav_sha256(self) -> bytes:
        return self._hash.digest()


async def batches(first: bytes, rest: AsyncIterator[bytes], size_bytes: int) -> AsyncGenerator[bytes, None]:
    """The same bytes in blocks of exactly `size_bytes`, but for the last. Holds at most that and one incoming block."""
    held = bytearray(first)
    del first
    while True:
        while len(held) >= size_bytes:
            batch = bytes(memoryview(held)[:size_bytes])
            del held[:size_bytes]
            yield batch
        block = await anext(rest, None)
        if block is None:
            break
        held += block
    if held:
        yield bytes(held)
