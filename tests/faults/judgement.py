"""Checks after every fault: no acknowledged recording is lost, nothing else is left, every client got a response."""

import hashlib
import time
from collections import Counter
from collections.abc import Iterator
from typing import Final

from faults.uploaders import EVERYTHING, HUNG, Answer, call
from faults.world import LEASE_S, Noted, World
from problem_assertions import is_sentence

SETTLED_WITHIN_S: Final = LEASE_S + 20
UNSURE: Final = "database-unavailable"
"""The code if the database vanishes during the commit: the service cannot know whether the recording exists."""


def judge(world: World) -> list[str]:
    """Sweeps, then returns what is wrong after the attempts in `world.noted`; each finding names its case."""
    return [
        *world.complaints,
        *(f"{noted.case}: {fault}" for noted in world.noted for fault in _rudeness(noted)),
        *_unsettled(world),
        *_left_over(world),
        *_unexplained(world),
        *_lost(world),
    ]


def _rudeness(noted: Noted) -> Iterator[str]:
    """Missing or bad responses to a client that waited for one."""
    attempt, answer = noted.attempt, noted.attempt.answer
    if answer is None:
        if attempt.stayed and noted.lived:
            yield f"{attempt.what}: the connection ended without an answer"
    elif answer is HUNG:
        yield f"{attempt.what}: no answer before the timeout"
    elif answer.status >= 300:
        yield from (f"{attempt.what}: {answer.status} {fault}" for fault in _flaws(answer))


def _flaws(answer: Answer) -> Iterator[str]:
    """What is wrong with a refusal."""
    document, status = answer.document, answer.status
    if answer.headers.get("content-type") != "application/problem+json" or "code" not in document:
        yield f"is not a problem document: {answer.body[:200]!r}"
        return
    if not is_sentence(document.get("detail", document["title"])):
        yield f"has no sentence as detail: {document}"
    if status >= 500 and status not in (503, 507):
        yield f"is a server error: {document}"
    if status in (503, 507) and not answer.headers.get("retry-after", "").isdecimal():
        yield f"has no Retry-After: {document}"


def _unsettled(world: World) -> Iterator[str]:
    """Sweeps until no upload is open, every row is ready and no decoder runs. What is left after SETTLED_WITHIN_S is
    stale.
    """
    deadline = time.monotonic() + SETTLED_WITHIN_S
    while True:
        open_uploads = world.open_uploads()
        world.services.sweep()
        stale = [row for row in world.rows() if row.state != "ready"]
        decoders = world.decoders()
        if not stale and not decoders and not open_uploads:
            return
        if time.monotonic() > deadline:
            break
        time.sleep(0.02)
    yield from (f"{_case_of(world, row.user)}: stale row: {row}" for row in stale)
    if open_uploads:
        yield f"{open_uploads:g} uploads are still open"
    yield from (f"ffmpeg still runs as process {process.pid}" for process in decoders)


def _left_over(world: World) -> Iterator[str]:
    """Rows without objects and objects without rows. Open uploads are listed per key: MinIO lists only exact keys."""
    agreement = world.services.check_agreement()
    for what in ("missing", "orphans", "pending", "open_uploads"):
        for key in getattr(agreement, what):
            stored = world.services.sweep.store.stat(key)
            if what == "orphans" and (stored is None or world.is_late(stored)):
                continue
            yield f"{_case_of_key(world, key)}: {what}: {key}"
    for key in world.seen_keys():
        for upload in world.services.sweep.store.open_uploads(key):
            yield f"{_case_of_key(world, key)}: open multipart upload: {upload}"


def _unexplained(world: World) -> Iterator[str]:
    """Rows that must not exist.

    A refused upload has no row. An upload without a response may have one. An Idempotency-Key has at most one.
    """
    last = {noted.attempt.upload.sha256: noted for noted in world.noted if noted.attempt.upload}
    seen: Counter[str] = Counter()
    for row in world.rows():
        sha256 = row.wav_sha256 or ""
        noted = last.get(sha256)
        seen[sha256] += 1
        if noted is None:
            yield f"{_case_of(world, row.user)}: a recording that no client sent: {row}"
        elif noted.attempt.answer and _refused(noted.attempt.answer):
            yield f"{noted.case}: {noted.attempt.what}: {noted.outcome}, but the row exists: {row}"
        elif _once(noted) and seen[sha256] > 1:
            yield f"{noted.case}: {noted.attempt.what}: {seen[sha256]} rows under one Idempotency-Key"


def _once(noted: Noted) -> bool:
    return noted.attempt.upload is not None and bool(noted.attempt.upload.once)


def _refused(answer: Answer) -> bool:
    return answer is not HUNG and answer.status != 201 and answer.document.get("code") != UNSURE


def _lost(world: World) -> Iterator[str]:
    """Recordings that do not play, whether the uploader got a 201 or no response."""
    told: set[str] = set()
    for noted in world.noted:
        attempt = noted.attempt
        if attempt.upload is None or attempt.answer is None or attempt.status != 201:
            continue
        said = attempt.answer.document
        told.add(said["id"])
        if said["wav_sha256"] != attempt.upload.sha256:
            yield f"{noted.case}: {attempt.what}: acknowledged as another WAV"
        for fault in _unplayable(world, said["id"], attempt.user, said["sha256"]):
            yield f"{noted.case}: {attempt.what}: {fault}"
    for row in world.rows():
        if row.id not in told and row.user is not None:
            for fault in _unplayable(world, row.id, row.user):
                yield f"{_case_of(world, row.user)}: {fault}"


def _unplayable(world: World, recording: str, user: int, sha256: str | None = None) -> Iterator[str]:
    """What is wrong with a recording's link. A deletion without a response may have taken effect or not."""
    deletions = [*_deletions(world, recording, user)]
    answer = _listened(world, f"/record?id={recording}&user={user}")
    status = answer and answer.status
    if deletions and status == 404:
        return
    if 204 in deletions:
        yield f"the link of the deleted {recording} answers {status}"
    elif answer is None or status != 200:
        yield f"the link of {recording} answers {status}"
    else:
        of_bytes = hashlib.sha256(answer.body).hexdigest()
        if not answer.headers["etag"].strip('"') == of_bytes == (sha256 or of_bytes):
            yield f"the link of {recording} plays other bytes than were stored"


def _listened(world: World, path: str) -> Answer | None:
    """GET that is repeated after a 503."""
    deadline = time.monotonic() + SETTLED_WITHIN_S
    while True:
        answer = call(world.replica.port, "GET", path)
        if answer is None or answer.status != 503 or time.monotonic() > deadline:
            return answer
        time.sleep(0.1)


def _deletions(world: World, recording: str, user: int) -> Iterator[int | None]:
    """The statuses of all requests that would have deleted the recording."""
    for attempt in (noted.attempt for noted in world.noted):
        if attempt.deletes == recording or (attempt.deletes == EVERYTHING and attempt.user == user):
            yield attempt.status


def _case_of(world: World, user: int | None) -> str:
    return next((noted.case for noted in world.noted if noted.attempt.user == user), f"user {user}")


def _case_of_key(world: World, key: str) -> str:
    return _case_of(world, int(key.split("/")[1]))
