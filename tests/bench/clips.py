"""1-second clips from 8 clients: clips per second, and their share of what LAME alone encodes on all cores.

python tests/bench/clips.py [CLIPS] [CLIENTS]
"""

import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import lameenc

sys.path.insert(0, str(Path(__file__).parents[1]))
from bench.harness import music, running_pigwav


def main(clips: int = 400, clients: int = 8) -> None:
    audio = music(1)
    with running_pigwav() as pigwav, ThreadPoolExecutor(clients) as pool:
        list(pool.map(lambda _: pigwav.upload(audio), range(clients * 2)))
        began_s = time.perf_counter()
        list(pool.map(lambda _: pigwav.upload(audio), range(clips)))
        per_s = clips / (time.perf_counter() - began_s)
    alone_per_s = _lame_alone(audio[44:], clips)
    print(f"{clients} clients: {per_s:.1f} clips a second")
    print(
        f"LAME alone on {os.cpu_count()} cores: {alone_per_s:.1f} a second; share {per_s / alone_per_s:.2f}"
    )


def _lame_alone(pcm: bytes, clips: int) -> float:
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        began_s = time.perf_counter()
        list(pool.map(lambda _: _encode(pcm), range(clips)))
        return clips / (time.perf_counter() - began_s)


def _encode(pcm: bytes) -> int:
    encoder = lameenc.Encoder()
    encoder.set_channels(2)
    encoder.set_in_sample_rate(44100)
    encoder.set_out_sample_rate(44100)
    encoder.set_bit_rate(128)
    encoder.set_quality(3)
    encoder.silence()
    return len(encoder.encode(pcm)) + len(encoder.flush())


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
