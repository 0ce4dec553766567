"""The fault matrix: SIGKILL and SIGSTOP at every step of an upload, a deletion and a sweep."""

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
from pigwav.db import uploading
from pigwav.domain import LeaseId, RecordingId, UserId, object_key
from pigwav.store.base import ObjectHeaders

FROZEN_FOR_S: Final = 4.0
"""Longer than a lease plus the wait for a lock that a frozen transaction holds."""


@dataclass(frozen=True)
class Interrupted:
    """An upload with an Idempotency-Key whose API process died."""

    case: str
    uploader: Uploader
    upload: Upload

    def try_again(self, world: World) -> None:
        """Repeats the upload at the replica until it succeeds or a repetition does not help."""
        for attempt in try_again(replace(self.uploader, port=world.replica.port), self.upload):
            last = world.note(self.case, attempt)
        if last.status != 201:
            world.complaints.append(f"{self.case}: all retries failed, last {last}")


def steps_of_upload(world: World, kind: str) -> list[str]:
    """The names of the steps, from a run without faults."""
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
        world.complaints.append(f"{case}: no process was killed, so the case proves nothing")
    return Interrupted(case, uploader, upload)


def kill_at_every_step_of_an_upload(world: World, kind: str) -> list[Interrupted]:
    steps = range(1, len(steps_of_upload(world, kind)) + 1)
    return [kill_in_upload(world, kind, step) for step in steps]


def steps_of_delete(world: World) -> list[str]:
    """The names of the steps, from a run without faults."""
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
    """The names of the steps of a sweep that finds a deleted recording and an abandoned upload with one stored part."""
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
    """While the API is frozen, the replica sweeps until no upload is pending."""
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
    """Kills Postgres or the S3 server while the API is frozen at a step.

    It is restarted before the API continues (`at_once`), or after the upload ended.
    """
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
    """While a sweep is frozen, the replica takes uploads, deletes, and sweeps when the lease has expired."""
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
    """Sweeps until no row is pending, at most FROZEN_FOR_S: a frozen transaction may hold a row for longer."""
    deadline = time.monotonic() + FROZEN_FOR_S
    while time.monotonic() < deadline and any(row.state == "pending" for row in world.rows()):
        world.replica.sweep()
        time.sleep(0.02)


def _recorded(world: World, case: str) -> tuple[Uploader, str]:
    """A new user and the id of their recording."""
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
    """Creates what an API leaves if it dies after part 1 of an upload: a row with an expired lease, and the part."""
    store, now = world.services.sweep.store, datetime.now(UTC)
    recording = RecordingId(uuid4())
    key = object_key(user, recording, now)
    with world.services.sweep.database.begin() as db:
        uploading.add_pending(
            db, recording, user, key=key, title=None, created_at=now, lease=LeaseId(uuid4()), lease_s=-1
        )
    store.put_part(key, store.begin_multipart(key, ObjectHeaders()), 1, b"part one")
