"""Upload of 600 s of 44.1 kHz stereo, from the first byte to 201, compared with the bundled ffmpeg; each on one core.

python tests/bench/upload_speed.py [SECONDS] [ROUNDS]
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import imageio_ffmpeg

sys.path.insert(0, str(Path(__file__).parents[1]))
from bench.harness import music, running_pigwav


def main(seconds: float = 600, rounds: int = 3) -> None:
    audio = music(seconds)
    os.sched_setaffinity(0, {0})  # inherited by ffmpeg and by `pigwav up`
    with tempfile.TemporaryDirectory() as folder, running_pigwav() as pigwav:
        source = Path(folder, "in.wav")
        source.write_bytes(audio)
        os.sched_setaffinity(0, {1 % os.cpu_count()})  # the client would be on another machine
        rows = []
        for _ in range(rounds):
            ffmpeg_s = _ffmpeg(source, Path(folder, "out.mp3"))
            cpu_s = pigwav.cpu_s()
            upload = pigwav.upload(audio)
            rows.append((ffmpeg_s, upload.total_s, upload.total_s / ffmpeg_s, pigwav.cpu_s() - cpu_s))
            print(
                "ffmpeg {:6.2f} s   PigWav {:6.2f} s   ratio {:.3f}   PigWav CPU {:6.2f} s".format(*rows[-1])
            )
        print(f"median ratio {statistics.median(row[2] for row in rows):.3f} (the bound is 1.45)")


def _ffmpeg(source: Path, target: Path) -> float:
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-loglevel", "error", "-y", "-i", source, target]
    began_s = time.perf_counter()
    subprocess.run(["taskset", "-c", "0", *command], check=True)
    return time.perf_counter() - began_s


if __name__ == "__main__":
    main(*(float(a) if i == 0 else int(a) for i, a in enumerate(sys.argv[1:])))
