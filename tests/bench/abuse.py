"""What the worst of one address costs honest users: requests refused, waiting time and memory, for each abuse.

python tests/bench/abuse.py [--only NAME ...] [--seconds S] [--against REF_OR_FOLDER]

For each abuse of abuses.py, it starts a `pigwav up` of this checkout with an empty data folder and default settings.
Honest clients at addresses of their own are measured alone, then while one more address does its abuse, and then it is
measured how soon a whole round of an honest client succeeds again. All traffic stays on the loopback interface. It
prints a Markdown table; nine abuses take five minutes on an idle machine.

`--against`: a checkout's folder, or a commit that is checked out for this run. Each abuse is then done to both.
"""

import argparse
import asyncio
import json
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import httpx2
import psutil

sys.path.insert(0, str(Path(__file__).parents[1]))
from accounts import register
from bench.abuses import ABUSES, Kind, Target
from bench.harness import RunningPigWav, music, running_pigwav
from bench.honest_clients import ADDRESSES, HonestClient, Results, rounds_until

ROOT: Final = Path(__file__).parents[2]
ABUSE_S: Final = 12.0
ALONE_S: Final = 6.0
PROBE_ADDRESS: Final = "127.0.0.5"
SAMPLE_EVERY_S: Final = 0.5
GIVE_UP_S: Final = 60.0
LINK_S: Final = 90
"""Length of the recording whose link is abused. At 320 kb/s it has 3.6 MB: more than the kernel takes for a client that
reads nothing (2.6 MB).
"""

COLUMNS: Final = (
    "Actor",
    "Abuse by one address",
    "Honest requests",
    "Refused",
    "With",
    "Kinds refused",
    "p50",
    "p99",
    "Memory of the API",
    "Decoders",
    "Served again after",
)


@dataclass(frozen=True)
class Measured:
    """`memory_bytes`: how much the private memory of the API grew at most. `decoders`: how many ran at a time, at most.
    `recovery_s`: from the end of the abuse until an honest client began a round in which everything succeeded.
    `reached`: the abuser's counts.
    """

    alone: Results
    abused: Results
    memory_bytes: int
    decoders: int
    recovery_s: float
    reached: Counter[str]

    def cells(self) -> tuple[str, ...]:
        refused = self.abused.refused
        return (
            str(self.abused.made),
            f"{refused.total()} ({refused.total() / self.abused.made:.0%})",
            "; ".join(f"{count} {reason}" for reason, count in refused.most_common()),
            ", ".join(sorted(self.abused.refused_kinds)),
            self._time(0.5),
            self._time(0.99),
            f"+{self.memory_bytes / 2**20:.0f} MiB",
            str(self.decoders),
            f"{self.recovery_s:.1f} s",
        )

    def _time(self, share: float) -> str:
        alone_s, abused_s = self.alone.p(share), self.abused.p(share)
        return (
            f"{abused_s * 1000:.0f} ms ({abused_s / alone_s:.1f} times)" if self.abused.served_s else "none"
        )


class Peaks:
    """The highest private memory (resident and not shared) of the API processes, and the most decoders at a time."""

    def __init__(self, pigwav: RunningPigWav) -> None:
        self._apis = [process for process in pigwav.own_processes() if process != pigwav.process]
        self._before_bytes = self._most_bytes = self._private_bytes()
        self.decoders = 0

    @property
    def grown_bytes(self) -> int:
        return self._most_bytes - self._before_bytes

    async def watch(self) -> None:
        while True:
            await asyncio.to_thread(self._sample)
            await asyncio.sleep(SAMPLE_EVERY_S)

    def _sample(self) -> None:
        self._most_bytes = max(self._most_bytes, self._private_bytes())
        children = [child for api in self._apis for child in api.children(recursive=True)]
        self.decoders = max(self.decoders, sum(map(_decodes, children)))

    def _private_bytes(self) -> int:
        memory = [api.memory_info() for api in self._apis]
        return sum(one.rss - one.shared for one in memory)


def _decodes(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return process.name().startswith("ffmpeg")
    return False


async def measured(pigwav: RunningPigWav, name: str, seconds: float) -> Measured:
    *clients, probe = honest_clients(pigwav)
    for client in (*clients, probe):
        await client.round(Results())  # the first upload loads modules
    target = target_of(pigwav, seconds + ABUSES[name].builds_up_s)
    over = asyncio.Event()
    asyncio.get_running_loop().call_later(ALONE_S, over.set)
    alone = await rounds_until(over, clients)
    if alone.refused:
        sys.exit(f"without an abuser, honest clients were refused: {dict(alone.refused)}")
    peaks = Peaks(pigwav)
    over.clear()
    watching = asyncio.create_task(peaks.watch())
    honest = asyncio.create_task(rounds_until(over, clients))
    try:
        reached = await abused(name, target)
        over.set()
        recovery_s = await served_again(probe)
        return Measured(alone, await honest, peaks.grown_bytes, peaks.decoders, recovery_s, reached)
    finally:
        watching.cancel()


def honest_clients(pigwav: RunningPigWav) -> Iterator[HonestClient]:
    with httpx2.Client(base_url=pigwav.url, timeout=30) as http:
        for address in (*ADDRESSES, PROBE_ADDRESS):
            account = register(http, f"honest {address}")
            yield HonestClient(pigwav.url, address, account.id, account.token)


def target_of(pigwav: RunningPigWav, seconds: float) -> Target:
    """The harness' own user is the abuser."""
    wav = music(LINK_S)
    headers = {"Authorization": f"Bearer {pigwav.token}", "Content-Type": "audio/wav"}
    answer = httpx2.post(f"{pigwav.url}/records?bitrate=320", content=wav, headers=headers, timeout=60)
    address, link = urlsplit(pigwav.url), urlsplit(answer.json()["url"])
    assert address.hostname
    assert address.port
    return Target(
        address.hostname, address.port, pigwav.user, pigwav.token, f"{link.path}?{link.query}", seconds
    )


async def abused(name: str, target: Target) -> Counter[str]:
    """Runs the abuse in a process of its own; returns its counts when it has ended."""
    program = Path(__file__).with_name("abuses.py")
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(program), name, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        output, _ = await process.communicate(json.dumps(asdict(target)).encode())
    finally:
        if process.returncode is None:
            process.kill()
    if process.returncode:
        sys.exit(f"the abuse {name} ended with status {process.returncode}")
    return Counter(json.loads(output))


async def served_again(client: HonestClient) -> float:
    """Seconds from now until a round began in which everything succeeded."""
    ended_s = time.monotonic()
    while (began_s := time.monotonic()) - ended_s < GIVE_UP_S:
        if await client.round(Results()):
            return began_s - ended_s
    sys.exit(f"honest clients were not served within {GIVE_UP_S:g} s after the abuse")


@contextmanager
def checkout(text: str) -> Iterator[Path]:
    """The folder `text`, or the commit of this name in a folder that is removed afterwards."""
    if Path(text).is_dir():
        yield Path(text).resolve()
        return
    with tempfile.TemporaryDirectory(prefix="pigwav-abuse-") as folder:
        tree = Path(folder, "checkout")
        subprocess.run(["git", "-C", ROOT, "worktree", "add", "--quiet", "--detach", tree, text], check=True)
        try:
            yield tree
        finally:
            subprocess.run(["git", "-C", ROOT, "worktree", "remove", "--force", tree], check=True)


def done_to(tree: Path, name: str, seconds: float) -> Measured:
    with running_pigwav(PYTHONPATH=str(tree / "service")) as pigwav:
        return asyncio.run(measured(pigwav, name, seconds))


def print_row(cells: Sequence[str]) -> None:
    print(f"| {' | '.join(cells)} |", flush=True)


def print_measured(kind: Kind, one: Measured, version: Sequence[str] = ()) -> None:
    print_row((*version, kind.actor, kind.title, *one.cells()))
    print(f"{kind.title}: the abuser reached {dict(one.reached)}", file=sys.stderr, flush=True)


def main() -> None:
    arguments = _arguments()
    # `exit` ends and removes everything that was started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    names: list[str] = arguments.only or [*ABUSES]
    versions: list[tuple[str, Path]] = []
    with checkout(arguments.against or str(ROOT)) as other:
        if arguments.against:
            versions.append((arguments.against, other))
        versions.append(("this", ROOT))
        columns = (*(("Version",) if arguments.against else ()), *COLUMNS)
        print_row(columns)
        print_row(["---"] * len(columns))
        for name in names:
            for version, tree in versions:
                one = done_to(tree, name, arguments.seconds)
                print_measured(ABUSES[name], one, (version,) if arguments.against else ())


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=[*ABUSES], metavar="NAME", help=", ".join(ABUSES))
    parser.add_argument("--seconds", type=float, default=ABUSE_S, help="length of each abuse")
    parser.add_argument("--against", metavar="REF_OR_FOLDER", help="the version to compare with")
    return parser.parse_args()


if __name__ == "__main__":
    main()
