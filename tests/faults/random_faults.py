"""Random combinations: concurrent uploads and deletions, and one fault at a random step.

    python tests/faults/random_faults.py [--runs 50] [--seed 1] [--only NUMBER] [--keep FOLDER]

Prints faults, outcomes of requests and findings; the exit status is 1 if there are findings. `--only` repeats one run
of a seed. The seed determines the requests and the fault, but not how the threads of a run interleave.
"""

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from signal import SIGKILL, SIGSTOP
from typing import Final

sys.path.insert(0, str(Path(__file__).parents[1]))
from faults import misbehaving_clients
from faults.between import comes_back, recorded
from faults.judgement import judge
from faults.matrix import sweep_past_the_lease
from faults.own_stack import POSTGRES, THE_STORE, OwnStack, own_stack
from faults.s3_faults import FAULTS
from faults.tcp_proxy import ConnectionFault, Kind
from faults.uploaders import (
    Attempt,
    Upload,
    Uploader,
    delete,
    delete_user,
    is_retryable,
    make_upload,
    once,
    send,
    send_with_timeout,
    try_again,
)
from faults.world import MAX_UPLOAD_BYTES, World, open_world

WEIGHTS: Final = {"short": 5, "form": 3, "decoded": 3, "streamed": 3, "long": 2, "mispredicted": 1}
STEPS: Final = 30
"""More than the steps of one upload, because concurrent requests count together."""
CLIENT_TIMEOUT_S: Final = 4.0
OPERATIONS: Final = (
    "put",
    "begin_multipart",
    "put_part",
    "complete_multipart",
    "abort_multipart",
    "delete",
    "read",
)


@dataclass
class Run:
    """One run: its random generator, its open requests, its name."""

    world: World
    dice: random.Random
    name: str
    stack: OwnStack | None
    going_on: "list[Future[list[Attempt]]]" = field(default_factory=list)
    killed: str = ""

    def begin(self, call: Callable[..., list[Attempt]], *arguments: object) -> None:
        self.going_on.append(self.world.beside(call, *arguments))


Fault = Callable[[Run], Callable[[], None]]
"""Prepares the fault and returns the function to call while the requests run."""


def _nothing(run: Run) -> Callable[[], None]:
    return lambda: None


def _kill(run: Run) -> Callable[[], None]:
    run.world.api.arm(run.dice.randint(1, STEPS), SIGKILL)
    return lambda: None


def _freeze(run: Run) -> Callable[[], None]:
    api = run.world.api
    api.arm(run.dice.randint(1, STEPS), SIGSTOP)

    def meanwhile() -> None:
        if api.wait_until_frozen(*run.going_on):
            sweep_past_the_lease(run.world)
            api.wake()

    return meanwhile


def _restart(run: Run) -> Callable[[], None]:
    """Kills Postgres or the S3 server while the API is frozen at a step; restarts it before or after the API wakes."""
    api, stack = run.world.api, run.stack
    assert stack is not None
    name, is_quick = run.dice.choice([POSTGRES, THE_STORE]), run.dice.random() < 0.5
    api.arm(run.dice.randint(1, STEPS), SIGSTOP)

    def meanwhile() -> None:
        api.wait_until_frozen(*run.going_on)
        stack.kill(name)
        run.killed = name
        if is_quick:
            stack.restart(name)
        if api.is_frozen:
            api.wake()
        if not is_quick:
            time.sleep(0.2)  # the API finds the server down
            stack.restart(name)
        run.world.reconnect()

    return meanwhile


def _store_line(run: Run) -> Callable[[], None]:
    run.world.store_line.make(_trouble(run.dice, run.dice.choice([3000, 300_000, 12_000_000])))
    return lambda: None


def _database_line(run: Run) -> Callable[[], None]:
    run.world.database_line.make(_trouble(run.dice, 8000))
    return lambda: None


def _trouble(dice: random.Random, limit_bytes: int) -> ConnectionFault:
    return ConnectionFault(dice.choice([*Kind]), dice.randrange(limit_bytes), dice.choice([1, 1, 2, 4]))


def _store_answers(run: Run) -> Callable[[], None]:
    fault, operation = run.dice.choice(FAULTS), run.dice.choice(OPERATIONS)
    run.world.s3.plan(fault, operation, nth=run.dice.randint(1, 4), times=run.dice.choice([1, 2, 6]))
    return lambda: None


def _bad_client(run: Run) -> Callable[[], None]:
    uploader, dice = run.world.uploader(), run.dice
    upload = make_upload(dice.choice(["short", "decoded", "long"]), f"{run.name}, bad client")
    kind = dice.choice(["leaves", "trickles", "too much", "too little", "never ends", "headers"])
    stage = dice.choice(misbehaving_clients.LEAVING)

    def behave() -> list[Attempt]:
        match kind:
            case "leaves":
                return [misbehaving_clients.leaves(uploader, upload, stage)]
            case "trickles":
                return [misbehaving_clients.trickles(uploader, upload, dice)]
            case "too much":
                return [misbehaving_clients.says_too_much(uploader, upload)]
            case "too little":
                return [misbehaving_clients.says_too_little(uploader, upload)]
            case "never ends":
                return [misbehaving_clients.never_ends(uploader, upload, limit_bytes=2 * MAX_UPLOAD_BYTES)]
        return [misbehaving_clients.never_ends_its_head(uploader, upload)]

    run.begin(behave)
    return lambda: None


FAULTS_AT_RANDOM: Final[dict[str, Fault]] = {
    "nothing": _nothing,
    "kill": _kill,
    "freeze": _freeze,
    "store line": _store_line,
    "database line": _database_line,
    "store's answers": _store_answers,
    "bad client": _bad_client,
    "restart": _restart,
}


def run_once(world: World, seed: int, number: int, stack: OwnStack | None) -> tuple[str, list[str]]:
    """Returns the kind of fault, and the findings."""
    dice = random.Random(f"{seed}/{number}")
    kind = dice.choice([name for name in FAULTS_AT_RANDOM if stack or name != "restart"])
    run = Run(world, dice, f"run {number} of seed {seed} ({kind})", stack)
    uploaders = [world.uploader() for _ in range(dice.randint(1, 2))]
    owners = [dice.choice(uploaders) for _ in range(dice.randint(0, 2))]
    deletions = [(owner, recorded(world, f"{run.name}, before", owner)) for owner in owners]
    meanwhile = FAULTS_AT_RANDOM[kind](run)
    for number, upload in enumerate(dice.choices([*WEIGHTS], [*WEIGHTS.values()], k=dice.randint(1, 4))):
        made = make_upload(upload, f"{run.name}, {number}")
        run.begin(
            _deliver, world.replica.port, dice.choice(uploaders), once(made) if dice.random() < 0.5 else made
        )
    for owner, recording in deletions:
        if recording:
            run.begin(_delete, owner, recording)
    if dice.random() < 0.1:
        run.begin(lambda: [delete_user(uploaders[0])])
    meanwhile()
    for future in run.going_on:
        for attempt in future.result():
            world.note(run.name, attempt)
    world.heal()
    comes_back(world, run.name)
    if run.killed == THE_STORE:
        world.store_was_killed()
    found = judge(world)
    found += [f"{run.name}: {left}" for left in world.empty()]
    return kind, found


def _delete(uploader: Uploader, recording: str) -> list[Attempt]:
    return [delete(uploader, recording)]


def _deliver(elsewhere: int, uploader: Uploader, upload: Upload) -> list[Attempt]:
    """Uploads once without a key. With a key, retries at the replica until the recording exists."""
    if not upload.once:
        return [send(uploader, upload)]
    first = send_with_timeout(uploader, upload, timeout_s=CLIENT_TIMEOUT_S)
    if not is_retryable(first):
        return [first]
    return [first, *try_again(replace(uploader, port=elsewhere), upload)]


def main() -> int:
    options = _options()
    kinds: Counter[str] = Counter()
    findings: list[str] = []
    began = time.monotonic()
    with ExitStack() as opened:
        folder = options.keep or Path(
            opened.enter_context(tempfile.TemporaryDirectory(prefix="pigwav-faults-"))
        )
        stack = opened.enter_context(own_stack(folder / "data"))
        world = opened.enter_context(open_world(folder, stack.address.database_url, stack.store))
        for number in [options.only] if options.only is not None else range(options.runs):
            kind, found = run_once(world, options.seed, number, stack)
            kinds[kind] += 1
            findings += found
            for finding in found:
                print(
                    f"FOUND: {finding}\n  again: {sys.argv[0]} --seed {options.seed} --only {number}",
                    flush=True,
                )
    late = len(world.landed_late)
    print(f"{kinds.total()} runs of seed {options.seed} in {time.monotonic() - began:.0f} s")
    print("faults:  ", ", ".join(f"{name} {count}" for name, count in kinds.most_common()))
    print("requests:", ", ".join(f"{name} {count}" for name, count in world.outcomes.most_common()))
    print("stored late by a killed S3 server:", late)
    print("findings:", len(findings))
    return 1 if findings else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Injects random faults into PigWav.")
    parser.add_argument("--runs", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=int, help="repeat only the run with this number")
    parser.add_argument("--keep", type=Path, help="an empty working folder; data and logs are not deleted")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
