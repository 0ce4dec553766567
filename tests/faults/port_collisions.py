"""Starts several stacks at the same moment on a small range of ports: each must start at the first try.

    python tests/faults/port_collisions.py [--rounds 100] [--stacks 4] [--ports 31900-31959] [--foreign 0]

Each round starts `--stacks` pairs of Postgres and SeaweedFS at once. Each pair has its own process and folder and needs
ten of the ports. With `--foreign N`, N other programs each listen on one of the ports and change it every 0.5 s.
Prints every failure and how often SeaweedFS was restarted. The exit status is 1 if a stack did not start.
"""

import argparse
import random
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).parents[1]))
from pigwav.port_range import read_port_range
from running_up import plain_environment

FOREIGN_STAYS_S: Final = 0.5

STACK: Final = """
import pathlib, sys
from pigwav.devstack import stack_for
from pigwav.telemetry.logs import configure_logging
configure_logging(as_json=False, level="WARNING")
print("loaded", flush=True)
sys.stdin.readline()
with stack_for(pathlib.Path(sys.argv[1]), ports=[*map(int, sys.argv[2:])]) as address:
    print(address.s3_endpoint, flush=True)
    sys.stdin.readline()
"""


@dataclass
class Tally:
    """`failures`: last log line of each stack that did not start. `starts_again`: SeaweedFS restarts in the others."""

    stacks: int = 0
    starts_again: int = 0
    failures: list[str] = field(default_factory=list)


def one_round(stacks: int, ports: Sequence[int], tally: Tally) -> None:
    with tempfile.TemporaryDirectory(prefix="pigwav-ports-") as folder, ExitStack() as running:
        folders = [Path(folder) / str(number) for number in range(stacks)]
        processes = [running.enter_context(_process(place, ports)) for place in folders]
        for process in processes:
            assert _line(process) == "loaded"
        for process in processes:
            _proceed(process)
        endpoints = [_line(process) for process in processes]
        started = [endpoint for endpoint in endpoints if endpoint]
        assert len({*started}) == len(started), "two stacks have the same port"
        for process in processes:
            _proceed(process)
        for process, endpoint in zip(processes, endpoints, strict=True):
            words = process.communicate()[1]
            tally.stacks += 1
            tally.starts_again += words.count("child_process_died") if endpoint else 0
            if not endpoint:
                tally.failures.append(words.strip().rpartition("\n")[2])


def _process(place: Path, ports: Sequence[int]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", STACK, str(place), *map(str, ports)],
        env=plain_environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _line(process: subprocess.Popen[str]) -> str:
    """The next line of its output; empty if it has ended."""
    assert process.stdout
    return process.stdout.readline().strip()


def _proceed(process: subprocess.Popen[str]) -> None:
    assert process.stdin
    with suppress(BrokenPipeError):
        process.stdin.write("\n")
        process.stdin.flush()


@contextmanager
def foreign_programs(number: int, ports: Sequence[int]) -> Iterator[None]:
    """Threads that each listen on a random port if it is free, and choose another one after FOREIGN_STAYS_S."""
    over = threading.Event()

    def listen() -> None:
        while not over.is_set():
            with suppress(OSError), socket.create_server(("127.0.0.1", random.choice(ports))):
                over.wait(FOREIGN_STAYS_S)

    programs = [threading.Thread(target=listen) for _ in range(number)]
    for program in programs:
        program.start()
    try:
        yield
    finally:
        over.set()
        for program in programs:
            program.join()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--stacks", type=int, default=4)
    parser.add_argument("--ports", type=read_port_range, default=read_port_range("31900-31959"))
    parser.add_argument("--foreign", type=int, default=0)
    options = parser.parse_args()
    tally = Tally()
    began = time.monotonic()
    with foreign_programs(options.foreign, options.ports):
        for number in range(1, options.rounds + 1):
            seen = len(tally.failures)
            one_round(options.stacks, options.ports, tally)
            print(
                f"round {number}: {time.monotonic() - began:.0f} s",
                *tally.failures[seen:],
                sep="\n  ",
                flush=True,
            )
    print(
        f"{tally.stacks} stacks in {options.rounds} rounds on {len(options.ports)} ports: "
        f"{len(tally.failures)} did not start; SeaweedFS was restarted {tally.starts_again} times"
    )
    sys.exit(bool(tally.failures))


if __name__ == "__main__":
    main()
