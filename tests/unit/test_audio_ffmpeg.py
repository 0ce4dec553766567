"""ffmpeg as a confined decoder: real processes with valid and hostile input."""

import asyncio
import sys
from array import array
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path

import psutil
import pytest
import uvloop

from converting import FFMPEG, decoders_running
from factories import FLOAT_TAG, chunk, extensible_fmt_chunk, fmt_chunk, pcm, riff
from pigwav.audio.confinement import Confinement
from pigwav.audio.decoder_process import decode
from pigwav.audio.decoders import Decoders
from pigwav.audio.ffmpeg import clean_header, decoder_argv, find_ffmpeg
from pigwav.audio.fmt import WavFormat, parse_fmt
from pigwav.audio.pcm import PcmFormat
from pigwav.audio.wav import HeaderWalk
from pigwav.errors import NotConfigured, Overloaded, UndecodableAudio
from waiting import wait_until

TONE = pcm(4_800, rate=48_000, channels=1)
IN_LIMITS = Confinement(("limits",))
"""For shell scripts that stand in for ffmpeg: they need a shell, its files, and processes."""


async def source(data: bytes, block_bytes: int = 10_000) -> AsyncGenerator[bytes, None]:
    for at in range(0, len(data), block_bytes):
        yield data[at : at + block_bytes]


def decoding(
    wav: WavFormat, data: AsyncGenerator[bytes, None], program: str = FFMPEG
) -> AsyncGenerator[bytes, None]:
    confinement = Decoders(FFMPEG, total=1).confinement() if program == FFMPEG else IN_LIMITS
    argv = decoder_argv(program, wav, PcmFormat.of(wav), cpu_limit_s=60)
    return decode(confinement.argv(argv, cpu_limit_s=60), clean_header(wav), data)


def decoded(fmt: bytes, data: bytes) -> bytes:
    async def run() -> bytes:
        return b"".join([block async for block in decoding(parse_fmt(fmt[8:]), source(data))])

    return asyncio.run(run())


def values(audio: bytes) -> list[int]:
    return array("h", audio).tolist()


@pytest.mark.parametrize("bits", [24, 32])
def test_integers_keep_their_highest_sixteen_bits(bits: int) -> None:
    assert (
        decoded(fmt_chunk(rate=48_000, channels=1, bits=bits), pcm(4_800, rate=48_000, channels=1, bits=bits))
        == TONE
    )


def test_bits_in_a_wider_container_sit_in_its_high_bits() -> None:
    fmt = extensible_fmt_chunk(rate=48_000, channels=1, bits=32, valid_bits=24)
    assert decoded(fmt, pcm(4_800, rate=48_000, channels=1, bits=32)) == TONE


def test_eight_bits_are_unsigned() -> None:
    assert values(decoded(fmt_chunk(channels=1, bits=8), b"\x00\x80\xff")) == [-32768, 0, 32512]


def test_a_law_and_mu_law_are_expanded() -> None:
    assert values(decoded(fmt_chunk(tag=6, channels=1, bits=8), b"\xd5\x55")) == [8, -8]
    assert values(decoded(fmt_chunk(tag=7, channels=1, bits=8), b"\xff\x00\x80")) == [0, -32124, 32124]


@pytest.mark.parametrize(
    ("rate", "samples"),
    [(1, 1), (1, 40), (7, 15), (100, 1_000), (999, 4_097), (7_999, 8_001), (384_000, 5), (768_000, 76_801)],
)
@pytest.mark.parametrize("channels", [1, 6])
def test_the_resampler_gives_at_least_as_many_samples_as_are_due_and_few_more(
    rate: int, samples: int, channels: int
) -> None:
    wav = parse_fmt(fmt_chunk(rate=rate, channels=channels)[8:])
    pcm_format = PcmFormat.of(wav)
    found = len(decoded(fmt_chunk(rate=rate, channels=channels), bytes(2 * channels * samples)))
    surplus = found // pcm_format.sample_bytes - pcm_format.samples_of(wav, samples)
    assert 0 <= surplus <= 64 * max(1, pcm_format.sample_rate_hz / rate) + 1


def test_a_packet_that_plays_for_an_hour_is_resampled_in_little_memory() -> None:
    """The packet's 4,084 samples at 1 Hz become 32 million. As one frame, they exceed ffmpeg's allocation limit."""
    wav = parse_fmt(fmt_chunk(tag=2, rate=1, channels=1, bits=4, block=2_048, more=b"\2\0\0\0")[8:])

    async def run() -> int:
        return sum([len(block) async for block in decoding(wav, source(bytes(2_048)))])

    assert asyncio.run(run()) >= 4_084 * 8_000 * 2


@pytest.mark.parametrize("channels", [3, 4, 5, 6, 7, 8, 9, 16, 32])
def test_many_channels_become_two_that_do_not_clip(channels: int) -> None:
    full_scale = b"\xff\x7f" * channels * 100
    found = values(decoded(fmt_chunk(channels=channels), full_scale))
    assert len(found) == 200
    assert max(found) > 32_700
    assert min(found) > 25_000


@pytest.mark.parametrize("size_bytes", [512, 1_024, 1_024 + 256])
def test_adpcm_gives_as_many_samples_as_we_count(size_bytes: int) -> None:
    fmt = fmt_chunk(tag=2, rate=22_050, channels=1, bits=4, block=512, more=b"\2\0\0\0")
    assert len(decoded(fmt, bytes(size_bytes))) == 2 * parse_fmt(fmt[8:]).samples_in(size_bytes)


@pytest.mark.parametrize(
    "fmt",
    [
        fmt_chunk(bits=24),
        fmt_chunk(channels=6),
        fmt_chunk(tag=FLOAT_TAG, bits=64),
        fmt_chunk(tag=0x11, channels=2, bits=4, block=1024),
        fmt_chunk(tag=0x31, channels=1, bits=0, block=65),
        extensible_fmt_chunk(bits=32, valid_bits=20),
    ],
)
def test_ffmpeg_gets_a_header_that_means_the_same(fmt: bytes) -> None:
    wav = parse_fmt(fmt[8:])
    header = HeaderWalk().feed(clean_header(wav))
    assert header is not None
    assert (header.format, header.declared_data_bytes) == (wav, None)


def test_argv_confines_ffmpeg_to_one_format_one_codec_and_pipes() -> None:
    wav = parse_fmt(fmt_chunk(bits=24)[8:])
    argv = decoder_argv("ffmpeg", wav, PcmFormat.of(wav), cpu_limit_s=77)
    before_input = argv[: argv.index("-i")]
    assert "-nostdin" in before_input
    for option, value in [
        ("-f", "wav"),
        ("-acodec", "pcm_s24le"),
        ("-codec_whitelist", "pcm_s24le"),
        ("-format_whitelist", "wav"),
        ("-protocol_whitelist", "pipe"),
        ("-timelimit", "77"),
    ]:
        assert before_input[before_input.index(option) + 1] == value
    assert argv[argv.index("-i") + 1] == "pipe:0"
    assert argv[-1] == "pipe:1"


def test_noise_from_a_hostile_source_is_audio_or_a_named_error() -> None:
    noise = pcm(5_000, content="noise")
    for fmt in (
        fmt_chunk(tag=2, channels=2, bits=4, block=1024),
        fmt_chunk(tag=0x11, channels=2, bits=4, block=1024),
        fmt_chunk(tag=0x31, channels=1, bits=0, block=65),
        fmt_chunk(tag=FLOAT_TAG, bits=64),
    ):
        try:
            assert decoded(fmt, noise)
        except UndecodableAudio:
            continue
    assert decoders_running() == []


def test_what_ffmpeg_cannot_decode_is_an_error_with_its_reason_and_no_path() -> None:
    fmt = fmt_chunk(tag=2, channels=1, bits=4, block=512)
    with pytest.raises(
        UndecodableAudio, match="could not be decoded: invalid number of samples in packet"
    ) as caught:
        decoded(fmt, b"\0")
    assert "/" not in str(caught.value)
    assert "0x" not in str(caught.value)


def test_a_program_that_dies_is_an_error_though_data_goes_on_coming(tmp_path: Path) -> None:
    program = tmp_path / "ffmpeg"
    program.write_text("#!/bin/sh\necho '[x @ 0x1] /etc/secret: no such thing' >&2\nexit 3\n")
    program.chmod(0o755)

    async def endless() -> AsyncGenerator[bytes, None]:
        while True:
            yield bytes(100_000)
            await asyncio.sleep(0)

    async def run() -> None:
        async with aclosing(decoding(parse_fmt(fmt_chunk(bits=24)[8:]), endless(), str(program))) as blocks:
            async for _ in blocks:
                pass

    with pytest.raises(UndecodableAudio, match=r"could not be decoded: \.\.\. no such thing"):
        asyncio.run(run())


def test_data_is_read_to_its_end_though_ffmpeg_reads_no_more(tmp_path: Path) -> None:
    program = tmp_path / "ffmpeg"
    program.write_text("#!/bin/sh\nexec 0<&-\nprintf abcd\n")
    program.chmod(0o755)
    read_to_the_end = []

    async def run() -> list[bytes]:
        ffmpeg_ended = asyncio.Event()

        async def data() -> AsyncGenerator[bytes, None]:
            yield bytes(1_000_000)
            await ffmpeg_ended.wait()
            for _ in range(1_000):  # a slow client
                yield bytes(1_000)
                await asyncio.sleep(0)
            read_to_the_end.append(True)

        found = []
        async for block in decoding(parse_fmt(fmt_chunk(bits=24)[8:]), data(), str(program)):
            found.append(block)
            ffmpeg_ended.set()
        return found

    assert asyncio.run(run()) == [b"abcd"]
    assert read_to_the_end == [True]


def test_a_program_that_goes_on_after_its_input_is_stopped_when_nobody_wants_its_output(
    tmp_path: Path,
) -> None:
    program = tmp_path / "ffmpeg"
    program.write_text("#!/bin/sh\ncat > /dev/null\nexec cat /dev/zero\n")
    program.chmod(0o755)

    async def run() -> list[psutil.Process]:
        blocks = decoding(parse_fmt(fmt_chunk(bits=24)[8:]), source(TONE), str(program))
        await anext(blocks)
        await blocks.aclose()
        return decoders_running()

    assert asyncio.run(run()) == []


def test_an_error_of_the_source_comes_out_and_ends_the_process() -> None:
    async def broken() -> AsyncGenerator[bytes, None]:
        yield bytes(60_000)
        raise ConnectionError("the client is gone")

    async def run() -> None:
        async with aclosing(decoding(parse_fmt(fmt_chunk(bits=24)[8:]), broken())) as blocks:
            async for _ in blocks:
                pass

    with pytest.raises(ConnectionError, match="the client is gone"):
        asyncio.run(run())
    assert decoders_running() == []


@pytest.mark.parametrize("how", ["break off", "cancel"])
def test_process_is_gone_however_decoding_ends(how: str) -> None:
    async def never_ending() -> AsyncGenerator[bytes, None]:
        yield bytes(600_000)
        await asyncio.Event().wait()

    async def run() -> list[psutil.Process]:
        blocks = decoding(parse_fmt(fmt_chunk(bits=24)[8:]), never_ending())
        await anext(blocks)
        assert len(decoders_running()) == 1
        if how == "cancel":
            more = asyncio.ensure_future(anext(blocks))
            await asyncio.sleep(0)
            more.cancel()
            with pytest.raises(asyncio.CancelledError):
                await more
        else:
            await blocks.aclose()
        return decoders_running()

    assert asyncio.run(run()) == []


@pytest.mark.skipif(sys.platform != "linux", reason="only on Linux can another process's limits be read")
def test_kernel_limits_hold_the_process() -> None:
    async def never_ending() -> AsyncGenerator[bytes, None]:
        yield bytes(600_000)
        await asyncio.Event().wait()

    async def run() -> dict[int, tuple[int, int]]:
        async with aclosing(decoding(parse_fmt(fmt_chunk(bits=24)[8:]), never_ending())) as blocks:
            await anext(blocks)
            (process,) = decoders_running()
            assert process.environ() == {"LC_ALL": "C"}
            kinds = (psutil.RLIMIT_CPU, psutil.RLIMIT_AS, psutil.RLIMIT_FSIZE, psutil.RLIMIT_CORE)
            return {kind: process.rlimit(kind) for kind in kinds}

    assert asyncio.run(run()) == {
        psutil.RLIMIT_CPU: (60, 61),
        psutil.RLIMIT_AS: (1 << 30, 1 << 30),
        psutil.RLIMIT_FSIZE: (0, 0),
        psutil.RLIMIT_CORE: (0, 0),
    }


def test_a_process_that_cannot_be_started_is_overload(tmp_path: Path) -> None:
    async def run() -> None:
        await anext(decoding(parse_fmt(fmt_chunk(bits=24)[8:]), source(TONE), str(tmp_path / "nothing")))

    with pytest.raises(Overloaded):
        asyncio.run(run())


def test_decoders_run_out_and_come_back() -> None:
    decoders = Decoders("ffmpeg", total=1)
    place = decoders.take(())
    with pytest.raises(Overloaded):
        decoders.take(())
    place.release()
    decoders.take(())


def test_configured_program_is_taken_and_a_wrong_one_refused(tmp_path: Path) -> None:
    assert find_ffmpeg(Path(FFMPEG)) == FFMPEG
    assert find_ffmpeg(None) == FFMPEG
    with pytest.raises(NotConfigured, match="PIGWAV_FFMPEG"):
        find_ffmpeg(tmp_path / "nothing")
    with pytest.raises(NotConfigured, match="PIGWAV_FFMPEG"):
        find_ffmpeg(tmp_path)
    assert find_ffmpeg(Path("sh")).startswith("/")


def test_a_playlist_named_wav_never_reaches_ffmpeg() -> None:
    """ffmpeg gets a header that we write, so it reads the following bytes as samples."""
    playlist = b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n" * 20
    body = riff(fmt_chunk(bits=24, channels=1) + chunk(b"data", playlist))
    assert len(decoded(body[12:36], playlist)) == len(playlist) // 3 * 2


def test_a_decoder_that_ends_while_the_client_pauses_is_no_error_of_ours() -> None:
    """Runs on uvloop, as in production: its pipes raise an error if they are written to after their end."""

    async def paused() -> AsyncGenerator[bytes, None]:
        yield bytes(1000)
        await asyncio.to_thread(wait_until, lambda: not running("true"))
        for _ in range(100):
            await asyncio.sleep(0)  # the loop notices the end
        yield bytes(1000)
        yield bytes(1000)

    async def decoded() -> list[bytes]:
        return [block async for block in decode(["/bin/true"], b"header", paused())]

    assert uvloop.run(decoded()) == []


def running(name: str) -> bool:
    children = psutil.Process().children()
    return any(child.name() == name and child.status() != psutil.STATUS_ZOMBIE for child in children)
