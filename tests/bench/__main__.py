"""Measures PigWav on this machine: speed against what else one would use, memory, and growth."""

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).parents[1]))
from bench import clips, downloads, growth, memory, uploads
from bench.chart import chart
from bench.material import Material
from bench.results import CHECKOUT, Result, machine, written

Measure = Callable[[Material, bool], Iterator[Result]]
SECTIONS: Final[Mapping[str, Measure]] = {
    "uploads": lambda material, quick: uploads.results(material, quick=quick),
    "clips": lambda material, quick: clips.results(material, quick=quick),
    "downloads": lambda material, quick: downloads.results(material, quick=quick),
    "memory": lambda material, quick: memory.results(material, quick=quick),
    "growth": lambda material, _: growth.results(material),
}
_NOT_QUICK: Final = ("growth",)


def main(arguments: argparse.Namespace) -> None:
    material = Material.of(arguments.music)
    names = arguments.only or [name for name in SECTIONS if not (arguments.quick and name in _NOT_QUICK)]
    sections: dict[str, list[Result]] = {}
    head = machine() | {"music": arguments.music.name if arguments.music else "synthetic"}
    folder = arguments.to
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        print(f"\n{name}", flush=True)
        sections[name] = []
        for result in SECTIONS[name](material, arguments.quick):
            sections[name].append(result)
            print("  " + "   ".join(cell for cell in result.row() if cell), flush=True)
            written(folder / "performance.json", head, sections)  # what is measured outlives an interruption
    everything = [result for results in sections.values() for result in results]
    compared = [result for result in everything if result.is_ratio and result.target]
    (folder / "performance.svg").write_text(chart(f"PigWav on {head['cores']} cores", compared))
    missed = [result.name for result in everything if result.is_missed]
    print(f"\n{folder}/performance.json, {folder}/performance.svg")
    print(f"{len(missed)} targets missed" + "".join(f"\n  {name}" for name in missed))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument(
        "--music",
        type=Path,
        help="a WAV of some minutes, 44.1 kHz, 16 bits, stereo. Without it, the music is synthetic, which costs less.",
    )
    parser.add_argument("--quick", action="store_true", help="fewer rounds, no hours, no 100,000 recordings")
    parser.add_argument("--only", nargs="+", choices=SECTIONS, metavar="SECTION", help=", ".join(SECTIONS))
    parser.add_argument(
        "--to",
        type=Path,
        default=CHECKOUT / "build" / "bench",
        help="the folder for performance.json and performance.svg (build/bench)",
    )
    return parser.parse_args()


if __name__ == "__main__":
    main(_arguments())
