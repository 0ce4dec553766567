"""24-bit and float samples: unpacking in this process compared with decoding by an ffmpeg process, both into LAME.

python tests/bench/unpack.py [SECONDS] [CLIPS]

One long recording, then CLIPS recordings of one second, one after the other; everything on one core.
"""

import asyncio
import os
import sys
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Final

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
from codings import float_wav, packed
from converting import a_converter, finished, in_blocks
from factories import chunk, fmt_chunk, riff
from pigwav.audio.conversion import BATCH_BYTES
from pigwav.audio.decoder_process import decode
from pigwav.audio.decoders import Decoders
from pigwav.audio.ffmpeg import clean_header, find_ffmpeg
from pigwav.audio.lame import LameEncoder
from pigwav.audio.plan import Plan
from pigwav.audio.wav import HeaderWalk
from pigwav.executors import BoundedExecutor
from pigwav.settings import EncoderSettings

RATE_HZ: Final = 44_100
SETTINGS: Final = EncoderSettings()


def main(seconds: int = 120, clips: int = 40) -> None:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {0})
    for name, make in (("24-bit", s24), ("float", f32)):
        for many, length_s in ((1, seconds), (clips, 1)):
            wav = make(length_s)
            asyncio.run(in_process(wav))  # loads numpy before the measurement
            ours_s = _timed(in_process, wav, many)
            theirs_s = _timed(by_ffmpeg, wav, many)
            print(
                f"{name:6}  {many:3} x {length_s:3} s   in process {ours_s:6.2f} s   "
                f"by ffmpeg {theirs_s:6.2f} s   ratio {ours_s / theirs_s:.2f}"
            )


def _timed(convert, wav: bytes, many: int) -> float:
    began_s = time.perf_counter()
    for _ in range(many):
        asyncio.run(convert(wav))
    return time.perf_counter() - began_s


async def in_process(wav: bytes) -> None:
    with a_converter() as converter:
        await finished(await converter.open(in_blocks(wav)))


async def by_ffmpeg(wav: bytes) -> None:
    """Converts these samples with an external decoder, as the converter does for ADPCM."""
    header = HeaderWalk().feed(wav)
    assert header
    plan = Plan.of(header, SETTINGS, max_duration_s=3_600)
    lame = LameEncoder(plan.mp3, quality=plan.lame_quality)
    cpu = BoundedExecutor("cpu", width=1)
    argv = Decoders(find_ffmpeg(None), total=1).argv(header.format, plan.pcm, cpu_limit_s=60)
    data = _each(in_blocks(wav[header.data_offset :], BATCH_BYTES))
    async with aclosing(decode(argv, clean_header(header.format), data)) as decoded:
        async for pcm in decoded:
            await cpu(lame.encode, pcm)
    await cpu(lame.flush)
    cpu.close()


async def _each(blocks: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    async for block in blocks:
        yield block


def s24(seconds: int) -> bytes:
    values = np.rint(_music(seconds) * (1 << 23)).astype(np.int64)
    return riff(fmt_chunk(bits=24, rate=RATE_HZ) + chunk(b"data", packed(values, 3)))


def f32(seconds: int) -> bytes:
    return float_wav(_music(seconds).astype("<f4"), RATE_HZ).wav


def _music(seconds: int) -> np.ndarray:
    time_s = np.arange(seconds * RATE_HZ)[:, None] / RATE_HZ
    noise = np.random.default_rng(7).normal(0, 0.02, (seconds * RATE_HZ, 2))
    return 0.3 * np.sin(2 * np.pi * np.array([440, 660]) * time_s) + noise


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
