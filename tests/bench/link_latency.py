"""Time from the WAV's last byte to the link, when a client sends at the rate of a network.

python tests/bench/link_latency.py [WAV] [MBIT_PER_S] [ROUNDS]

The comparison is the bundled ffmpeg on the complete file, without the upload to the store: the least that a service
has left to do if it converts after the last byte. Without a WAV, 600 s of synthetic stereo are sent.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import imageio_ffmpeg

sys.path.insert(0, str(Path(__file__).parents[1]))
from bench.harness import music, running_pigwav


def main(wav: str = "", mbit_per_s: str = "50", rounds: str = "3") -> None:
    audio = Path(wav).read_bytes() if wav else music(600)
    with tempfile.TemporaryDirectory() as folder, running_pigwav() as pigwav:
        source = Path(folder, "in.wav")
        source.write_bytes(audio)
        ratios = []
        for _ in range(int(rounds)):
            link_s = pigwav.upload(audio, bits_per_s=float(mbit_per_s) * 1e6).answer_s
            ffmpeg_s = _ffmpeg(source, Path(folder, "out.mp3"))
            ratios.append(ffmpeg_s / link_s)
            print(
                f"link after {link_s * 1000:6.0f} ms   ffmpeg alone {ffmpeg_s * 1000:6.0f} ms   ratio {ratios[-1]:.0f}"
            )
        print(f"median ratio {statistics.median(ratios):.0f}")


def _ffmpeg(source: Path, target: Path) -> float:
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-loglevel", "error", "-y", "-i", source, target]
    began_s = time.perf_counter()
    subprocess.run(command, check=True)
    return time.perf_counter() - began_s


if __name__ == "__main__":
    main(*sys.argv[1:])
