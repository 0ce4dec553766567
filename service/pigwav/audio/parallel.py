"""Encodes one stream of PCM with several encoders at a time, while threads are idle."""

import asyncio
import sys
from bisect import bisect_right
from collections.abc import Callable
from typing import Final

from pigwav.audio.lame import Encoder
from pigwav.audio.segments import Segments
from pigwav.audio.splice import FrameBuffer, SeamRule, find_seam, join
from pigwav.executors import BoundedExecutor, run_to_completion

Prepare = Callable[[bytes], bytes]
"""Makes the PCM of a block: whole samples, perhaps none. Called in the executor, in order, one call at a time."""

_SERIAL_CALL_BYTES: Final = 16 * 1024
"""For a stream with one encoder: a thousand slow uploads may each have one, and it holds twice these bytes."""


class ParallelEncoder:
    """Turns blocks into MP3 frames, in order. For one event loop.

    Call `feed` for each block, `drain`, then `flush`; call `aclose` in any case. If all threads are busy, or if the
    sender is slower than one encoder, there is one run from the beginning to the end.
    """

    def __init__(
        self,
        segments: Segments,
        open_encoder: Callable[[], Encoder],
        cpu: BoundedExecutor,
        *,
        seam_rule: SeamRule = find_seam,
    ) -> None:
        self._segments = segments
        self._open_encoder = open_encoder
        self._cpu = cpu
        self._seam_rule = seam_rule
        self._pcm = _Pcm()
        self._runs = [self._new_run(first=0)]
        self._calls: set[asyncio.Task[None]] = set()
        self._joined: list[bytes] = []

    @property
    def held_bytes(self) -> int:
        """PCM that no run has read yet, or that a run may have to read again."""
        return self._pcm.end - self._pcm.start

    async def feed(self, prepare: Prepare, block: bytes) -> bytes:
        """Encodes the PCM of the next block; returns the frames that are ready. Raises what `prepare` raises.

        Returns before the block is encoded if the next one can be used meanwhile.
        """
        self._check_calls()
        if not self._is_at_work and not self._reads_ahead(calls=1):
            await self._cpu(self._encode_at_once, prepare, block)
            return self._ready()
        self._pcm.append(await self._cpu(prepare, block))
        self._open_run_if_useful()
        self._go_on()
        while self._is_at_work and not self._reads_ahead():
            await self._next_call_ends()
        return self._ready()

    async def drain(self) -> bytes:
        """Returns when all PCM is encoded and all runs are joined, with the frames that are ready."""
        while self._is_at_work:
            await self._next_call_ends()
        return self._ready()

    def flush(self) -> bytes:
        """The remaining frames. Blocks; called once, after `drain`."""
        [run] = self._runs
        return run.encoder.flush()

    async def aclose(self) -> None:
        """When this ends, no call is under way, and no PCM is held."""
        if self._calls:
            await run_to_completion(self._cancel_calls())

    async def _cancel_calls(self) -> None:
        for call in self._calls:
            call.cancel()
        await asyncio.gather(*self._calls, return_exceptions=True)
        self._pcm.drop_before(self._pcm.end)

    def _encode_at_once(self, prepare: Prepare, block: bytes) -> None:
        """Prepares and encodes in one call. Nothing else is under way."""
        [run] = self._runs
        self._pcm.append(prepare(block))
        while pcm := self._read(run, most_bytes=_SERIAL_CALL_BYTES):
            run.take(run.encoder.encode(pcm))
        self._drop_pcm()

    @property
    def _is_at_work(self) -> bool:
        return any(run.is_busy or self._has_pcm(run) for run in self._runs)

    def _reads_ahead(self, *, calls: int = 0) -> bool:
        """`calls`: how many more calls will be under way then."""
        return self._segments.reads_ahead(
            held_bytes=self.held_bytes, runs=len(self._runs), idle_threads=self._cpu.idle_threads - calls
        )

    async def _next_call_ends(self) -> None:
        await asyncio.wait(self._calls, return_when=asyncio.FIRST_COMPLETED)
        self._check_calls()
        self._open_run_if_useful()
        self._go_on()

    def _check_calls(self) -> None:
        """Raises the error of a call that has failed."""
        done = {call for call in self._calls if call.done()}
        self._calls -= done
        for call in done:
            call.result()

    def _open_run_if_useful(self) -> None:
        newest, segments = self._runs[-1], self._segments
        if segments.opens(
            read_bytes=newest.read_bytes,
            arrived_bytes=self._pcm.end,
            runs=len(self._runs),
            idle_threads=self._cpu.idle_threads,
        ):
            first = segments.handover(newest.read_bytes)
            newest.stop_bytes = (first + segments.reach) * segments.frame_bytes
            self._runs.append(self._new_run(first))

    def _go_on(self) -> None:
        """Joins runs, and lets each idle run encode the PCM that has arrived for it."""
        while len(self._runs) > 1 and self._join_first_two():
            pass
        for run in self._runs:
            if not run.is_busy and (pcm := self._read(run)):
                self._calls.add(asyncio.create_task(self._encode(run, pcm)))
        self._drop_pcm()

    def _join_first_two(self) -> bool:
        """Joins the two oldest runs, if both have encoded the overlap. Whether anything has changed.

        If there is no seam, the earlier run goes on through the later one's PCM, and in the end replaces it.
        """
        earlier, later = self._runs[:2]
        if earlier.encoded_bytes != earlier.stop_bytes or later.encoded_bytes < earlier.encoded_bytes:
            return False
        seam = self._seam_rule(earlier.frames, later.frames)
        if seam is not None:
            self._joined.append(join(earlier.frames, later.frames, seam))
            self._runs.remove(earlier)
            return True
        if later.encoded_bytes > earlier.encoded_bytes:
            step = self._segments.extension * self._segments.frame_bytes
            earlier.stop_bytes = min(earlier.stop_bytes + step, later.encoded_bytes)
            return False
        if later.is_busy or self._has_pcm(later):
            return False
        earlier.stop_bytes = later.stop_bytes
        self._runs.remove(later)
        return True

    async def _encode(self, run: "_Run", pcm: bytes) -> None:
        run.take(await self._cpu(run.encoder.encode, pcm))
        self._go_on()

    def _has_pcm(self, run: "_Run") -> bool:
        return run.read_bytes < self._pcm.end and run.read_bytes != run.stop_bytes

    def _read(self, run: "_Run", *, most_bytes: int = sys.maxsize) -> bytes:
        """The next PCM for `run`, at most one block; empty if nothing has arrived."""
        if not self._has_pcm(run):
            return b""
        stop = self._pcm.end if run.stop_bytes is None else run.stop_bytes
        pcm = self._pcm.read(run.read_bytes, min(stop, run.read_bytes + most_bytes))
        run.read_bytes += len(pcm)
        return pcm

    def _drop_pcm(self) -> None:
        """Drops what all runs have read."""
        self._pcm.drop_before(min(run.read_bytes for run in self._runs))

    def _ready(self) -> bytes:
        """The frames that no later run can change: all of them, or those before the next run begins."""
        oldest, *later = self._runs
        frames = oldest.frames
        self._joined.append(frames.take_before(later[0].frames.first) if later else frames.take_all())
        ready = b"".join(self._joined)
        self._joined.clear()
        return ready

    def _new_run(self, first: int) -> "_Run":
        segments = self._segments
        frames = FrameBuffer(segments.mp3, first)
        return _Run(self._open_encoder(), frames, read_bytes=first * segments.frame_bytes)


class _Run:
    """One encoder, and the frames that it has made. Positions are in bytes of the stream's PCM.

    `read_bytes`: what it has been given; `encoded_bytes`: what it has encoded. `stop_bytes`: where it hands over; None
    for the newest run.
    """

    def __init__(self, encoder: Encoder, frames: FrameBuffer, *, read_bytes: int) -> None:
        self.encoder: Final = encoder
        self.frames: Final = frames
        self.read_bytes = read_bytes
        self.encoded_bytes = read_bytes
        self.stop_bytes: int | None = None

    @property
    def is_busy(self) -> bool:
        return self.read_bytes > self.encoded_bytes

    def take(self, frames: bytes) -> None:
        """Takes the frames that the encoder returned for the PCM that it was given."""
        self.frames.append(frames)
        self.encoded_bytes = self.read_bytes


class _Pcm:
    """The part of a stream from `start` to `end`, in the blocks in which it came. Positions are in bytes."""

    def __init__(self) -> None:
        self.end = 0
        self._blocks: list[bytes] = []
        self._starts: list[int] = []

    @property
    def start(self) -> int:
        return self._starts[0] if self._starts else self.end

    def append(self, block: bytes) -> None:
        if block:
            self._blocks.append(block)
            self._starts.append(self.end)
            self.end += len(block)

    def read(self, start: int, stop: int) -> bytes:
        """From `start` to `stop`, or to the end of a block."""
        index = bisect_right(self._starts, start) - 1
        first = self._starts[index]
        return self._blocks[index][start - first : stop - first]

    def drop_before(self, position: int) -> None:
        """Forgets the blocks that end before `position`."""
        count = bisect_right(self._starts, position) - 1 if position < self.end else len(self._blocks)
        del self._blocks[:count], self._starts[:count]
