"""Uploads at the speed of a network: how long after the last byte does the response arrive?

python tests/bench/answer_time.py [MBIT_PER_S] [SECONDS ...]
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from bench.harness import music, running_pigwav


def main(mbit_per_s: float = 20, *lengths_s: float) -> None:
    with running_pigwav() as pigwav:
        for seconds in lengths_s or (60, 600, 3600):
            audio = music(seconds)
            upload = pigwav.upload(audio, bits_per_s=mbit_per_s * 1e6)
            paced_s = len(audio) * 8 / (mbit_per_s * 1e6)
            print(
                f"{seconds:6.0f} s of audio at {mbit_per_s:g} Mbit/s: "
                f"sent in {upload.total_s - upload.answer_s:7.2f} s "
                f"(paced to {paced_s:7.2f} s), answered {upload.answer_s * 1000:6.1f} ms after the last byte "
                f"(the bound is 250 ms)",
                flush=True,
            )


if __name__ == "__main__":
    main(*map(float, sys.argv[1:]))
