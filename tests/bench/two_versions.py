"""Compares this PigWav with another version in one run: the same uploads, downloads and small requests on each.

python tests/bench/two_versions.py OTHER_PYTHON [ROUNDS]

OTHER_PYTHON: the interpreter of a virtual environment with the other version. Each figure is the median of all rounds.
A ratio is this version divided by the other one, round by round: below 1, this version is faster or smaller.
"""

import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from bench.harness import RunningPigWav, mib, music, running_pigwav

SMALL_REQUESTS = 300
DOWNLOADS = 20


def measures(audio: bytes, clip: bytes) -> Iterator[tuple[str, Callable[[RunningPigWav], float]]]:
    """Yields the name with the unit, and the function that measures it."""
    yield f"upload of {len(audio) // 2**20} MiB, s", lambda pigwav: pigwav.upload(audio).total_s
    yield "upload of 1 s, ms", lambda pigwav: 1000 * pigwav.upload(clip).total_s
    yield "CPU of that long upload, s", lambda pigwav: cpu_of(pigwav, lambda: pigwav.upload(audio))
    yield f"{DOWNLOADS} downloads, ms", lambda pigwav: 1000 * download(pigwav, audio)
    yield f"{SMALL_REQUESTS} x GET /users/me, ms", lambda pigwav: 1000 * small_requests(pigwav)


def cpu_of(pigwav: RunningPigWav, work: Callable[[], object]) -> float:
    before_s = pigwav.cpu_s()
    work()
    return pigwav.cpu_s() - before_s


def download(pigwav: RunningPigWav, audio: bytes) -> float:
    link = pigwav.upload(audio).recording["url"].removeprefix(pigwav.url)
    connection = pigwav.connect()
    began_s = time.perf_counter()
    for _ in range(DOWNLOADS):
        connection.request("GET", link)
        connection.getresponse().read()
    return time.perf_counter() - began_s


def small_requests(pigwav: RunningPigWav) -> float:
    connection = pigwav.connect()
    began_s = time.perf_counter()
    for _ in range(SMALL_REQUESTS):
        connection.request("GET", "/users/me", headers={"Authorization": f"Bearer {pigwav.token}"})
        connection.getresponse().read()
    return time.perf_counter() - began_s


def main(other_python: str, rounds: int = 7) -> None:
    with running_pigwav() as this, running_pigwav(python=other_python) as other:
        for pigwav in (this, other):
            pigwav.upload(music(1))  # the first upload loads modules
        for name, measure in measures(music(60), music(1)):
            pairs = [(measure(this), measure(other)) for _ in range(rounds)]
            print_error(name, [a for a, _ in pairs], [b for _, b in pairs])
        print(f"memory (PSS) now: {mib(this.pss_bytes())}, the other {mib(other.pss_bytes())}")


def print_error(name: str, this: Sequence[float], other: Sequence[float]) -> None:
    ratios = [a / b for a, b in zip(this, other, strict=True)]
    print(
        f"{name}: {statistics.median(this):.3f}, the other {statistics.median(other):.3f}, "
        f"ratio {statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f})",
        flush=True,
    )


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
