"""Encodes PCM by the service's ParallelEncoder with chosen cuts, remembers its runs and seams, and checks them."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import pairwise

from mp3_walker import Walk, walk
from pigwav.audio.lame import LameEncoder
from pigwav.audio.mp3 import Mp3Format, Mp3Shape
from pigwav.audio.parallel import ParallelEncoder
from pigwav.audio.segments import Segments
from pigwav.audio.splice import FrameBuffer, SeamRule, find_seam
from pigwav.executors import BoundedExecutor

THREADS = 3
FAST = 7


class Eager(Segments):
    """Hands over whenever a whole segment waits, and reads ahead; busy threads make no difference."""

    def opens(self, *, read_bytes: int, arrived_bytes: int, runs: int, idle_threads: int) -> bool:
        return super().opens(
            read_bytes=read_bytes, arrived_bytes=arrived_bytes, runs=runs, idle_threads=max(1, idle_threads)
        )

    def reads_ahead(self, *, held_bytes: int, runs: int, idle_threads: int) -> bool:
        return super().reads_ahead(held_bytes=held_bytes, runs=runs, idle_threads=max(1, idle_threads))


def eager(mp3: Mp3Format) -> Eager:
    return Eager(mp3, segment=49, most_runs=8)


def block_frames(segments: Segments) -> int:
    """The smallest block with which each `feed` opens a run."""
    return segments.least + segments.mp3.slot_period


def samples_for(segments: Segments, *, seams: int) -> int:
    """So many samples that there are so many seams; not whole frames."""
    return (seams * block_frames(segments) + 5) * segments.mp3.frame_samples - 77


class RecordedRun(LameEncoder):
    """LAME, and a copy of all that it has returned."""

    def __init__(self, mp3: Mp3Format, *, quality: int) -> None:
        super().__init__(mp3, quality=quality)
        self.frames = b""

    def encode(self, pcm: bytes) -> bytes:
        frames = super().encode(pcm)
        self.frames += frames
        return frames

    def flush(self) -> bytes:
        frames = super().flush()
        self.frames += frames
        return frames


@dataclass(frozen=True)
class Seam:
    """`frame`: from which on the later run's frames are taken; `later_first`: the number of that run's first frame."""

    frame: int
    later_first: int


@dataclass
class Encoded:
    frames: bytes = b""
    runs: list[RecordedRun] = field(default_factory=list)
    firsts: set[int] = field(default_factory=lambda: {0})
    """The numbers of the first frames of all runs."""
    seams: list[Seam] = field(default_factory=list)

    def run_from(self, first: int) -> RecordedRun:
        return dict(zip(sorted(self.firsts), self.runs, strict=True))[first]


def encoded(
    pcm: bytes,
    segments: Segments,
    *,
    blocks: Iterable[int] = (),
    quality: int = FAST,
    seam_rule: SeamRule = find_seam,
) -> Encoded:
    """`blocks`: samples of each block; the rest comes in blocks with which each `feed` opens a run."""
    done = Encoded()

    def open_run() -> RecordedRun:
        done.runs.append(RecordedRun(segments.mp3, quality=quality))
        return done.runs[-1]

    def remembered(earlier: FrameBuffer, later: FrameBuffer) -> int | None:
        done.firsts.add(later.first)
        seam = seam_rule(earlier, later)
        if seam is not None:
            done.seams.append(Seam(seam, later.first))
        return seam

    done.frames = asyncio.run(_encoded(pcm, segments, open_run, remembered, blocks))
    return done


async def _encoded(
    pcm: bytes,
    segments: Segments,
    open_run: Callable[[], RecordedRun],
    seam_rule: SeamRule,
    blocks: Iterable[int],
) -> bytes:
    cpu = BoundedExecutor("cpu", width=THREADS)
    encoder = ParallelEncoder(segments, open_run, cpu, seam_rule=seam_rule)
    try:
        parts = [await encoder.feed(bytes, block) for block in _cut(pcm, segments, blocks)]
        parts.append(await encoder.drain())
        return b"".join([*parts, encoder.flush()])
    finally:
        await encoder.aclose()
        cpu.close()


def _cut(pcm: bytes, segments: Segments, blocks: Iterable[int]) -> Iterable[bytes]:
    at, sample_bytes = 0, 2 * segments.mp3.channels
    for samples in blocks:
        yield pcm[at : at + samples * sample_bytes]
        at += samples * sample_bytes
    step = block_frames(segments) * segments.frame_bytes
    yield from (pcm[start : start + step] for start in range(at, len(pcm), step))


def check(done: Encoded, segments: Segments, samples: int) -> Walk:
    """Whether a decoder can follow the frames, and each has the main data that its own run gave it."""
    shape, found = Mp3Shape.of(samples, segments.mp3), walk(done.frames)
    assert found.problems == []
    assert (len(done.frames), len(found.frames)) == (shape.audio_bytes, shape.frames)
    assert found.payloads == payloads_of_runs(done, shape.frames)
    return found


def payloads_of_runs(done: Encoded, frames: int) -> list[tuple[int, int]]:
    """Of each run that was joined, from its seam to the next one."""
    payloads: list[tuple[int, int]] = []
    seams = [Seam(0, 0), *done.seams, Seam(frames, 0)]
    for seam, next_seam in pairwise(seams):
        own = walk(done.run_from(seam.later_first).frames, unfinished=True).payloads
        payloads += own[seam.frame - seam.later_first : next_seam.frame - seam.later_first]
    return payloads
