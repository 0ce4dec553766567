"""Sends damaged WAVs and hostile requests to a running service, concurrently; checks responses and what is left.

python tests/fuzz/mutated_corpus.py [--inputs N] [--http N] [--seed S] [--clients N]
python tests/fuzz/mutated_corpus.py --seed S --only wav 17

The first form starts `pigwav up`, sends `--inputs` damaged WAVs (raw and in forms) and `--http` requests that are wrong
in anything else, and prints the count of each outcome and of each warning. Findings are:

- a 5xx, a status that the OpenAPI document does not declare, or no response within 30 s;
- a refusal that is not a problem document;
- a 201 whose link does not play;
- at the end: an extra row, object, open multipart upload or ffmpeg process, or memory growth.

Each finding is printed with the arguments of `--only` that reproduce it; the exit code is then 1. The second form sends
one input again and prints request and response.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import httpx2
import psutil

sys.path.insert(0, str(Path(__file__).parents[1]))
from accounts import register
from bench.harness import mib
from e2e.behind import behind
from fuzz.campaign import Campaign, Report, left_over
from fuzz.memory import MAX_GROWTH_BYTES, Memory
from fuzz.wire import sent
from running_up import RunningUp, pigwav_up

SETTINGS: Final = {
    "PIGWAV_MAX_DURATION_S": "60",  # at 1 Hz, one byte plays for 1 s
    "PIGWAV_IDLE_TIMEOUT_S": "5",
    "PIGWAV_LOG_LEVEL": "WARNING",
}
_SAMPLE_EVERY_S: Final = 1.0
_CLEANED_UP_WITHIN_S: Final = 20.0


def main() -> int:
    arguments = _arguments()
    os.nice(arguments.nice)
    with _campaign(arguments.seed) as (campaign, up):
        if arguments.only:
            return _shown(campaign, *arguments.only)
        report, memory = _run(campaign, up, arguments)
        report.findings += _left_in_the_end(campaign, report, up)
        _print(report, memory)
        if "unexpected_error" in (log := up.log.read_text()):
            print(log[-5_000:])
    return 1 if report.findings else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--inputs", type=int, default=5_000)
    parser.add_argument(
        "--http", type=int, help="number of hostile requests (default: a quarter of --inputs)"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--nice", type=int, default=10)
    parser.add_argument("--only", nargs=2, metavar=("wav|http", "NUMBER"))
    return parser.parse_args()


@contextmanager
def _campaign(seed: int) -> Iterator[tuple[Campaign, RunningUp]]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pigwav-fuzz-")))
        up = stack.enter_context(pigwav_up(folder / "data", log=folder / "up.log", environment=SETTINGS))
        http = stack.enter_context(httpx2.Client(base_url=up.url, timeout=30))
        yield Campaign(up.url, register(http), register(http), seed), up


def _run(campaign: Campaign, up: RunningUp, arguments: argparse.Namespace) -> tuple[Report, Memory]:
    memory, sampled_s = Memory(_own_processes(up)), 0.0

    def progress(done: int) -> None:
        nonlocal sampled_s
        if time.monotonic() - sampled_s >= _SAMPLE_EVERY_S:
            memory.sample(done)
            sampled_s = time.monotonic()

    hostile = arguments.inputs // 4 if arguments.http is None else arguments.http
    report = campaign.run(
        range(arguments.inputs), range(hostile), clients=arguments.clients, progress=progress
    )
    memory.sample(report.inputs)
    if memory.private.growth_bytes() > MAX_GROWTH_BYTES:
        report.findings.append("memory grows")
    return report, memory


def _left_in_the_end(campaign: Campaign, report: Report, up: RunningUp) -> list[str]:
    """Leftovers after the service has had time to clean up after clients that left."""
    deadline = time.monotonic() + _CLEANED_UP_WITHIN_S
    with behind(up.data) as inside:
        while left := left_over(campaign, report, inside, up.family()):
            if time.monotonic() > deadline:
                return left
            time.sleep(0.2)
    return []


def _own_processes(up: RunningUp) -> list[psutil.Process]:
    """`pigwav up` and its API processes, without Postgres and the S3 server."""
    return [psutil.Process(up.process.pid), *(child for child in up.family() if "serve" in child.cmdline())]


def _print(report: Report, memory: Memory) -> None:
    for counts in (report.wavs, report.http, report.warnings):
        print("\n".join(f"{count:>7}  {outcome}" for outcome, count in counts.most_common()), end="\n\n")
    acknowledged = len(report.acknowledged | report.acknowledged_to_attacker)
    print(
        f"{report.inputs} inputs in {report.seconds:.0f} s, {report.inputs / report.seconds:.0f} a second; "
        f"{acknowledged} acknowledged, all of them downloaded, {report.decoded} decoded"
    )
    for name, held in (("PSS", memory.pss), ("private", memory.private)):
        print(
            f"{name} memory of PigWav's own processes by quarters of the run: "
            f"{', '.join(map(mib, held.quarters_bytes()))}; from the second to the last {mib(held.growth_bytes())}, "
            f"{held.slope_bytes() / 1024:.1f} KiB per 1,000 inputs"
        )
    print(f"the limit for growth of private memory is {mib(MAX_GROWTH_BYTES)}")
    print("\n".join([f"{len(report.findings)} findings", *report.findings]), flush=True)


def _shown(campaign: Campaign, what: str, number: str) -> int:
    request = (campaign.wav_request if what == "wav" else campaign.http_request)(int(number))
    print(request.bytes_to_send(), sent(campaign.url, request), sep="\n\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
