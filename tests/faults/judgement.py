"""The one judgement after every fault: nothing acknowledged is lost, nothing else is left, and everybody was told."""

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
"""Where the database vanished in the very commit, the service cannot know whether it has the recording."""


def judge(world: World) -> list[str]:
    """What is wrong after the attempts that the world has noted, each finding with the name of its case. Sweeps."""
    return [
        *world.complaints,
        *(f"{noted.case}: {fault}" for noted in world.noted for fault in _rudeness(noted)),
        *_unsettled(world),
        *_left_over(world),
        *_unexplained(world),
        *_lost(world),
    ]


def _rudeness(noted: Noted) -> Iterator[str]:
    """What a client that waited may complain of."""
    attempt, answer = noted.attempt, noted.attempt.answer
    if answer is None:
        if attempt.stayed and noted.lived:
            yield f"{attempt.what}: the connection was dropped without an answer"
    elif answer is HUNG:
        yield f"{attempt.what}: it got no answer"
    elif answer.status >= 300:
        yield from (f"{attempt.what}: {answer.status} {fault}" for fault in _flaws(answer))


def _flaws(answer: Answer) -> Iterator[str]:
    """Of a refusal."""
    document, status = answer.document, answer.status
    if answer.headers.get("content-type") != "application/problem+json" or "code" not in document:
        yield f"is no problem document: {answer.body[:200]!r}"
        return
    if not is_sentence(document.get("detail", document["title"])):
        yield f"says no sentence: {document}"
    if status >= 500 and status not in (503, 507):
        yield f"is a server's error: {document}"
    if status in (503, 507) and not answer.headers.get("retry-after", "").isdecimal():
        yield f"says not when to try again: {document}"


def _unsettled(world: World) -> Iterator[str]:
    """Sweep until no row waits for it and no decoder runs; whatever then is left is stale."""
    deadline = time.monotonic() + SETTLED_WITHIN_S
    while True:
        world.services.sweep()
        stale = [row for row in world.rows() if row.state != "ready"]
        decoders = world.decoders()
        if not stale and not decoders:
            return
        if time.monotonic() > deadline:
            break
        time.sleep(0.02)
    yield from (f"{_case_of(world, row.user)}: stale row: {row}" for row in stale)
    yield from (f"ffmpeg runs on as process {process.pid}" for process in decoders)


def _left_over(world: World) -> Iterator[str]:
    """What rows and objects say of each other; and each key by itself, for MinIO lists uploads by exact keys."""
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
    """Whoever was refused must not have a recording; whoever was told nothing may have one; one with a key has one."""
    last = {noted.attempt.upload.sha256: noted for noted in world.noted if noted.attempt.upload}
    seen: Counter[str] = Counter()
    for row in world.rows():
        sha256 = row.wav_sha256 or ""
        noted = last.get(sha256)
        seen[sha256] += 1
        if noted is None:
            yield f"{_case_of(world, row.user)}: a recording that nobody sent: {row}"
        elif noted.attempt.answer and _refused(noted.attempt.answer):
            yield f"{noted.case}: {noted.attempt.what}: {noted.outcome}, but it is there: {row}"
        elif _once(noted) and seen[sha256] > 1:
            yield f"{noted.case}: {noted.attempt.what}: it is there {seen[sha256]} times under one Idempotency-Key"


def _once(noted: Noted) -> bool:
    return noted.attempt.upload is not None and bool(noted.attempt.upload.once)


def _refused(answer: Answer) -> bool:
    return answer is not HUNG and answer.status != 201 and answer.document.get("code") != UNSURE


def _lost(world: World) -> Iterator[str]:
    """Every acknowledged recording plays, and so does one whose uploader never heard of it."""
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
    """Whether a link does not do what was promised. A deletion that was not answered may have come through or not."""
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
    """By somebody who tries again when they are told to."""
    deadline = time.monotonic() + SETTLED_WITHIN_S
    while True:
        answer = call(world.replica.port, "GET", path)
        if answer is None or answer.status != 503 or time.monotonic() > deadline:
            return answer
        time.sleep(0.1)


def _deletions(world: World, recording: str, user: int) -> Iterator[int | None]:
    """The answers to all that would have deleted it."""
    for attempt in (noted.attempt for noted in world.noted):
        if attempt.deletes == recording or (attempt.deletes == EVERYTHING and attempt.user == user):
            yield attempt.status


def _case_of(world: World, user: int | None) -> str:
    return next((noted.case for noted in world.noted if noted.attempt.user == user), f"user {user}")


def _case_of_key(world: World, key: str) -> str:
    return _case_of(world, int(key.split("/")[1]))
