"""The cost of confining a decoder: 1 s of MS ADPCM, decoded by plain ffmpeg and by confined ffmpeg, and uploaded.

python tests/bench/decoder_start.py [TIMES]
"""

import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).parents[1]))
from bench.harness import running_pigwav
from factories import chunk, fmt_chunk, riff
from pigwav.audio.confinement import Confinement
from pigwav.audio.decoders import Decoders
from pigwav.audio.ffmpeg import clean_header, decoder_argv, find_ffmpeg
from pigwav.audio.fmt import WavFormat
from pigwav.audio.pcm import PcmFormat

ADPCM = WavFormat("adpcm_ms", 22_050, 1, 4, block_bytes=512, block_samples=1_012)
SECOND = bytes(512 * 22)


def main(times: int = 40) -> None:
    decoders = Decoders(find_ffmpeg(None), total=1)
    argv = decoder_argv(decoders.program, ADPCM, PcmFormat.of(ADPCM), cpu_limit_s=60)
    for name, confinement in (("bare ffmpeg", Confinement(())), ("confined", decoders.confinement())):
        started = confinement.argv(argv, cpu_limit_s=60)
        _tell(name, times, lambda started=started: _decode(started))
    wav = riff(
        fmt_chunk(tag=2, rate=22_050, channels=1, bits=4, block=512, more=b"\2\0\0\0")
        + chunk(b"data", SECOND)
    )
    with running_pigwav() as pigwav:
        _tell("the whole upload", times, lambda: pigwav.upload(wav))


def _decode(argv: list[str]) -> None:
    header = clean_header(ADPCM)
    subprocess.run(argv, input=header + SECOND, capture_output=True, check=True, env={"LC_ALL": "C"}, cwd="/")


def _tell(name: str, times: int, act: Callable[[], object]) -> None:
    """Prints CPU time only for our own child processes: the upload's decoder is a child of the service."""
    took_s = []
    before = psutil.Process().cpu_times()
    for _ in range(times):
        began_s = time.perf_counter()
        act()
        took_s.append(time.perf_counter() - began_s)
    after = psutil.Process().cpu_times()
    cpu_s = after.children_user + after.children_system - before.children_user - before.children_system
    cpu = f"   CPU {cpu_s / times * 1000:5.1f} ms" if round(cpu_s, 2) else ""
    print(
        f"{name:18} median {statistics.median(took_s) * 1000:6.1f} ms   least {min(took_s) * 1000:6.1f} ms{cpu}"
    )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
