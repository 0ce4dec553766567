"""A kill, and a freeze, at every step of an upload, a deletion and a sweep."""

import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from signal import SIGKILL, SIGSTOP
from typing import Final
from uuid import uuid4

from faults.between import recorded
from faults.dying_api import Died
from faults.own_stack import OwnStack
from faults.uploaders import Upload, Uploader, delete, make_upload, once, send, try_again
from faults.world import World
from pigwav.db import recordings
from pigwav.domain import LeaseId, RecordingId, UserId, object_key
from pigwav.store.base import ObjectHeaders

FROZEN_FOR_S: Final = 4.0
"""More than a lease and the wait for a lock that a frozen transaction holds."""


@dataclass(frozen=True)
class Interrupted:
    """An upload with a key, whose API died."""

    case: str
    uploader: Uploader
    upload: Upload

    def try_again(self, world: World) -> None:
        """At the replica, as often as it takes."""
        for attempt in try_again(replace(self.uploader, port=world.replica.port), self.upload):
            last = world.note(self.case, attempt)
        if last.status != 201:
            world.complaints.append(f"{self.case}: tried again in vain, last {last}")


def steps_of_upload(world: World, kind: str) -> list[str]:
    """A dry run."""
    case = f"{kind} upload, dry run"
    for number in range(5):
        uploader, upload = world.uploader(), make_upload(kind, f"{case} {number}")
        world.api.arm()
        if world.note(case, send(uploader, upload)).status == 201:
            return world.api.steps()
    raise AssertionError(f"{case}: {world.noted}")


def kill_in_upload(world: World, kind: str, step: int) -> Interrupted:
    case = f"{kind} upload, killed at step {step}"
    uploader, upload = world.uploader(), once(make_upload(kind, case))
    api = world.api
    api.arm(step, SIGKILL)
    if world.note(case, send(uploader, upload)).status == 201 and api.is_alive:
        world.complaints.append(f"{case}: nothing was killed, so nothing is shown")
    return Interrupted(case, uploader, upload)


def kill_at_every_step_of_an_upload(world: World, kind: str) -> list[Interrupted]:
    steps = range(1, len(steps_of_upload(world, kind)) + 1)
    return [kill_in_upload(world, kind, step) for step in steps]


def steps_of_delete(world: World) -> list[str]:
    """A dry run."""
    uploader, recording = _recorded(world, "delete, dry run")
    world.api.arm()
    attempt = world.note("delete, dry run", delete(uploader, recording))
    assert attempt.status == 204, attempt
    return world.api.steps()


def kill_in_delete(world: World, step: int) -> None:
    case = f"delete, killed at step {step}"
    uploader, recording = _recorded(world, case)
    world.api.arm(step, SIGKILL)
    world.note(case, delete(uploader, recording))


def steps_of_sweep(world: World) -> list[str]:
    """A dry run, of a sweep that finds a deleted recording and a vanished upload with a part in the store."""
    _leftovers(world, "sweep, dry run")
    world.api.arm()
    swept = world.api.sweep()
    assert swept is not None
    assert (swept.aborted_uploads, swept.removed) == (1, 2), swept
    return world.api.steps()


def kill_in_sweep(world: World, step: int) -> None:
    _leftovers(world, f"sweep, killed at step {step}")
    world.api.arm(step, SIGKILL)
    try:
        world.api.sweep()
    except Died:
        return


def freeze_in_upload(world: World, kind: str, step: int) -> None:
    """The replica sweeps while it is frozen, for as long as there is something whose lease runs."""
    case = f"{kind} upload, frozen at step {step}"
    uploader, upload = world.uploader(), make_upload(kind, case)
    api = world.api
    api.arm(step, SIGSTOP)
    sending = world.beside(send, uploader, upload)
    api.wait_until_frozen(sending)
    sweep_past_the_lease(world)
    world.heal()
    world.note(case, sending.result())


def kill_part_in_upload(
    world: World, stack: OwnStack, part: str, case: str, upload: Upload, step: int, *, at_once: bool
) -> None:
    """A part is killed while the API stands still at a step, and is back before (`at_once`) or after it goes on."""
    uploader, api = world.uploader(), world.api
    api.arm(step, SIGSTOP)
    sending = world.beside(send, uploader, upload)
    api.wait_until_frozen(sending)
    stack.kill(part)
    if at_once:
        stack.restart(part)
    world.heal()
    if not at_once:
        sending.result()
        stack.restart(part)
    world.reconnect()
    world.note(case, sending.result())


def freeze_in_sweep(world: World, step: int) -> None:
    """The replica sweeps, too, or is kept from it by the lock; and receives, deletes and plays meanwhile."""
    case = f"sweep, frozen at step {step}"
    _leftovers(world, case)
    api = world.api
    api.arm(step, SIGSTOP)
    sweeping = world.beside(api.sweep)
    api.wait_until_frozen(sweeping)
    uploader = replace(world.uploader(), port=world.replica.port)
    for number in range(2):
        recording = recorded(world, f"{case}, meanwhile {number}", uploader)
    if recording:
        world.note(case, delete(uploader, recording))
    world.replica.sweep()
    api.wake()
    sweeping.result()


def sweep_past_the_lease(world: World) -> None:
    """Until no upload waits for its lease to run out; a row that a frozen transaction holds is not waited for."""
    deadline = time.monotonic() + FROZEN_FOR_S
    while time.monotonic() < deadline and any(row.state == "pending" for row in world.rows()):
        world.replica.sweep()
        time.sleep(0.02)


def _recorded(world: World, case: str) -> tuple[Uploader, str]:
    """Somebody's recording."""
    world.heal()
    uploader = world.uploader()
    recording = recorded(world, f"{case}, before", uploader)
    assert recording
    return uploader, recording


def _leftovers(world: World, case: str) -> None:
    uploader, recording = _recorded(world, case)
    world.note(case, delete(uploader, recording))
    _vanished_upload(world, UserId(uploader.user))


def _vanished_upload(world: World, user: UserId) -> None:
    """As an API leaves it that died behind its first part, a lease ago."""
    store, now = world.services.sweep.store, datetime.now(UTC)
    recording = RecordingId(uuid4())
    key = object_key(user, recording, now)
    with world.services.sweep.database.begin() as db:
        recordings.add_pending(
            db, recording, user, key=key, title=None, created_at=now, lease=LeaseId(uuid4()), lease_s=-1
        )
    store.put_part(key, store.begin_multipart(key, ObjectHeaders()), 1, b"part one")
