"""One recording on all cores, compared in one run with one encoder and with the bundled ffmpeg: wall time and CPU time.

python tests/bench/parallel.py [WAV] [ROUNDS]

Converts in this process, without HTTP, database and store; then eight recordings at once. WAV: 16-bit samples; without
it, ten minutes of synthetic music. A ratio is to ffmpeg in the same round.
"""

import asyncio
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

import imageio_ffmpeg

sys.path.insert(0, str(Path(__file__).parents[1]))
from bench.harness import music
from converting import a_converter, in_blocks
from pigwav.audio.conversion import Converter
from pigwav.audio.mp3 import Mp3Format
from pigwav.audio.segments import Segments

AT_ONCE: Final = 8
THREADS: Final = os.cpu_count() or 1


def main(wav: str = "", rounds: int = 3) -> None:
    body = Path(wav).read_bytes() if wav else music(600)
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "in.wav")
        source.write_bytes(body)
        ways: dict[str, Callable[[int], None]] = {
            "ffmpeg": lambda count: by_ffmpeg(source, count),
            "one encoder": lambda count: by_us(body, count, one_run),
            "all cores": lambda count: by_us(body, count, Segments.for_threads),
        }
        for count in (1, AT_ONCE):
            print(f"{count} at once, {THREADS} cores, median of {rounds}")
            found = [{name: measured(way, count) for name, way in ways.items()} for _ in range(rounds)]
            for name in ways:
                print_row(name, [row[name] for row in found], [row["ffmpeg"] for row in found])


def one_run(mp3: Mp3Format, threads: int) -> Segments:
    return replace(Segments.for_threads(mp3, threads), most_runs=1)


def by_us(body: bytes, count: int, segments: Callable[[Mp3Format, int], Segments]) -> None:
    async def all_of_them() -> None:
        with a_converter(threads=THREADS) as converter:
            same = replace(converter, segments=segments)
            await asyncio.gather(*[convert(same, body) for _ in range(count)])

    asyncio.run(all_of_them())


async def convert(converter: Converter, body: bytes) -> None:
    conversion = await converter.open(in_blocks(body))
    async for _ in conversion.frames():
        pass
    await conversion.aclose()


def by_ffmpeg(source: Path, count: int) -> None:
    command = [
        imageio_ffmpeg.get_ffmpeg_exe(),
        "-nostdin",
        "-loglevel",
        "error",
        "-i",
        source,
        "-f",
        "mp3",
        "-y",
    ]
    running = [subprocess.Popen([*command, os.devnull]) for _ in range(count)]
    for process in running:
        process.wait()


def measured(way: Callable[[int], None], count: int) -> tuple[float, float]:
    """Wall and CPU seconds."""
    began_s, cpu_s = time.perf_counter(), cpu_now_s()
    way(count)
    return time.perf_counter() - began_s, cpu_now_s() - cpu_s


def cpu_now_s() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def print_row(name: str, rows: list[tuple[float, float]], ffmpeg: list[tuple[float, float]]) -> None:
    wall_s, cpu_s = (statistics.median(row[i] for row in rows) for i in (0, 1))
    ratios = [row[0] / other[0] for row, other in zip(rows, ffmpeg, strict=True)]
    print(
        f"  {name:12} wall {wall_s:6.2f} s   CPU {cpu_s:6.2f} s   ratio {statistics.median(ratios):.2f} "
        f"({min(ratios):.2f} to {max(ratios):.2f})",
        flush=True,
    )


if __name__ == "__main__":
    main(*(a if i == 0 else int(a) for i, a in enumerate(sys.argv[1:])))
