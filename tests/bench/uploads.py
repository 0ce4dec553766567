"""Uploads of music: against the bundled ffmpeg, with a busy core, several at once, and at the speed of a network.

python -m tests.bench --only uploads
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import imageio_ffmpeg

from bench import parallel
from bench.harness import running_pigwav
from bench.material import Material
from bench.results import Result, Target
from pigwav.audio.segments import Segments

AT_ONCE: Final = 8
SECONDS: Final = 600
PACES_MBIT_PER_S: Final = (20, 50)
_SPIN: Final = "while True: pass"


def results(material: Material, *, quick: bool) -> Iterator[Result]:
    yield from against_ffmpeg(material, rounds=3 if quick else 5)
    lengths = (1, 10, 60, SECONDS)
    yield from by_length(material, lengths if quick else (*lengths, 3600), rounds=2 if quick else 3)
    yield from by_cores(material, rounds=2)
    yield from several_at_once(material, rounds=1 if quick else 3)
    yield from paced(material, {60: 3, SECONDS: 1} if quick else {60: 5, SECONDS: 2, 3600: 1})


def against_ffmpeg(material: Material, *, rounds: int) -> Iterator[Result]:
    """From the first byte to the link; the comparison is a file that is on this machine already."""
    wav = material.wav(SECONDS)
    for busy, targets in ((0, (0.80, 0.85)), (1, (1.25, 1.25))):
        with ExitStack() as stack, tempfile.TemporaryDirectory() as folder:
            running = {
                name: stack.enter_context(running_pigwav(**environment))
                for name, environment in material.allocators.items()
            }
            took: dict[str, list[float]] = {name: [] for name in ("ffmpeg", *running)}
            with busy_cores(busy):
                for _ in range(rounds):
                    took["ffmpeg"].append(ffmpeg_s(wav, Path(folder)))
                    for name, pigwav in running.items():
                        took[name].append(pigwav.upload(wav).total_s)
            for name in running:
                yield Result.of(
                    f"{SECONDS} s of music, first byte to link{', one core busy' if busy else ''} ({name})",
                    "s",
                    Target(targets[name == "plain"]),
                    PigWav=took[name],
                    ffmpeg=took["ffmpeg"],
                )


def by_length(material: Material, lengths: Sequence[int], *, rounds: int) -> Iterator[Result]:
    """`lengths`: in seconds."""
    with running_pigwav() as pigwav, tempfile.TemporaryDirectory() as folder:
        for seconds in lengths:
            wav, ours, theirs = material.wav(seconds), [], []
            pigwav.upload(wav)
            for _ in range(rounds):
                theirs.append(ffmpeg_s(wav, Path(folder)))
                ours.append(pigwav.upload(wav).total_s)
            yield Result.of(f"{seconds} s of music", "s", None, PigWav=ours, ffmpeg=theirs)


def by_cores(material: Material, *, rounds: int) -> Iterator[Result]:
    """All processes, clients included, have so many cores."""
    wav = material.wav(SECONDS)
    allowed = sorted(os.sched_getaffinity(0))
    for cores in range(1, min(len(allowed), 4) + 1):
        os.sched_setaffinity(0, allowed[:cores])
        try:
            with running_pigwav() as pigwav, tempfile.TemporaryDirectory() as folder:
                ours, theirs = [], []
                for _ in range(rounds):
                    theirs.append(ffmpeg_s(wav, Path(folder)))
                    ours.append(pigwav.upload(wav).total_s)
        finally:
            os.sched_setaffinity(0, allowed)
        yield Result.of(
            f"{SECONDS} s of music on {cores} core{'s' * (cores > 1)}", "s", None, PigWav=ours, ffmpeg=theirs
        )


def several_at_once(material: Material, *, rounds: int) -> Iterator[Result]:
    """Conversions in this process. The comparison encodes each recording in one piece."""
    wav, ours, theirs = material.wav(SECONDS // 2), [], []
    for _ in range(rounds):
        theirs.append(
            parallel.measured(lambda count: parallel.by_us(wav, count, parallel.one_run), AT_ONCE)[0]
        )
        ours.append(
            parallel.measured(lambda count: parallel.by_us(wav, count, Segments.for_threads), AT_ONCE)[0]
        )
    yield Result.of(
        f"{AT_ONCE} conversions of {SECONDS // 2} s of music at once",
        "s",
        Target(1.02),
        PigWav=ours,
        serial_encoding=theirs,
    )


def paced(material: Material, rounds_of: Mapping[int, int]) -> Iterator[Result]:
    """Milliseconds from the last byte to the link. `rounds_of`: how often each length, in seconds."""
    with running_pigwav() as pigwav:
        for seconds, rounds in rounds_of.items():
            wav = material.wav(seconds)
            for mbit_per_s in PACES_MBIT_PER_S:
                waits = [pigwav.upload(wav, bits_per_s=mbit_per_s * 1e6).answer_s for _ in range(rounds)]
                yield Result.of(
                    f"{seconds} s of music at {mbit_per_s} Mbit/s, last byte to link",
                    "ms",
                    Target(100),
                    PigWav=[wait * 1000 for wait in waits],
                )


@contextmanager
def busy_cores(count: int) -> Iterator[None]:
    """So many programs that never wait."""
    spinning = [subprocess.Popen([sys.executable, "-c", _SPIN]) for _ in range(count)]
    try:
        yield
    finally:
        for process in spinning:
            process.kill()
            process.wait()


def ffmpeg_s(wav: bytes, folder: Path) -> float:
    """Seconds of `ffmpeg -i in.wav out.mp3` with the bundled ffmpeg."""
    source, target = folder / "in.wav", folder / "out.mp3"
    if not source.exists() or source.stat().st_size != len(wav):
        source.write_bytes(wav)
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-loglevel", "error", "-y", "-i", source, target]
    began_s = time.perf_counter()
    subprocess.run(command, check=True)
    return time.perf_counter() - began_s
