"""Random PCM, formats, blocks, cuts and refused seams, encoded by several runs and followed frame by frame.

    python tests/fuzz/random_cuts.py [--runs 10000] [--seed 1] [--only NUMBER] [--decode 50] [WAV ...]

The samples of 16-bit WAVs, if some are given, are used at every sample rate, in place of half of the materials. Each
`--decode`th stream is also decoded by ffmpeg and, if it is installed, by mpg123. Prints what is wrong; the exit status
is 1 if something is. The seed determines the input, but not where runs begin: that depends on the threads.
"""

import argparse
import random
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).parents[1]))
from converting import played
from materials import MATERIALS, material
from parallel_encoding import Eager, check, encoded
from pigwav.audio.info import info_frame
from pigwav.audio.mp3 import SAMPLE_RATES_HZ, Mp3Format, Mp3Shape, bit_rates_kbps
from pigwav.audio.splice import FrameBuffer, find_seam

MOST_FRAMES: Final = 600
WAV_HEADER_BYTES: Final = 44


@dataclass(frozen=True)
class Case:
    """`refusals`: the probability that a try finds no seam."""

    mp3: Mp3Format
    pcm: bytes
    segment: int
    most_runs: int
    quality: int
    blocks: list[int]
    refusals: float

    @property
    def samples(self) -> int:
        return len(self.pcm) // (2 * self.mp3.channels)

    @classmethod
    def of(cls, chance: random.Random, wavs: list[Path]) -> "Case":
        rate, channels = chance.choice(SAMPLE_RATES_HZ), chance.choice((1, 2))
        mp3 = Mp3Format(rate, channels, chance.choice(bit_rates_kbps(rate)))
        most = mp3.frame_samples * chance.choice((4, MOST_FRAMES))
        samples = chance.randint(1, most)
        blocks = [chance.randint(0, samples) for _ in range(chance.randint(0, 6))]
        return cls(
            mp3,
            _pcm(chance, mp3, samples, wavs),
            chance.randint(49, 150),
            chance.randint(2, 6),
            chance.choice((2, 3, 5, 7, 9)),
            blocks,
            chance.choice((0, 0, 0.5, 0.9)),
        )


def _pcm(chance: random.Random, mp3: Mp3Format, samples: int, wavs: list[Path]) -> bytes:
    if wavs and chance.random() < 0.5:
        sample_bytes = 2 * mp3.channels
        with chance.choice(wavs).open("rb") as wav:
            size = wav.seek(0, 2) - WAV_HEADER_BYTES
            wav.seek(WAV_HEADER_BYTES + chance.randrange(max(1, size // 4)) * 4)
            pcm = wav.read(samples * sample_bytes)
        if whole := pcm[: len(pcm) // sample_bytes * sample_bytes]:
            return whole
    kind = chance.choice(sorted(MATERIALS))
    seed = chance.randrange(1 << 30)
    return material(kind, samples=samples, rate_hz=mp3.sample_rate_hz, channels=mp3.channels, seed=seed)


def main() -> int:
    arguments = _arguments()
    numbers = range(arguments.runs) if arguments.only is None else [arguments.only]
    counts: Counter[str] = Counter()
    for number in numbers:
        chance = random.Random(f"{arguments.seed} {number}")
        case = Case.of(chance, arguments.wavs)
        try:
            counts["seams"] += _run(case, chance, decode=number % arguments.decode == 0)
        except Exception as error:  # noqa: BLE001 - everything is a finding
            counts["wrong"] += 1
            print(f"--only {number}: {case.mp3}, {case.samples} samples: {error!r}", flush=True)
        counts["streams"] += 1
        if counts["streams"] % 500 == 0:
            print(dict(counts), flush=True)
    print(dict(counts))
    return 1 if counts["wrong"] else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=int)
    parser.add_argument("--decode", type=int, default=50)
    parser.add_argument("wavs", nargs="*", type=Path, metavar="WAV")
    return parser.parse_args()


def _run(case: Case, chance: random.Random, *, decode: bool) -> int:
    """Returns the number of seams."""

    def rule(earlier: FrameBuffer, later: FrameBuffer) -> int | None:
        return None if chance.random() < case.refusals else find_seam(earlier, later)

    segments = Eager(case.mp3, segment=case.segment, most_runs=case.most_runs)
    done = encoded(case.pcm, segments, blocks=case.blocks, quality=case.quality, seam_rule=rule)
    check(done, segments, case.samples)
    if decode:
        first_frame = info_frame(case.mp3, Mp3Shape.of(case.samples, case.mp3), lame_quality=case.quality)
        _decode(case, first_frame + done.frames)
    return len(done.seams)


def _decode(case: Case, mp3: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        heard = [played(mp3, Path(folder), channels=case.mp3.channels, recognised=False)]
        if program := shutil.which("mpg123"):
            path = Path(folder, "stream.mp3")
            path.write_bytes(mp3)
            command = [program, "-q", "-s", "--gapless", "-e", "s16", "--no-resync", str(path)]
            done = subprocess.run(command, capture_output=True, check=True)
            assert done.stderr == b"", done.stderr
            heard.append(done.stdout)
    assert {len(pcm) for pcm in heard} == {len(case.pcm)}, "decoders return another number of samples"


if __name__ == "__main__":
    sys.exit(main())
