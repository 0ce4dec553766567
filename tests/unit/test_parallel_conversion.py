"""A conversion on several threads: the same facts, errors, memory and clean-up as on one."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import replace

import pytest

from converting import Converted, a_converter, decoders_running, finished, in_blocks
from factories import STREAMED, chunk, fmt_chunk, riff, wav
from materials import material
from mp3_walker import walk
from parallel_encoding import Eager
from pigwav.audio.conversion import BATCH_BYTES, Conversion, Converter
from pigwav.audio.lame import LameEncoder
from pigwav.audio.mp3 import Mp3Format
from pigwav.audio.segments import Segments
from pigwav.errors import AudioTooLong, OutputTooLarge
from pigwav.executors import BoundedExecutor
from pigwav.settings import EncoderSettings, UploadLimits

KINDS = [pytest.param({}, id="unpacked"), pytest.param({"channels": 3}, id="decoded")]
FASTEST = EncoderSettings(lame_quality=9)
SECONDS = 14


def small(mp3: Mp3Format, _: int) -> Segments:
    """Segments so short that a few seconds are encoded by several runs; the service's own rule."""
    return Segments(mp3, segment=98, most_runs=3)


def eager(mp3: Mp3Format, _: int) -> Segments:
    return Eager(mp3, segment=98, most_runs=3)


def music(seconds: int = SECONDS) -> bytes:
    audio = material("music", samples=44_100 * seconds, rate_hz=44_100, channels=2)
    return riff(fmt_chunk() + chunk(b"data", audio))


async def unhurried(body: bytes, cpu: BoundedExecutor) -> AsyncIterator[bytes]:
    """A client that sends a block whenever the encoder has nothing left to do."""
    for start in range(0, len(body), BATCH_BYTES):
        await asyncio.sleep(0)  # a call that has been decided on begins
        while cpu.idle_threads < cpu.width:  # noqa: ASYNC110 - the executor has no event for it
            await asyncio.sleep(0)
        yield body[start : start + BATCH_BYTES]


async def consumed(conversion: Conversion) -> None:
    async with aclosing(conversion.frames()) as frames:
        async for _ in frames:
            pass


class Counted:
    """Opens encoders that wait in each call for `go`, and counts encoders and calls under way.

    `go_at`: so many encoders open set `go`: until then, no encoder is faster than the sender.
    """

    def __init__(self, *, fail: bool = False, go_at: int | None = None) -> None:
        self.go = threading.Event()
        self.begun = threading.Semaphore(0)
        self.under_way = 0
        self.opened = 0
        self.fail = fail
        self.go_at = go_at

    def __call__(self, mp3: Mp3Format, *, quality: int) -> "CountedEncoder":
        self.opened += 1
        if self.opened == self.go_at:
            self.go.set()
        return CountedEncoder(self, mp3, quality=quality)


class CountedEncoder(LameEncoder):
    def __init__(self, counted: Counted, mp3: Mp3Format, *, quality: int) -> None:
        super().__init__(mp3, quality=quality)
        self._counted = counted
        self._number = counted.opened

    def encode(self, pcm: bytes) -> bytes:
        self._counted.under_way += 1
        self._counted.begun.release()
        try:
            assert self._counted.go.wait(60)
            if self._counted.fail and self._number == 2:
                raise MemoryError
            return super().encode(pcm)
        finally:
            self._counted.under_way -= 1


@contextmanager
def several_threads(limits: UploadLimits | None = None, **fields: object) -> Iterator[Converter]:
    with a_converter(limits, FASTEST, threads=3) as converter:
        yield replace(converter, **fields)  # type: ignore[arg-type]


async def converted(converter: Converter, body: bytes, block_bytes: int = 65_536) -> Converted:
    return await finished(await converter.open(in_blocks(body, block_bytes)))


@pytest.mark.parametrize("data_size", [None, STREAMED])
@pytest.mark.parametrize("kind", KINDS)
def test_nothing_differs_but_the_bytes_of_frames(kind: dict[str, int], data_size: int | None) -> None:
    async def run() -> tuple[Converted, Converted, int]:
        body = wav(SECONDS, content="noise", data_size=data_size, **kind)
        counted = Counted(go_at=2)
        with several_threads(segments=eager, open_encoder=counted) as several:
            parallel = await converted(several, body)
        with a_converter(encoder=FASTEST) as one:
            return parallel, await converted(one, body), counted.opened

    parallel, serial, runs = asyncio.run(run())
    assert runs > 1
    assert (parallel.facts, parallel.result.first_frame) == (serial.facts, serial.result.first_frame)
    assert parallel.result.waveform.dat() == serial.result.waveform.dat()
    assert parallel.conversion.expected_bytes == serial.conversion.expected_bytes
    assert len(parallel.mp3) == len(serial.mp3)
    assert walk(parallel.mp3[len(parallel.result.first_frame) :]).problems == []


def test_a_fast_sender_gets_the_idle_threads() -> None:
    counted = Counted()

    async def run() -> None:
        with several_threads(segments=small, open_encoder=counted) as converter:
            conversion = await converter.open(in_blocks(music()))
            converting = asyncio.ensure_future(consumed(conversion))
            for _ in range(2):
                assert await asyncio.to_thread(counted.begun.acquire, timeout=60)
            assert counted.under_way == 2
            counted.go.set()
            await converting
            await conversion.aclose()

    asyncio.run(run())
    assert counted.opened >= 2


def test_a_slow_sender_has_one_run_and_holds_nothing() -> None:
    async def run() -> tuple[bytes, bytes, int]:
        held, body = 0, music()
        with several_threads(segments=small) as converter:
            conversion = await converter.open(unhurried(body, converter.cpu))
            frames = b""
            async for block in conversion.frames():
                frames += block
                held = max(held, conversion.held_bytes)
            await conversion.aclose()
            mp3 = conversion.result().first_frame + frames
        with a_converter(encoder=FASTEST) as one:
            return mp3, (await converted(one, body)).mp3, held

    slow, serial, held = asyncio.run(run())
    assert slow == serial
    assert held == 0


def test_while_other_threads_are_busy_there_is_one_run() -> None:
    go = threading.Event()

    async def run() -> tuple[bytes, bytes]:
        body = music()
        with several_threads(segments=small) as converter:
            others = [asyncio.ensure_future(converter.cpu(go.wait, 60)) for _ in range(2)]
            await asyncio.sleep(0)
            busy = await converted(converter, body)
            go.set()
            await asyncio.gather(*others)
        with a_converter(encoder=FASTEST) as one:
            return busy.mp3, (await converted(one, body)).mp3

    busy, serial = asyncio.run(run())
    assert busy == serial


@pytest.mark.parametrize("kind", KINDS)
def test_cancelling_in_mid_segment_waits_for_all_calls_and_leaves_none(kind: dict[str, int]) -> None:
    counted = Counted()

    async def run() -> None:
        with several_threads(segments=eager, open_encoder=counted) as converter:
            conversion = await converter.open(in_blocks(wav(SECONDS, **kind)))
            converting = asyncio.ensure_future(consumed(conversion))
            for _ in range(2):
                assert await asyncio.to_thread(counted.begun.acquire, timeout=60)
            for _ in range(3):
                converting.cancel()
                await asyncio.sleep(0)
            assert not converting.done()
            assert conversion.held_bytes > 0
            counted.go.set()
            with pytest.raises(asyncio.CancelledError):
                await converting
            assert converter.cpu.idle_threads == converter.cpu.width
            assert counted.under_way == conversion.held_bytes == 0
            assert decoders_running() == []
            await conversion.aclose()

    asyncio.run(run())


def test_what_the_sender_raises_ends_all_runs() -> None:
    async def broken(body: bytes) -> AsyncIterator[bytes]:
        async for block in in_blocks(body):
            yield block
        raise ConnectionError("the client is gone")

    counted = Counted(go_at=2)

    async def run() -> None:
        with several_threads(segments=eager, open_encoder=counted) as converter:
            conversion = await converter.open(broken(wav(SECONDS, data_size=STREAMED)))
            with pytest.raises(ConnectionError, match="the client is gone"):
                await consumed(conversion)
            assert converter.cpu.idle_threads == converter.cpu.width
            assert counted.under_way == conversion.held_bytes == 0
            await conversion.aclose()

    asyncio.run(run())


def test_an_encoder_that_fails_fails_the_conversion() -> None:
    counted = Counted(fail=True, go_at=2)

    async def run() -> None:
        with several_threads(segments=eager, open_encoder=counted) as converter:
            conversion = await converter.open(in_blocks(wav(SECONDS)))
            with pytest.raises(MemoryError):
                await consumed(conversion)
            assert converter.cpu.idle_threads == converter.cpu.width
            await conversion.aclose()

    asyncio.run(run())


@pytest.mark.parametrize("kind", KINDS)
def test_audio_that_is_too_long_is_refused(kind: dict[str, int]) -> None:
    with (
        several_threads(UploadLimits(max_duration_s=SECONDS - 1), segments=eager) as converter,
        pytest.raises(AudioTooLong, match="longer than 13 s"),
    ):
        asyncio.run(converted(converter, wav(SECONDS, data_size=STREAMED, **kind)))


def test_an_mp3_that_is_too_large_for_its_wav_is_refused() -> None:
    body = wav(samples=40_000, rate=16_000, channels=1, bits=8, data_size=0)
    with several_threads(segments=eager) as converter:
        asyncio.run(converted(converter, body))
        with pytest.raises(OutputTooLarge):
            asyncio.run(converted(converter, wav(samples=9_000, rate=2, channels=1, bits=8, data_size=0)))


def test_memory_is_bounded_for_a_sender_that_is_faster_than_all_threads() -> None:
    held: list[int] = []

    async def run() -> None:
        opened: list[Conversion] = []

        async def watched() -> AsyncIterator[bytes]:
            async for block in in_blocks(music(30)):
                held.extend(conversion.held_bytes for conversion in opened)
                yield block

        with several_threads(segments=small, open_encoder=Counted(go_at=2)) as converter:
            opened.append(await converter.open(watched()))
            await consumed(opened[0])
            assert opened[0].held_bytes == 0
            await opened[0].aclose()

    asyncio.run(run())
    limit = small(Mp3Format(44_100, 2, 128), 3).most_held_bytes
    assert 0 < max(held) <= limit + 2 * BATCH_BYTES


def test_many_parallel_conversions_do_not_mix() -> None:
    """Each has several runs, and they share the threads."""

    async def run() -> list[Converted]:
        with several_threads(segments=eager) as converter:
            bodies = [wav(SECONDS, content="noise", samples=44_100 * SECONDS + n) for n in range(4)]
            return await asyncio.gather(*[converted(converter, body) for body in bodies])

    done = asyncio.run(run())
    assert [one.facts.samples for one in done] == [44_100 * SECONDS + n for n in range(4)]
    assert all(walk(one.mp3[len(one.result.first_frame) :]).problems == [] for one in done)
