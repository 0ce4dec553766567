"""A WAV's way to whole samples, without a decoder and without LAME."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from hashlib import sha256
from random import Random
from typing import Final

from fuzz.cutting import blocks
from fuzz.mutators import mutated_once
from fuzz.seeds import small_wavs, wavs
from fuzz.target import Target
from pigwav.audio.chunks import MAX_TAG_CHUNK_BYTES, MAX_TAG_CHUNKS, MAX_TAGS_BYTES, TagChunk, Tail, TailWalk
from pigwav.audio.data_size import DataSize
from pigwav.audio.ffmpeg import clean_header
from pigwav.audio.fmt import MAX_CHANNELS, MAX_SAMPLE_RATE_HZ, WavFormat
from pigwav.audio.info import InfoTag
from pigwav.audio.intake import Intake
from pigwav.audio.mp3 import SAMPLE_RATES_HZ, bit_rates_kbps
from pigwav.audio.plan import Plan
from pigwav.audio.wav import HeaderWalk, WavHeader
from pigwav.errors import BadAudio, PigWavError, UnsupportedBitRate
from pigwav.settings import EncoderSettings

MAX_HELD_BYTES: Final = 64 * 1024
MAX_SECONDS: Final = 3_600
BIT_RATES_KBPS: Final = (None, 8, 64, 128, 320, 100, 0, -1)


class WatchedWalk(HeaderWalk):
    """Fails if it buffers too many bytes, or takes more steps than it got bytes."""

    def __init__(self) -> None:
        self._fed_bytes = self._sent = 0
        super().__init__()

    def feed(self, block: bytes) -> WavHeader | None:
        self._fed_bytes += len(block)
        header = super().feed(block)
        assert len(self._held) < MAX_HELD_BYTES
        return header

    def _send(self, taken: bytes) -> WavHeader | None:
        self._sent += 1
        assert self._sent <= self._fed_bytes
        return super()._send(taken)


@dataclass(frozen=True)
class Refusal:
    kind: type[PigWavError]
    message: str

    @classmethod
    def of(cls, error: PigWavError) -> "Refusal":
        return cls(type(error), str(error))


def check_header_walk(steer: int, body: bytes) -> None:
    whole, cut = _walked([body]), _walked(blocks(body, steer))
    assert whole == cut
    if isinstance(whole, WavHeader):
        _check_header(whole, len(body))


def _walked(pieces: Iterable[bytes]) -> WavHeader | Refusal:
    walk = WatchedWalk()
    try:
        return next(filter(None, map(walk.feed, pieces)), None) or walk.end()
    except BadAudio as error:
        return Refusal.of(error)


def _check_header(header: WavHeader, size_bytes: int) -> None:
    wav = header.format
    assert 12 + 8 + 14 + 8 <= header.data_offset <= size_bytes
    assert header.declared_data_bytes is None or 0 < header.declared_data_bytes < 1 << 63
    assert 1 <= wav.channels <= MAX_CHANNELS
    assert 1 <= wav.sample_rate_hz <= MAX_SAMPLE_RATE_HZ
    assert wav.block_bytes >= 1
    assert wav.block_samples >= 1
    assert wav.samples_in(0) == 0
    assert wav.samples_in(7 * wav.block_bytes) == 7 * wav.block_samples
    _check_tag_chunks(header.tag_chunks)


def _check_tag_chunks(chunks: tuple[TagChunk, ...]) -> None:
    assert len(chunks) <= MAX_TAG_CHUNKS
    assert sum(len(chunk.body) for chunk in chunks) <= MAX_TAGS_BYTES
    assert all(0 < len(chunk.body) <= MAX_TAG_CHUNK_BYTES for chunk in chunks)


@dataclass(frozen=True)
class Taken:
    """The results of intake. `samples`: PCM, or whole packets for the decoder."""

    plan: Plan
    samples: bytes
    audio_bytes: int
    count: int
    sha256: bytes
    tail: Tail


def check_samples(steer: int, body: bytes) -> None:
    """The samples do not depend on the blocks, and every byte of the WAV is hashed."""
    bitrate_kbps = BIT_RATES_KBPS[steer % len(BIT_RATES_KBPS)]
    max_wav_bytes = len(body) + 200 if steer % 2 else None
    whole, cut = (_taken(pieces, bitrate_kbps, max_wav_bytes) for pieces in ([body], blocks(body, steer)))
    assert whole == cut
    if isinstance(whole, Taken):
        _check_taken(whole, body)


def _taken(pieces: Iterable[bytes], bitrate_kbps: int | None, max_wav_bytes: int | None) -> Taken | Refusal:
    """The same steps as in `Conversion`."""
    intake, held, rest = Intake(), b"", iter(pieces)
    try:
        header, held = _read_header(rest, intake)
        size = DataSize.of(
            header, max_data_bytes=1 << 32, max_duration_s=MAX_SECONDS, max_wav_bytes=max_wav_bytes
        )
        plan = Plan.of(size, _encoder(), max_duration_s=MAX_SECONDS, bitrate_kbps=bitrate_kbps)
    except (BadAudio, UnsupportedBitRate) as error:
        return Refusal.of(error)
    intake.begin(header, size.expected_bytes)
    unpack = plan.unpack or plan.clean
    samples = unpack(intake.take(held)) + b"".join(unpack(intake.take(piece)) for piece in rest)
    return Taken(plan, samples, intake.audio_bytes, intake.samples, intake.wav_sha256(), intake.tail())


def _read_header(rest: Iterator[bytes], intake: Intake) -> tuple[WavHeader, bytes]:
    walk, held = HeaderWalk(), b""
    for piece in rest:
        held += piece
        if header := walk.feed(piece):
            return header, held
        if not walk.at_audio:
            intake.skip(held)
            held = b""
    return walk.end(), held


@cache
def _encoder() -> EncoderSettings:
    return EncoderSettings()


def _check_taken(taken: Taken, body: bytes) -> None:
    plan, wav = taken.plan, taken.plan.header.format
    declared = plan.header.declared_data_bytes
    behind = len(body) - plan.header.data_offset
    assert taken.sha256 == sha256(body).digest()
    assert taken.audio_bytes == (behind if declared is None else min(declared, behind))
    assert taken.count == wav.samples_in(taken.audio_bytes)
    if plan.unpack:
        assert len(taken.samples) == taken.count * plan.pcm.sample_bytes
    else:
        assert len(taken.samples) == taken.audio_bytes - taken.audio_bytes % wav.cut_bytes
        _check_decoder_header(wav)
    _check_tail(taken.tail, body)
    _check_plan(plan)


def _check_decoder_header(wav: WavFormat) -> None:
    """The header for ffmpeg describes the same format, except the fields that are left out on purpose."""
    header = _walked([clean_header(wav)])
    assert isinstance(header, WavHeader)
    assert header.format == replace(wav, speakers=0, in_low_bytes=header.format.in_low_bytes)
    assert header.declared_data_bytes is None


def _check_plan(plan: Plan) -> None:
    assert plan.pcm.sample_rate_hz in SAMPLE_RATES_HZ
    assert plan.pcm.channels in (1, 2)
    assert plan.mp3.bitrate_kbps in bit_rates_kbps(plan.pcm.sample_rate_hz)
    if shape := plan.predicted:
        assert 0 < shape.samples <= plan.max_duration_s * plan.pcm.sample_rate_hz + 1
        tag = InfoTag.parse(plan.first_frame(shape))
        assert tag
        assert (tag.frames, tag.padding) == (shape.frames, shape.padding)
        assert tag.total_bytes == min(plan.total_bytes(shape), 0xFFFFFFFF)


def check_tail(steer: int, body: bytes) -> None:
    """Bytes after the audio raise no error, and the result does not depend on the blocks."""
    tails = [TailWalk(after_odd=steer % 2 == 1) for _ in range(2)]
    tails[0].feed(body)
    for piece in blocks(body, steer):
        tails[1].feed(piece)
    whole, cut = (tail.end() for tail in tails)
    assert whole == cut
    _check_tail(whole, body)


def _check_tail(tail: Tail, body: bytes) -> None:
    _check_tag_chunks(tail.tag_chunks)
    assert all(chunk.body in body for chunk in tail.tag_chunks)
    assert 0 <= tail.second_data_bytes <= len(body)
    assert 0 <= tail.second_file_bytes <= len(body)
    assert 0 <= tail.unknown_bytes <= len(body)


def _tails() -> Iterator[bytes]:
    for wav in small_wavs():
        if b"LIST" in wav or b"id3 " in wav.lower() or b"bext" in wav:
            yield wav[12:]


def _mutate(wav: bytes, random: Random) -> bytes:
    return mutated_once(wav, random, wavs())


WAV_TARGETS: Final = (
    Target("header-walk", check_header_walk, small_wavs, mutate=_mutate),
    Target("samples", check_samples, small_wavs, mutate=_mutate),
    Target("tail", check_tail, _tails),
)
