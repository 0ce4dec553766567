"""Memory of PigWav's own processes (PSS), with each allocator.

python -m tests.bench --only memory
"""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from bench.harness import BLOCK_BYTES, RunningPigWav, answered, music, running_pigwav
from bench.material import Material
from bench.results import Result, Target

SETTLED_S: Final = 1.0
AFTER_S: Final = 3.0
"""Time in which both allocators return what they have freed."""
AT_ONCE: Final = 8
AT_ONCE_S: Final = 600  # 106 MB
SLOW: Final = 500
ROOM: Final = {"PIGWAV_MAX_OPEN_UPLOADS": "600"}
MIB: Final = 2**20


def results(material: Material, *, quick: bool) -> Iterator[Result]:
    slow, long_s = (100, 600) if quick else (SLOW, 3600)
    for name, environment in material.allocators.items():
        with running_pigwav(**environment) as pigwav:
            pigwav.upload(material.wav(5))  # the first upload loads the modules that every upload needs
            time.sleep(AFTER_S)
            idle = pigwav.pss_bytes()
            yield _mib("idle, all own processes", name, idle, 140)
            for seconds in (60, long_s):
                peak = _peak_while_open(pigwav, material.wav(seconds))
                yield _mib(f"one upload of {seconds} s open, over idle", name, peak - idle, 28)
            yield _mib(f"{AT_ONCE} uploads of 106 MB at once", name, _peak_at_once(pigwav, material), 230)
        with running_pigwav(**environment, **ROOM) as pigwav:
            pigwav.upload(material.wav(5))
            time.sleep(AFTER_S)
            idle = pigwav.pss_bytes()
            held = _held_by_slow_ones(pigwav, slow)
            yield _mib(f"each of {slow} slow uploads", name, (held - idle) / slow, 0.8)
            time.sleep(AFTER_S)
            yield _mib("left of them, over idle", name, pigwav.pss_bytes() - idle, None)


def _mib(what: str, allocator: str, count: float, most: float | None) -> Result:
    """`most`: the target with jemalloc; without it, memory is only reported."""
    target = Target(most) if most is not None and allocator == "jemalloc" else None
    return Result.of(f"{what} ({allocator})", "MiB", target, PigWav=[count / MIB])


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


def _peak_at_once(pigwav: RunningPigWav, material: Material) -> int:
    """The highest PSS during several fast uploads, in bytes."""
    audio, peak = material.wav(AT_ONCE_S), 0
    with ThreadPoolExecutor(AT_ONCE) as clients:
        uploads = [clients.submit(pigwav.upload, audio) for _ in range(AT_ONCE)]
        while not all(upload.done() for upload in uploads):
            peak = max(peak, pigwav.pss_bytes())
            time.sleep(0.2)
    for upload in uploads:
        upload.result()
    return peak


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
