"""Memory of PigWav's own processes (PSS) and CPU time of downloads, with each allocator: jemalloc, if there is one, and
glibc's.

python tests/bench/memory.py [SLOW_UPLOADS] [LONG_SECONDS]

PIGWAV_JEMALLOC=/path measures that library.
"""

import os
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).parents[1]))
from bench.harness import BLOCK_BYTES, RunningPigWav, answered, mib, music, running_pigwav
from pigwav.allocator import find_jemalloc

SETTLED_S: Final = 1.0
AFTER_S: Final = 3.0
"""Time in which both allocators return what they have freed."""

LIMITS: Final = {"PIGWAV_MAX_OPEN_UPLOADS": "2000", "PIGWAV_IDLE_TIMEOUT_S": "3600"}
"""All uploads come from one address, and on a busy machine it takes minutes until they are open."""

AT_ONCE: Final = 8
AT_ONCE_S: Final = 600  # 106 MB
DOWNLOAD_S: Final = 328  # 5 MiB of MP3
DOWNLOADS: Final = 300
CONNECTIONS: Final = 4


def main(slow: int = 500, long_s: float = 3600) -> None:
    named = os.environ.pop("PIGWAV_JEMALLOC", "auto")
    library = find_jemalloc(named)
    allocators = {"glibc": "off", **({"jemalloc": library} if library else {})}
    columns: list[list[tuple[str, str]]] = []
    for name, choice in allocators.items():
        columns.append([])
        for what, value in _measured(slow, long_s, **LIMITS, PIGWAV_JEMALLOC=choice):
            print(f"{name}: {what}: {value}", flush=True)
            columns[-1].append((what, value))
    print(_table(["", *allocators], columns))


def _measured(slow: int, long_s: float, **environment: str) -> Iterator[tuple[str, str]]:
    with running_pigwav(**environment) as pigwav:
        pigwav.upload(music(5))  # the first upload loads the modules that every upload needs
        time.sleep(AFTER_S)
        idle = pigwav.pss_bytes()
        yield "idle, all own processes", mib(idle)
        for seconds in (60, long_s):
            peak = _peak_while_open(pigwav, music(seconds))
            yield f"one upload of {seconds:g} s open, over idle (the bound is 24 MiB)", mib(peak - idle)
        yield f"CPU of a GET of 5 MiB, {CONNECTIONS} connections", f"{_download_cpu_ms(pigwav):.1f} ms"
        yield f"{AT_ONCE} uploads of 106 MB at once", mib(_peak_at_once(pigwav))
    with running_pigwav(**environment) as pigwav:
        pigwav.upload(music(5))
        time.sleep(AFTER_S)
        idle = pigwav.pss_bytes()
        held = _held_by_slow_ones(pigwav, slow)
        yield f"{slow} slow uploads, half a minute of 16 kHz mono received, each", _kib((held - idle) / slow)
        time.sleep(AFTER_S)
        yield "left of them, over idle", mib(pigwav.pss_bytes() - idle)


def _peak_while_open(pigwav: RunningPigWav, audio: bytes) -> int:
    """The highest PSS between blocks of the upload, in bytes."""
    connection = pigwav.connect()
    pigwav.send_head(connection, len(audio))
    peak = 0
    step = max(BLOCK_BYTES, len(audio) // 100)
    for start in range(0, len(audio), step):
        connection.send(memoryview(audio)[start : start + step])
        peak = max(peak, pigwav.pss_bytes())
    answered(connection)
    return peak


def _peak_at_once(pigwav: RunningPigWav) -> int:
    """The highest PSS during several fast uploads, in bytes."""
    audio, peak = music(AT_ONCE_S), 0
    with ThreadPoolExecutor(AT_ONCE) as clients:
        uploads = [clients.submit(pigwav.upload, audio) for _ in range(AT_ONCE)]
        while not all(upload.done() for upload in uploads):
            peak = max(peak, pigwav.pss_bytes())
            time.sleep(0.2)
    for upload in uploads:
        upload.result()
    return peak


def _download_cpu_ms(pigwav: RunningPigWav) -> float:
    link = urlsplit(pigwav.upload(music(DOWNLOAD_S)).recording["url"])

    def download(count: int) -> None:
        connection = pigwav.connect()
        for _ in range(count):
            connection.request("GET", f"{link.path}?{link.query}")
            connection.getresponse().read()
        connection.close()

    with ThreadPoolExecutor(CONNECTIONS) as clients:
        before_s = pigwav.cpu_s()
        [*clients.map(download, [DOWNLOADS // CONNECTIONS] * CONNECTIONS)]
    return (pigwav.cpu_s() - before_s) / DOWNLOADS * 1000


def _held_by_slow_ones(pigwav: RunningPigWav, count: int) -> int:
    """PSS while `count` one-minute voice recordings are half uploaded, in bytes. Then uploads the rest."""
    audio = music(60, rate_hz=16000, channels=1)
    half = len(audio) // 2
    connections = []
    for _ in range(count):
        connection = pigwav.connect()
        pigwav.send_head(connection, len(audio))
        connection.send(memoryview(audio)[:half])
        connections.append(connection)
    _until_quiet(pigwav)
    time.sleep(AFTER_S)
    held = pigwav.pss_bytes()
    for connection in connections:
        connection.send(memoryview(audio)[half:])
    for connection in connections:
        answered(connection)
    return held


def _until_quiet(pigwav: RunningPigWav) -> None:
    """Waits until the encoder is idle."""
    before = -1.0
    while (now := pigwav.cpu_s()) - before > 0.02:
        before = now
        time.sleep(SETTLED_S)


def _kib(count: float) -> str:
    return f"{count / 1024:.0f} KiB"


def _table(head: Sequence[str], columns: Sequence[Sequence[tuple[str, str]]]) -> str:
    rows = [(name, *(column[at][1] for column in columns)) for at, (name, _) in enumerate(columns[0])]
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    main(*(int(a) if i == 0 else float(a) for i, a in enumerate(sys.argv[1:])))
