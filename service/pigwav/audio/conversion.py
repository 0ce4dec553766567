"""Converts WAV bytes to MP3 bytes while they arrive."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from pigwav.audio.analysers import ANALYSERS, Analyser, AnalyserFactory
from pigwav.audio.data_size import DataSize, Shortfall
from pigwav.audio.decoder_process import decode, uncounted
from pigwav.audio.decoders import Decoders
from pigwav.audio.ffmpeg import clean_header, find_ffmpeg
from pigwav.audio.intake import Intake, batches
from pigwav.audio.lame import EncoderFactory, LameEncoder
from pigwav.audio.mp3 import Mp3Shape
from pigwav.audio.parallel import ParallelEncoder
from pigwav.audio.plan import Plan, duration_ms
from pigwav.audio.segments import Segments, SegmentsFactory
from pigwav.audio.splice import SeamRule, find_seam
from pigwav.audio.tags import charset_of, merged, read_tags
from pigwav.audio.warnings import decoding_warnings, header_warnings, size_warnings, tail_warnings
from pigwav.audio.wav import HeaderWalk, WavHeader
from pigwav.audio.waveform import Waveform, WaveformMeter
from pigwav.domain import AudioFacts, Tags, WavSource
from pigwav.errors import NoAudio, UndecodableAudio
from pigwav.executors import BoundedExecutor
from pigwav.settings import EncoderSettings, UploadLimits
from pigwav.shares import Clients, Place

_MAX_RIFF_BYTES: Final = 1 << 32
BATCH_BYTES: Final = 128 * 1024
"""Per call to the cpu executor: 0.7 s of stereo, about 15 ms of work; short enough for many uploads to share it fairly.
"""


@dataclass(frozen=True)
class ConversionResult:
    """Available when the last byte has been converted. `first_frame` precedes all of `frames()` in the MP3."""

    first_frame: bytes
    facts: AudioFacts
    waveform: Waveform


@dataclass(frozen=True)
class Converter:
    """Opens conversions."""

    cpu: BoundedExecutor
    encoder: EncoderSettings
    limits: UploadLimits
    decoders: Decoders
    open_encoder: EncoderFactory = LameEncoder
    analysers: Sequence[AnalyserFactory] = ANALYSERS
    segments: SegmentsFactory = Segments.for_threads
    seam_rule: SeamRule = find_seam

    async def open(
        self,
        wav: AsyncIterator[bytes],
        *,
        bitrate_kbps: int | None = None,
        max_wav_bytes: int | None = None,
        clients: Clients = (),
    ) -> "Conversion":
        """Reads `wav` up to the beginning of its audio.

        `bitrate_kbps` None: the bit rate in the settings. `max_wav_bytes`: `wav` is known not to be longer; None if
        nothing is known. `clients`: the decoder is counted as theirs.

        Raises BadAudio subclasses, UnsupportedBitRate, Overloaded if no decoder is free, and what `wav` raises. The
        caller must close the conversion.
        """
        intake = Intake()
        header, block = await self._header(wav, intake)
        charset = charset_of(header.tag_chunks)
        tags = await self.cpu(read_tags, header.tag_chunks, charset) if header.tag_chunks else Tags()
        size = DataSize.of(
            replace(header, tag_chunks=()),  # tag chunks may be large and are no longer needed
            max_data_bytes=max(_MAX_RIFF_BYTES, self.limits.max_upload_bytes),
            max_duration_s=self.limits.max_duration_s,
            max_wav_bytes=max_wav_bytes,
        )
        plan = Plan.of(
            size, self.encoder, max_duration_s=self.limits.max_duration_s, bitrate_kbps=bitrate_kbps
        )
        intake.begin(plan.header, size.expected_bytes)
        decoder = None if plan.unpack else Decoder(self.decoders, self.decoders.take(clients))
        return Conversion(
            plan,
            tags,
            intake,
            batches(block, wav, BATCH_BYTES),
            charset=charset,
            cpu=self.cpu,
            encoder=self._encoder(plan),
            analysers=[open_analyser(plan.pcm) for open_analyser in self.analysers],
            decoder=decoder,
        )

    def _encoder(self, plan: Plan) -> ParallelEncoder:
        segments = self.segments(plan.mp3, self.cpu.width)
        if plan.predicted and plan.predicted.frames < segments.least:
            segments = replace(segments, most_runs=1)
        open_encoder = partial(self.open_encoder, plan.mp3, quality=plan.lame_quality)
        return ParallelEncoder(segments, open_encoder, self.cpu, seam_rule=self.seam_rule)

    async def _header(self, wav: AsyncIterator[bytes], intake: Intake) -> tuple[WavHeader, bytes]:
        """The header, and the last bytes that were read, which `intake` has not taken yet."""
        walk, held = HeaderWalk(), b""
        async for block in wav:
            held += block
            if header := walk.feed(block):
                return header, held
            if not walk.at_audio:
                await self.cpu(intake.skip, held)
                held = b""
        return walk.end(), held


@dataclass(frozen=True)
class Decoder:
    """The place that one conversion has among the decoders."""

    decoders: Decoders
    place: Place


def open_converter(
    cpu: BoundedExecutor,
    encoder: EncoderSettings,
    limits: UploadLimits,
    *,
    on_decoder_end: Callable[[str], None] = uncounted,
) -> Converter:
    """`on_decoder_end`: see decoder_process.decode. Raises NotConfigured if there is no ffmpeg."""
    program = find_ffmpeg(encoder.ffmpeg)
    decoders = Decoders(program, total=limits.max_decoders, on_end=on_decoder_end)
    return Converter(cpu, encoder, limits, decoders)


class Conversion:
    """The conversion of one WAV. Call `frames()` once, then `result()`; call `aclose()` in any case.

    - `sample_rate_hz`, `channels`, `bitrate_kbps`: of the MP3.
    - `expected_bytes`, `expected_duration_ms`, `first_frame`: the predicted size, duration and first frame of the MP3
      without tags. They are exact unless the WAV holds less audio than its header declares. If the length is not known,
      the first two are None and `first_frame` is a blank frame of the same size.
    - `tags`: from the chunks before the audio.
    """

    def __init__(
        self,
        plan: Plan,
        tags: Tags,
        intake: Intake,
        batches: AsyncGenerator[bytes, None],
        *,
        charset: str | None,
        cpu: BoundedExecutor,
        encoder: ParallelEncoder,
        analysers: Sequence[Analyser] = (),
        decoder: "Decoder | None" = None,
    ) -> None:
        """`batches`: the bytes that `intake` has not taken yet. `charset`: of the tags, by a chunk before the audio.
        `decoder`: its place is released at the end; None if the samples are unpacked here.
        """
        predicted = plan.predicted
        self.source: Final[WavSource] = plan.header.format.source
        self.tags: Final = tags
        self.sample_rate_hz: Final = plan.mp3.sample_rate_hz
        self.channels: Final = plan.mp3.channels
        self.bitrate_kbps: Final = plan.mp3.bitrate_kbps
        self.expected_duration_ms: Final = plan.expected_duration_ms
        self.expected_bytes: Final = plan.total_bytes(predicted) if predicted else None
        self.first_frame: Final = plan.first_frame(predicted)
        self._plan = plan
        self._intake = intake
        self._batches = batches
        self._charset = charset
        self._wav_ended = False
        self._encoder = encoder
        self._samples = 0
        self._mp3_bytes = 0
        self._analysers = analysers
        self._waveform = WaveformMeter(plan.pcm)
        self._cpu = cpu
        self._decoder = decoder
        self._unpack = plan.unpack or plan.clean
        self._frames: AsyncGenerator[bytes, None] | None = None
        self._result: ConversionResult | None = None

    def frames(self) -> AsyncGenerator[bytes, None]:
        """All frames after the first, in blocks of 10 to 100 KiB. Reads the WAV up to its last byte.

        Raises what the WAV's iterator raises, NoAudio, AudioTooLong, OutputTooLarge, UndecodableAudio, and Overloaded
        if no decoder can be started. When this iterator ends, for whatever reason, the decoder process has ended too.
        """
        if self._frames is not None:
            raise RuntimeError("a conversion runs once")
        self._frames = self._run()
        return self._frames

    @property
    def held_bytes(self) -> int:
        """PCM that is held so that several threads can encode it; 0 most of the time."""
        return self._encoder.held_bytes

    def result(self) -> ConversionResult:
        if self._result is None:
            raise RuntimeError("the conversion is not complete")
        return self._result

    async def aclose(self) -> None:
        """Stops the conversion and gives back the decoder. May be called again, but not while `frames()` is awaited."""
        if self._frames is not None:
            await self._frames.aclose()
        await self._batches.aclose()
        self._release_decoder()

    def _release_decoder(self) -> None:
        if self._decoder is not None:
            self._decoder.place.release()

    async def _run(self) -> AsyncGenerator[bytes, None]:
        decoder = self._decoder
        blocks = self._decoded_and_encoded(decoder.decoders) if decoder else self._unpacked_and_encoded()
        try:
            async with aclosing(blocks):
                async for frames in blocks:
                    if frames:
                        self._mp3_bytes += len(frames)
                        yield frames
            yield await self._cpu(self._finish)
        finally:
            await self._encoder.aclose()
            self._release_decoder()

    async def _unpacked_and_encoded(self) -> AsyncGenerator[bytes, None]:
        """Hashes, cuts, unpacks, analyses and encodes each batch."""
        async for batch in self._batches:
            feeding = self._encoder.feed(self._unpacked, batch)
            del batch  # a slow sender's next one may come in seconds
            yield await feeding
        yield await self._encoder.drain()

    async def _decoded_and_encoded(self, decoders: Decoders) -> AsyncGenerator[bytes, None]:
        """Hashes, cuts and cleans each batch, decodes it in a child process, analyses and encodes the PCM."""
        plan = self._plan
        argv = decoders.argv(plan.header.format, plan.pcm, cpu_limit_s=plan.cpu_limit_s)
        header = clean_header(plan.header.format)
        async with aclosing(decode(argv, header, self._data(), on_end=decoders.on_end)) as decoded:
            async for pcm in decoded:
                yield await self._encoder.feed(self._analysed, pcm[: self._due_bytes()])
        yield await self._encoder.drain()

    def _unpacked(self, batch: bytes) -> bytes:
        return self._analysed(self._take(batch))

    def _take(self, batch: bytes) -> bytes:
        return self._unpack(self._intake.take(batch))

    def _analysed(self, pcm: bytes) -> bytes:
        """Checks the limits, and feeds the analysers with what goes to the encoder."""
        self._samples += len(pcm) // self._plan.pcm.sample_bytes
        self._plan.check_samples(self._samples, self._intake.wav_bytes)
        for analyser in self._analysers:
            analyser.feed(pcm)
        self._waveform.feed(pcm)
        return pcm

    async def _data(self) -> AsyncGenerator[bytes, None]:
        async for batch in self._batches:
            yield await self._cpu(self._take, batch)
        self._wav_ended = True
        if self._intake.samples == 0:
            raise NoAudio

    def _due_bytes(self) -> int | None:
        """How much PCM is still accepted; None: no limit. The resampler's surplus comes only after the WAV's end."""
        if not self._wav_ended or not self._plan.resampled:
            return None
        due = self._plan.pcm.samples_of(self._plan.header.format, self._intake.samples) - self._samples
        return max(0, due) * self._plan.pcm.sample_bytes

    def _finish(self) -> bytes:
        """The last frames; sets the result."""
        if self._samples == 0:
            raise UndecodableAudio if self._intake.samples else NoAudio
        last = self._encoder.flush()
        shape = self._shape(self._mp3_bytes + len(last))
        first_frame = self.first_frame if shape == self._plan.predicted else self._plan.first_frame(shape)
        self._result = ConversionResult(first_frame, self._facts(shape.samples), self._waveform.waveform())
        return last

    def _shape(self, mp3_bytes: int) -> Mp3Shape:
        """The shape of everything encoded. Raises RuntimeError if the size differs."""
        shape = Mp3Shape.of(self._samples, self._plan.mp3)
        if mp3_bytes != shape.audio_bytes:
            # Seek points and length would be wrong: an error is better than a recording that players cannot seek in.
            raise RuntimeError(f"the encoder made {mp3_bytes} bytes; expected {shape}")
        return shape

    def _facts(self, samples: int) -> AudioFacts:
        plan, intake, tail = self._plan, self._intake, self._intake.tail()
        lost_ms = duration_ms(
            plan.pcm.samples_of(plan.header.format, intake.samples) - samples, self.sample_rate_hz
        )
        shortfall = plan.size.shortfall(intake.audio_bytes)
        facts = AudioFacts(
            wav_size_bytes=intake.wav_bytes,
            wav_sha256=intake.wav_sha256(),
            samples=samples,
            duration_ms=duration_ms(samples, self.sample_rate_hz),
            declared_duration_ms=None
            if shortfall is Shortfall.WRONG_SIZE
            else plan.size.declared_duration_ms,
            truncated=shortfall is Shortfall.TRUNCATED or lost_ms > 0,
            sample_rate_hz=self.sample_rate_hz,
            channels=self.channels,
            bitrate_kbps=self.bitrate_kbps,
            source=self.source,
            tags=merged(self.tags, read_tags(tail.tag_chunks, charset_of(tail.tag_chunks) or self._charset)),
            warnings=(
                *header_warnings(plan.header),
                *size_warnings(plan.size, intake.audio_bytes),
                *decoding_warnings(lost_ms),
                *tail_warnings(tail),
            ),
        )
        for analyser in self._analysers:
            facts = analyser.complete(facts)
        return facts
