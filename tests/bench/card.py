"""CPU time and size of cards, against the CPU time of encoding one second of music; and the memory that they take.

python tests/bench/card.py
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import psutil

sys.path.insert(0, str(Path(__file__).parents[1]))
from pigwav.audio.card import card
from pigwav.audio.lame import LameEncoder
from pigwav.audio.mp3 import Mp3Format
from pigwav.audio.waveform import MAX_POINTS, Waveform
from pigwav.settings import EncoderSettings

RUNS = 20
RATE_HZ = 44_100


def main() -> None:
    print(f"one second of noise, encoded: {_encoding_ms():.1f} ms\n")
    print("| Waveform | CPU | of that second | PNG |\n| --- | --- | --- | --- |")
    before = psutil.Process().memory_info().rss
    for name, dat in _dats().items():
        card_ms = median(_cpu_ms(lambda dat=dat: card(dat)) for _ in range(RUNS))
        print(
            f"| {name} | {card_ms:.1f} ms | {card_ms / _encoding_ms():.2f} | {len(card(dat)) / 1024:.1f} KiB |"
        )
    print(f"\nmemory of the process: +{(psutil.Process().memory_info().rss - before) / 2**20:.1f} MiB")


def _dats() -> dict[str, bytes | None]:
    random = np.random.default_rng(1)

    def noise(points: int, loudest: int) -> bytes:
        magnitude = random.integers(0, loudest + 1, (points, 1))
        return Waveform(16_000, 320, np.hstack([-magnitude, magnitude]).astype(np.int8)).dat()

    return {
        "none": None,
        "silence": noise(MAX_POINTS, 0),
        "1 s": noise(50, 127),
        "5 hours": noise(MAX_POINTS, 127),
    }


def _encoding_ms() -> float:
    second = np.random.default_rng(1).integers(-20_000, 20_000, 2 * RATE_HZ).astype("<i2").tobytes()
    encoder = LameEncoder(Mp3Format(RATE_HZ, 2, 128), quality=EncoderSettings().lame_quality)
    return median(_cpu_ms(lambda: encoder.encode(second)) for _ in range(RUNS))


def _cpu_ms(call: Callable[[], object]) -> float:
    began = time.thread_time()
    call()
    return (time.thread_time() - began) * 1000


if __name__ == "__main__":
    main()
