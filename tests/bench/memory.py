"""Memory of PigWav's own processes (PSS): idle, with one open upload, with hundreds of slow uploads.

python tests/bench/memory.py [SLOW_UPLOADS] [LONG_SECONDS]
"""

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from bench.harness import BLOCK_BYTES, RunningPigWav, answered, mib, music, running_pigwav

SETTLED_S = 1.0


def main(slow: int = 500, long_s: float = 3600) -> None:
    with running_pigwav() as pigwav:
        pigwav.upload(music(5))  # the first upload loads the modules that every upload needs
        idle = pigwav.pss_bytes()
        print(f"idle: {mib(idle)}")
        for seconds in (60, long_s):
            peak = _peak_while_open(pigwav, music(seconds))
            print(
                f"one upload of {seconds:g} s open: {mib(peak - idle)} over idle (the bound is 24 MiB)",
                flush=True,
            )
    with running_pigwav() as pigwav:
        pigwav.upload(music(5))
        _slow_ones(pigwav, slow)


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


def _slow_ones(pigwav: RunningPigWav, count: int) -> None:
    """Prints the memory of `count` one-minute voice recordings, each half uploaded at the same time."""
    audio = music(60, rate_hz=16000, channels=1)
    half = len(audio) // 2
    idle = pigwav.pss_bytes()
    connections = []
    for _ in range(count):
        connection = pigwav.connect()
        pigwav.send_head(connection, len(audio))
        connection.send(memoryview(audio)[:half])
        connections.append(connection)
    _until_quiet(pigwav)
    each = (pigwav.pss_bytes() - idle) / count
    print(
        f"{count} slow uploads open, half a minute of 16 kHz mono received of each: {each / 1024:.0f} KiB each"
    )
    for connection in connections:
        connection.send(memoryview(audio)[half:])
    for connection in connections:
        answered(connection)


def _until_quiet(pigwav: RunningPigWav) -> None:
    """Waits until the encoder is idle."""
    before = -1.0
    while (now := pigwav.cpu_s()) - before > 0.02:
        before = now
        time.sleep(SETTLED_S)


if __name__ == "__main__":
    main(*(int(a) if i == 0 else float(a) for i, a in enumerate(sys.argv[1:])))
