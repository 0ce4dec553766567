"""WAV bytes in, MP3 bytes out: the interface of the audio package."""

import asyncio
import math
import os
import struct
import tracemalloc
from array import array
from collections.abc import AsyncIterator
from contextlib import aclosing
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from converting import a_converter, convert, decoders_running, finished, in_blocks, played
from factories import (
    FLOAT_TAG,
    STREAMED,
    chunk,
    ds64_chunk,
    extensible_fmt_chunk,
    fmt_chunk,
    info_chunk,
    pcm,
    riff,
    wav,
)
from pigwav.api.openapi import leaves
from pigwav.audio.conversion import BATCH_BYTES, Conversion
from pigwav.audio.info import InfoTag
from pigwav.audio.mp3 import SAMPLE_RATES_HZ, FrameHeader, bit_rates_kbps
from pigwav.domain import Tags, WavSource
from pigwav.errors import (
    AudioTooLong,
    BadAudio,
    NoAudio,
    OutputTooLarge,
    Overloaded,
    PigWavError,
    UndecodableAudio,
    UnsupportedBitRate,
    UnsupportedCodec,
)
from pigwav.settings import EncoderSettings, UploadLimits
from reference import reaching_lame

ADPCM = fmt_chunk(tag=2, rate=22_050, channels=1, bits=4, block=512, more=b"\2\0\0\0")
HOPELESS = chunk(b"data", b"\xff" * 64)  # an invalid MS ADPCM predictor
DECODED: dict[str, int] = {"channels": 3}
KINDS = [
    pytest.param({}, id="plain"),
    pytest.param({"bits": 24}, id="unpacked"),
    pytest.param(DECODED, id="decoded"),
]
"""Kinds of samples: 16-bit PCM, unpacked in this process, and decoded by ffmpeg."""


async def broken(body: bytes) -> AsyncIterator[bytes]:
    async for block in in_blocks(body):
        yield block
    raise ConnectionError("the client is gone")


async def stalled(body: bytes) -> AsyncIterator[bytes]:
    async for block in in_blocks(body):
        yield block
    await asyncio.Event().wait()


async def exhaust(conversion: Conversion) -> None:
    async with aclosing(conversion.frames()) as frames:
        async for _ in frames:
            pass


@settings(deadline=None, max_examples=80)
@given(
    st.sampled_from([(r, b) for r in SAMPLE_RATES_HZ for b in bit_rates_kbps(r)]),
    st.integers(1, 2),
    st.one_of(st.integers(1, 4_000), st.integers(1, 100_000)),
    st.integers(100, 70_000),
)
def test_prediction_comes_true(
    rate_and_kbps: tuple[int, int], channels: int, samples: int, block_bytes: int
) -> None:
    rate, kbps = rate_and_kbps
    body = wav(rate=rate, channels=channels, samples=samples)
    done = convert(body, bitrate_kbps=kbps, block_bytes=max(block_bytes, len(body) // 50))
    assert done.conversion.first_frame == done.result.first_frame
    assert done.conversion.expected_bytes == len(done.mp3)
    assert done.facts.samples == samples
    assert not done.facts.truncated


@pytest.mark.parametrize("samples", [1, 576, 1_152, 44_101])
@pytest.mark.parametrize(
    ("rate", "channels"), [(8_000, 2), (11_025, 1), (24_000, 2), (44_100, 2), (48_000, 1)]
)
def test_players_play_exactly_the_samples_of_the_wav(
    rate: int, channels: int, samples: int, tmp_path: Path
) -> None:
    done = convert(wav(rate=rate, channels=channels, samples=samples))
    assert len(played(done.mp3, tmp_path, channels=channels)) == samples * channels * 2


def test_what_is_played_is_what_was_recorded(tmp_path: Path) -> None:
    """Compares sample by sample, to find lost, repeated or shifted blocks."""
    audio = pcm(100_000, channels=1)
    done = convert(wav(samples=100_000, channels=1), bitrate_kbps=320, block_bytes=1_001)
    heard = memoryview(played(done.mp3, tmp_path, channels=1)).cast("h")
    worst = max(abs(a - b) for a, b in zip(memoryview(audio).cast("h"), heard, strict=True))
    assert worst < 1_000  # amplitude: 16,000


@pytest.mark.parametrize(
    ("body", "samples"),
    [
        (wav(samples=5_001, bits=8), 5_001),
        (wav(samples=5_001, bits=24), 5_001),
        (wav(samples=1, bits=24), 1),
        (wav(samples=5_001, bits=32, channels=6), 5_001),
        (wav(samples=96_001, rate=96_000), 48_001),
        (wav(samples=1, rate=192_000), 1),
        (wav(samples=1_000, rate=1_000, channels=1), 8_000),
        (wav(samples=12_345, rate=192_000, bits=24), 3_087),
        (riff(fmt_chunk(tag=FLOAT_TAG, bits=32) + chunk(b"data", bytes(8 * 777))), 777),
        (riff(fmt_chunk(tag=7, bits=8) + chunk(b"data", bytes(2 * 777))), 777),
        (riff(ADPCM + chunk(b"data", bytes(512 * 3 + 256))), 1_012 * 3 + 500),
        (
            riff(fmt_chunk(tag=0x31, rate=8_000, channels=1, bits=0, block=65) + chunk(b"data", bytes(650))),
            3_200,
        ),
        (riff(extensible_fmt_chunk(bits=32, valid_bits=24) + chunk(b"data", bytes(8 * 99))), 99),
    ],
)
def test_what_needs_decoding_is_predicted_and_played_as_exactly(
    body: bytes, samples: int, tmp_path: Path
) -> None:
    done = convert(body)
    assert done.facts.samples == samples
    assert done.conversion.first_frame == done.result.first_frame
    assert done.conversion.expected_bytes == len(done.mp3)
    assert not done.facts.truncated
    channels = done.conversion.channels
    assert len(played(done.mp3, tmp_path, channels=channels)) == samples * channels * 2


ADPCM_IMA = fmt_chunk(tag=0x11, channels=2, bits=4, block=1_024, more=b"\2\0\xf9\3")
GSM = fmt_chunk(tag=0x31, rate=8_000, channels=1, bits=0, block=65)


@pytest.mark.parametrize(
    ("fmt", "data", "samples", "decoder"),
    [
        (fmt_chunk(bits=8), bytes(2 * 99), 99, False),
        (fmt_chunk(bits=12), bytes(4 * 99), 99, False),
        (fmt_chunk(bits=20), bytes(6 * 99), 99, False),
        (fmt_chunk(bits=64), bytes(16 * 99), 99, False),
        (fmt_chunk(bits=24, block=8), bytes(8 * 99), 99, False),
        (extensible_fmt_chunk(bits=16, valid_bits=12), bytes(4 * 99), 99, False),
        (extensible_fmt_chunk(bits=24, valid_bits=20), bytes(6 * 99), 99, False),
        (extensible_fmt_chunk(bits=32, valid_bits=24), bytes(8 * 99), 99, False),
        (extensible_fmt_chunk(bits=64, sub_tag=FLOAT_TAG), bytes(16 * 99), 99, False),
        (fmt_chunk(tag=6, bits=8, more=b"\0\0"), bytes(2 * 99), 99, False),
        (fmt_chunk(tag=7, bits=8, rate=8_000), bytes(2 * 99), 99, False),
        (fmt_chunk(channels=16), bytes(32 * 99), 99, True),
        (fmt_chunk(channels=16, bits=24), bytes(48 * 99), 99, True),
        (
            extensible_fmt_chunk(channels=6, bits=32, sub_tag=FLOAT_TAG, speakers=0x3F),
            bytes(24 * 99),
            99,
            True,
        ),
        (fmt_chunk(tag=7, bits=8, channels=4), bytes(4 * 99), 99, True),
        (fmt_chunk(bits=8, rate=5_512), bytes(2 * 99), 144, True),
        (ADPCM, bytes(512 * 2), 2 * 1_012, True),
        (ADPCM_IMA, bytes(1_024 * 2), 2 * 1_017, True),
        (GSM, bytes(65 * 5), 5 * 320, True),
    ],
)
def test_every_coding_is_converted_and_only_packets_channels_and_rates_take_a_decoder(
    fmt: bytes, data: bytes, samples: int, *, decoder: bool
) -> None:
    async def run() -> int:
        with a_converter(UploadLimits(max_decoders=1)) as converter:
            conversion = await converter.open(in_blocks(riff(fmt + chunk(b"data", data))))
            assert converter.decoders.free == (0 if decoder else 1)
            done = await finished(conversion)
            assert conversion.first_frame == done.result.first_frame
            return done.facts.samples

    assert asyncio.run(run()) == samples


@pytest.mark.parametrize(
    ("rate", "seconds", "tone_hz"),
    [(1, 60, 0.1), (7, 60, 1), (100, 20, 20), (999, 5, 200), (384_000, 1, 1_000), (768_000, 1, 1_000)],
)
def test_any_sample_rate_keeps_length_pitch_and_level(rate: int, seconds: int, tone_hz: float) -> None:
    """A tone at half scale, compared at LAME's input."""
    count = rate * seconds
    tone = array("h", (round(16_384 * math.sin(2 * math.pi * tone_hz * i / rate)) for i in range(count)))
    [heard] = reaching_lame(riff(fmt_chunk(rate=rate, channels=1) + chunk(b"data", tone.tobytes())))
    assert len(heard.pcm) == seconds * heard.sample_rate_hz
    middle = heard.pcm[len(heard.pcm) // 4 : -len(heard.pcm) // 4, 0].astype(float)
    times = np.arange(len(heard.pcm) // 4, len(heard.pcm) // 4 + len(middle)) / heard.sample_rate_hz
    assert np.abs(middle - 16_384 * np.sin(2 * np.pi * tone_hz * times)).max() < 16_384 * 0.02


@pytest.mark.parametrize(("channels", "rate"), [(1, 44_100), (3, 44_100), (1, 44_101)])
@pytest.mark.parametrize(("bits", "code"), [(32, "f"), (64, "d")])
def test_what_is_no_number_is_silence_and_what_is_infinite_full_scale(
    channels: int, rate: int, bits: int, code: str
) -> None:
    """Also if the decoder is used."""
    levels = [(float("nan"), 0), (float("inf"), 32_767), (-float("inf"), -32_768), (1e30, 32_767)]
    fmt = fmt_chunk(tag=FLOAT_TAG, bits=bits, channels=channels, rate=rate)
    for level, expected in levels:
        data = struct.pack(f"<{600 * channels}{code}", *[level] * 600 * channels)
        [heard] = reaching_lame(riff(fmt + chunk(b"data", data)))
        assert np.abs(heard.pcm[100:-100, 0] - expected).max() <= 1


def test_tags_of_both_ends_are_told_those_before_the_audio_first() -> None:
    before, behind = info_chunk(INAM="before"), info_chunk(INAM="behind", IART="artist")
    for kind in ({}, DECODED):
        done = convert(wav(samples=100, before=before, after=behind, **kind))
        assert done.conversion.tags == Tags(title="before")
        assert done.facts.tags == Tags(title="before", artist="artist")


@pytest.mark.parametrize(
    ("kind", "source"),
    [
        ({}, WavSource("pcm_s16le", 48_000, 2, 16)),
        ({"bits": 24}, WavSource("pcm_s24le", 48_000, 2, 24)),
        (DECODED, WavSource("pcm_s16le", 48_000, 3, 16)),
    ],
)
def test_facts_tell_what_came(kind: dict[str, int], source: WavSource) -> None:
    body = wav(
        2, rate=48_000, before=chunk(b"LIST", bytes(101)), after=chunk(b"id3 ", bytes(100_000)), **kind
    )
    done = convert(body)
    assert done.conversion.source == source
    assert (done.conversion.sample_rate_hz, done.conversion.channels, done.conversion.bitrate_kbps) == (
        48_000,
        2,
        128,
    )
    assert done.facts.declared_duration_ms == done.facts.duration_ms == 2_000
    assert (done.facts.wav_size_bytes, done.facts.wav_sha256) == (len(body), sha256(body).digest())
    assert not done.facts.truncated


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [0, STREAMED, 0x7FFFF000])
@pytest.mark.parametrize("samples", [1, 10_000])
@pytest.mark.parametrize("block_bytes", [1_000, 65_536])
def test_a_streamed_wav_is_converted_to_its_end(
    kind: dict[str, int], size: int, samples: int, block_bytes: int
) -> None:
    done = convert(wav(samples=samples, data_size=size, **kind), block_bytes=block_bytes)
    assert done.conversion.expected_bytes is None
    assert done.conversion.expected_duration_ms is None
    assert len(done.conversion.first_frame) == len(done.result.first_frame)
    assert InfoTag.parse(done.conversion.first_frame) is None
    assert done.facts.samples == samples
    assert not done.facts.truncated


def test_audio_of_unknown_size_is_the_same_wherever_the_blocks_end() -> None:
    """The header walk needs the first bytes of the audio, which may arrive in several blocks."""
    body = wav(samples=500, data_size=0, content="noise")
    whole = convert(body).mp3
    assert all(convert(body, block_bytes=size).mp3 == whole for size in (1, 3, 5, 7, 45, 46, 52))


@pytest.mark.parametrize("kind", KINDS)
def test_a_wav_that_holds_less_than_it_says_is_converted_and_marked(kind: dict[str, int]) -> None:
    promised = len(wav(samples=20_000, **kind)) - 44
    done = convert(wav(samples=10_000, data_size=promised, **kind))
    assert done.facts.truncated
    assert done.facts.samples == 10_000
    assert (done.facts.duration_ms, done.facts.declared_duration_ms) == (227, 454)
    assert len(done.conversion.first_frame) == len(done.result.first_frame)
    assert done.conversion.first_frame != done.result.first_frame
    tag = InfoTag.parse(done.result.first_frame)
    assert tag is not None
    assert tag.total_bytes == len(done.mp3)


def test_a_promise_beyond_the_upload_limit_is_a_promise() -> None:
    """The size in the header is used for the prediction even if it exceeds the operator's limit."""
    body = wav(samples=5_000, data_size=100_000)
    done = convert(body, max_upload_bytes=len(body) + 1_000)
    assert (done.facts.truncated, done.facts.declared_duration_ms) == (True, 567)


def test_rf64_is_converted() -> None:
    audio = pcm(1_000)
    body = riff(ds64_chunk(len(audio)) + fmt_chunk() + chunk(b"data", audio, size=STREAMED), magic=b"RF64")
    assert convert(body).facts.samples == 1_000


@pytest.mark.parametrize(
    ("rate", "channels", "kbps"),
    [(44_100, 2, 128), (44_100, 1, 64), (22_050, 2, 128), (8_000, 1, 24), (12_000, 2, 48), (96_000, 6, 128)],
)
def test_bit_rate_is_the_setting_s(rate: int, channels: int, kbps: int) -> None:
    done = convert(wav(samples=100, rate=rate, channels=channels))
    assert done.conversion.bitrate_kbps == kbps


def test_a_setting_that_the_sample_rate_does_not_have_is_lowered() -> None:
    async def run() -> int:
        with a_converter(encoder=EncoderSettings(bitrate_stereo_kbps=250)) as converter:
            conversion = await converter.open(in_blocks(wav(samples=100, rate=22_050)))
            await conversion.aclose()
            return conversion.bitrate_kbps

    assert asyncio.run(run()) == 160


def test_wanted_bit_rate_is_the_frames_bit_rate() -> None:
    done = convert(wav(samples=10_000), bitrate_kbps=320)
    header = FrameHeader.parse(done.mp3[len(done.result.first_frame) :][:4])
    assert header is not None
    assert header.bitrate_kbps == 320


def test_bit_rate_that_mp3_does_not_have_is_refused_before_any_frame() -> None:
    with pytest.raises(UnsupportedBitRate, match="not 100"):
        convert(wav(), bitrate_kbps=100)


REASONS = [
    ("not-a-wav", b"ID3\3" + bytes(100), "MP3"),
    ("unsupported-container", wav(samples=9, magic=b"RIFX"), "RIFX"),
    ("no-fmt-chunk", riff(chunk(b"data", bytes(100))), "`fmt `"),
    ("fmt-chunk-too-short", riff(chunk(b"fmt ", b"\1\0") + chunk(b"data", bytes(100))), "2 bytes"),
    ("sample-rate-zero", wav(samples=9, rate=1).replace(b"\1\0\0\0\4\0\0\0", bytes(8)), "0 Hz"),
    ("channels-zero", riff(fmt_chunk(channels=0) + chunk(b"data", bytes(100))), "0 channels"),
    ("bits-per-sample-invalid", riff(fmt_chunk(bits=0) + chunk(b"data", bytes(100))), "0 bits"),
    ("block-size-invalid", riff(fmt_chunk(tag=2, bits=4, block=3) + chunk(b"data", bytes(9))), "3 bytes"),
    ("unsupported-codec", riff(fmt_chunk(tag=0x161) + chunk(b"data", bytes(9))), r"0x0161 \(WMA2\)"),
    ("unsupported-codec", riff(extensible_fmt_chunk()[:-2] + b"xx"), "00000001-0000-0010"),
    ("unsupported-sample-rate", wav(samples=9, rate=768_001), "768001 Hz"),
    ("unsupported-channels", wav(samples=9, channels=33), "33 channels"),
    ("no-data-chunk", riff(fmt_chunk() + chunk(b"LIST", bytes(30))), "`data`"),
    ("no-audio", wav(samples=0), "no complete sample"),
    ("header-too-long", riff(chunk(b"bext", b"", size=1 << 30)), "bext"),
    ("audio-too-long", wav(samples=3_601, rate=1), "3601 s"),
    ("output-too-large", wav(samples=5_000, rate=2, channels=1, bits=8), "30 times"),
    (
        "undecodable-audio",
        riff(fmt_chunk(tag=2, channels=1, bits=4, block=64) + HOPELESS),
        "not be decoded",
    ),
]


@pytest.mark.parametrize(("code", "body", "words"), REASONS)
def test_every_reason_for_which_a_wav_is_refused_has_its_code(code: str, body: bytes, words: str) -> None:
    with pytest.raises(BadAudio, match=words) as refused:
        convert(body, max_duration_s=3_600, max_wav_bytes=len(body))
    assert refused.value.code == code


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(
            wav(samples=5_000, rate=2, channels=1, bits=8, data_size=0), id="unpacked in this process"
        ),
        pytest.param(
            riff(
                fmt_chunk(tag=0x31, rate=1, channels=1, bits=0, block=65)
                + chunk(b"data", bytes(65 * 30), size=STREAMED)
            ),
            id="decoded by ffmpeg",
        ),
    ],
)
def test_a_few_bytes_of_unknown_length_do_not_become_a_large_mp3(body: bytes) -> None:
    with pytest.raises(OutputTooLarge):
        convert(body)
    assert decoders_running() == []


def test_no_reason_is_left_out() -> None:
    assert {kind.code for kind in leaves(BadAudio)} == {code for code, *_ in REASONS}


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"not a wav at all, not in the least", BadAudio),
        (wav(samples=0), NoAudio),
        (wav(samples=0, data_size=0, bits=24), NoAudio),
        (wav(samples=0, data_size=0, channels=3), NoAudio),
        (wav(samples=0, after=info_chunk(INAM="nothing")), NoAudio),
        (wav(samples=1)[:-1], NoAudio),
        (wav(samples=1, bits=24)[:-1], NoAudio),
        (wav(samples=1, channels=3)[:-1], NoAudio),
        (wav(samples=1, data_size=3), NoAudio),
        (riff(fmt_chunk(tag=0x55) + chunk(b"data", bytes(100))), UnsupportedCodec),
        (riff(ADPCM + chunk(b"data", b"\0\0\0")), NoAudio),
        (riff(ADPCM + chunk(b"data", bytes(3), size=512)), NoAudio),
        (wav(samples=61 * 8_000, rate=8_000, channels=1), AudioTooLong),
        (wav(samples=61 * 8_000, rate=8_000, channels=1, data_size=0), AudioTooLong),
        (wav(samples=61 * 8_000, rate=8_000, channels=1, data_size=0, bits=24), AudioTooLong),
        (wav(samples=61 * 8_000, rate=8_000, channels=3, data_size=0), AudioTooLong),
        (wav(samples=61, rate=1, channels=1), AudioTooLong),
        (wav(samples=61, rate=1, channels=1, data_size=0), AudioTooLong),
    ],
)
def test_what_is_no_recording_is_refused_by_name(body: bytes, error: type[PigWavError]) -> None:
    with pytest.raises(error):
        convert(body, max_duration_s=60)
    assert decoders_running() == []


def test_opening_reads_no_further_than_the_audio_begins() -> None:
    read: list[int] = []

    async def counted() -> AsyncIterator[bytes]:
        async for block in in_blocks(wav(1), 1_000):
            read.append(len(block))
            yield block

    async def run() -> None:
        with a_converter() as converter:
            await (await converter.open(counted())).aclose()

    asyncio.run(run())
    assert read == [1_000]


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_at_the_very_end_of_the_body_is_no_completion(kind: dict[str, int]) -> None:
    async def run() -> Conversion:
        with a_converter() as converter:
            body = wav(1, after=chunk(b"id3 ", bytes(300_000)), **kind)
            conversion = await converter.open(broken(body))
            with pytest.raises(ConnectionError, match="the client is gone"):
                await exhaust(conversion)
            await conversion.aclose()
            assert converter.decoders.free == UploadLimits().max_decoders
            return conversion

    conversion = asyncio.run(run())
    with pytest.raises(RuntimeError):
        conversion.result()
    assert decoders_running() == []


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("how", ["never run", "not begun", "broken off", "cancelled"])
def test_closing_frees_everything_however_far_it_came(kind: dict[str, int], how: str) -> None:
    async def run() -> None:
        with a_converter() as converter:
            conversion = await converter.open(stalled(wav(5, **kind)))
            if how == "not begun":
                conversion.frames()
            if how in ("broken off", "cancelled"):
                await anext(conversion.frames())
            if how == "cancelled":
                waiting = asyncio.ensure_future(converter.open(stalled(b"RIFF")))
                await asyncio.sleep(0)
                waiting.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await waiting
            await conversion.aclose()
            await conversion.aclose()
            assert converter.decoders.free == UploadLimits().max_decoders
            assert decoders_running() == []

    asyncio.run(run())


@pytest.mark.parametrize("kind", KINDS)
def test_cancelling_while_the_client_is_slow_leaves_no_decoder(kind: dict[str, int]) -> None:
    async def run() -> None:
        slow = asyncio.Event()

        async def client() -> AsyncIterator[bytes]:
            async for block in in_blocks(wav(5, **kind)):
                yield block
            slow.set()
            await asyncio.Event().wait()

        with a_converter() as converter:
            conversion = await converter.open(client())
            consuming = asyncio.ensure_future(exhaust(conversion))
            await slow.wait()
            assert len(decoders_running()) == (kind == DECODED)
            consuming.cancel()
            with pytest.raises(asyncio.CancelledError):
                await consuming
            assert decoders_running() == []
            assert converter.decoders.free == UploadLimits().max_decoders

    asyncio.run(run())


def test_more_decoders_than_allowed_are_refused_at_once_and_most_need_none() -> None:
    async def run() -> None:
        with a_converter(UploadLimits(max_decoders=1)) as converter:
            first = await converter.open(in_blocks(wav(samples=100, **DECODED)))
            with pytest.raises(Overloaded):
                await converter.open(in_blocks(wav(samples=100, **DECODED)))
            await finished(await converter.open(in_blocks(wav(samples=100, bits=24))))
            await finished(first)
            await finished(await converter.open(in_blocks(wav(samples=100, **DECODED))))

    asyncio.run(run())


def test_many_conversions_at_once_do_not_mix() -> None:
    async def run() -> list[bytes]:
        with a_converter() as converter:

            async def one(bits: int, channels: int) -> bytes:
                body = wav(1, bits=bits, channels=channels)
                return (await finished(await converter.open(in_blocks(body, 5_000)))).mp3

            kinds = [(16, 2), (24, 2), (32, 3), (8, 1)] * 3
            return await asyncio.gather(*[one(bits, channels) for bits, channels in kinds])

    found = asyncio.run(run())
    assert found == found[:4] * 3


def test_a_decoder_that_dies_is_an_error_and_not_a_short_recording() -> None:
    async def run() -> None:
        with a_converter() as converter:
            conversion = await converter.open(stalled(wav(5, **DECODED)))
            frames = conversion.frames()
            await anext(frames)
            for process in decoders_running():
                process.kill()
            with pytest.raises(UndecodableAudio, match="SIGKILL"):
                async for _ in frames:
                    pass
            await conversion.aclose()

    asyncio.run(run())


def test_a_conversion_runs_once() -> None:
    async def run() -> None:
        with a_converter() as converter:
            conversion = await converter.open(in_blocks(wav(samples=100)))
            await exhaust(conversion)
            with pytest.raises(RuntimeError):
                conversion.frames()
            await conversion.aclose()

    asyncio.run(run())


@pytest.mark.parametrize("seconds", [6, 60])
@pytest.mark.parametrize("kind", KINDS)
def test_memory_held_does_not_grow_with_the_recording(kind: dict[str, int], seconds: int) -> None:
    """Measures the peak of Python's memory; LAME's own memory is constant."""
    second = pcm(44_100, **kind)

    async def client() -> AsyncIterator[bytes]:
        yield riff(fmt_chunk(**kind) + chunk(b"data", b"", size=len(second) * seconds))
        for _ in range(seconds):
            async for block in in_blocks(second):
                yield block

    async def run() -> int:
        with a_converter(encoder=EncoderSettings(lame_quality=9)) as converter:
            conversion = await converter.open(client())
            tracemalloc.start()
            try:
                await exhaust(conversion)
                return tracemalloc.get_traced_memory()[1]
            finally:
                tracemalloc.stop()

    assert asyncio.run(run()) < 16 * BATCH_BYTES


def test_what_is_encoded_is_not_held_while_a_slow_client_sends() -> None:
    """A thousand slow uploads may wait for their next batch."""

    async def held_bytes() -> int:
        waits = asyncio.Event()

        async def client() -> AsyncIterator[bytes]:
            yield riff(fmt_chunk() + chunk(b"data", b"", size=10 * BATCH_BYTES))
            for _ in range(4):
                yield os.urandom(BATCH_BYTES)
            waits.set()
            await asyncio.Event().wait()

        with a_converter() as converter:
            conversion = await converter.open(client())
            tracemalloc.start()
            converting = asyncio.create_task(exhaust(conversion))
            try:
                await waits.wait()
                return tracemalloc.get_traced_memory()[0]
            finally:
                tracemalloc.stop()
                converting.cancel()
                await asyncio.wait({converting})
                await conversion.aclose()

    assert asyncio.run(asyncio.wait_for(held_bytes(), 60)) < 2 * BATCH_BYTES
