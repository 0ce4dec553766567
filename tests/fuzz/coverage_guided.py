"""Coverage-guided fuzzing of the parsers with atheris. It lacks wheels for some Pythons and is not in the extra `test`.

.venv/bin/pip install atheris
.venv/bin/python tests/fuzz/coverage_guided.py TARGET [--runs N] [--seed S] [--corpus FOLDER]

TARGET: a target of targets.py, or `all` for one after the other. Fuzzing starts with the target's seeds: generated
ones, and files of other projects if they are present. New inputs are stored in the corpus folder, if one is given.
A finding is an input that breaks an invariant or takes more than 20 s or 1 GiB. Findings are printed; the exit code is
then 1.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Final

sys.path.insert(0, str(Path(__file__).parents[1]))
from fuzz.target import STEER_BYTES, Target

_MAX_S_PER_INPUT: Final = 20
_MAX_MIB: Final = 1_024
_FOUND_FILES: Final = ("crash", "timeout", "oom")  # libFuzzer's file name prefixes
_CAUSE: Final = re.compile(r"Uncaught Python exception: ===\n(.*)|ERROR: libFuzzer: (.*)")
_STEERS: Final = (0, 1, 2, 3, 8, 77, 0x1FF)
_DONE: Final = re.compile(r"#(\d+)\s+DONE\s+cov: (\d+) ft: (\d+) corp: (\d+)/\S+")


def main() -> int:
    from fuzz.targets import TARGETS

    arguments = _arguments([*TARGETS, "all"])
    names = [*TARGETS] if arguments.target == "all" else [arguments.target]
    print(f"{'target':<16} {'execs':>9} {'cov':>6} {'features':>9} {'corpus':>7} {'execs/s':>8}  finding")
    return max([_run(name, arguments) for name in names])


def _arguments(names: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("target", choices=names)
    parser.add_argument("--runs", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--corpus", type=Path)
    return parser.parse_args()


def _run(name: str, arguments: argparse.Namespace) -> int:
    """Runs one target in a child process, because libFuzzer exits the process."""
    with tempfile.TemporaryDirectory(prefix="pigwav-fuzz-") as temporary:
        corpus = (arguments.corpus or Path(temporary)) / name
        _write_seeds(name, corpus)
        options = [f"-runs={arguments.runs}", f"-seed={arguments.seed}", f"-artifact_prefix={temporary}/"]
        command = [sys.executable, __file__, "--child", name, str(corpus), *options]
        began_s = time.monotonic()
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
        _report(name, done.stderr + done.stdout, time.monotonic() - began_s)
        found = [path for kind in _FOUND_FILES for path in Path(temporary).glob(f"{kind}-*")]
        for path in found:
            print(f"{path.name}:\n{path.read_bytes()!r}\n{done.stdout[-3_000:]}{done.stderr[-3_000:]}")
    return 1 if found or done.returncode else 0


def _write_seeds(name: str, corpus: Path) -> None:
    from fuzz.targets import TARGETS

    corpus.mkdir(parents=True, exist_ok=True)
    for index, seed in enumerate(TARGETS[name].seeds()):
        for steer in _STEERS:
            (corpus / f"seed-{index}-{steer}").write_bytes(steer.to_bytes(2, "big") + seed)


def _report(name: str, output: str, took_s: float) -> None:
    done = _DONE.search(output)
    execs, cov, features, kept = (int(number) for number in done.groups()) if done else (0, 0, 0, 0)
    finding = "none" if done else _finding(output)
    print(
        f"{name:<16} {execs:>9} {cov:>6} {features:>9} {kept:>7} {execs / took_s:>8.0f}  {finding}",
        flush=True,
    )


def _finding(output: str) -> str:
    found = _CAUSE.search(output)
    return next(filter(None, found.groups())) if found else output.strip().rpartition("\n")[2]


def _child(name: str, *more: str) -> None:
    """Never returns."""
    import atheris

    with atheris.instrument_imports(include=["pigwav", "python_multipart"]):
        from fuzz.targets import TARGETS
    target = TARGETS[name]
    limits = [f"-max_len={target.limit_bytes}", f"-timeout={_MAX_S_PER_INPUT}", f"-rss_limit_mb={_MAX_MIB}"]
    options = {"custom_mutator": _mutator(target)} if target.mutate else {}
    atheris.Setup([sys.argv[0], *limits, *more], target, **options)
    atheris.Fuzz()


def _mutator(target: Target) -> Callable[[bytes, int, int], bytes]:
    """Half of the inputs are mutated by libFuzzer, half by the target."""
    import atheris

    def mutated(data: bytes, limit_bytes: int, seed: int) -> bytes:
        random = Random(seed)
        if target.mutate is None or random.random() < 0.5:
            return atheris.Mutate(data, limit_bytes)  # cannot be bound before Fuzz()
        steer = random.randbytes(STEER_BYTES)
        return (steer + target.mutate(data[STEER_BYTES:], random))[:limit_bytes]

    return mutated


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        _child(*sys.argv[2:])
    os.nice(10)
    sys.exit(main())
