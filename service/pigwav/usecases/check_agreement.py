"""Compares rows and objects in both directions, as streams, while the service runs."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from heapq import merge
from itertools import groupby
from typing import Final

from pigwav.db import claims
from pigwav.db.claims import Claim
from pigwav.db.session import Database
from pigwav.domain import ObjectKey, RecordingState
from pigwav.store.base import Catalog, OpenUpload, StoredObject

PREFIX: Final = "recordings/"
QUARANTINE: Final = "quarantine/"
"""The prefix to which `Quarantine` moves objects without a row. Nothing is ever removed from it."""


@dataclass(frozen=True)
class Agreement:
    """The keys of objects that disagree with their rows.

    - `checked`: number of ready recordings whose object was looked for.
    - `missing`: a ready recording has no object, or one of another size.
    - `orphans`: no row names the object.
    - `pending`: the upload's lease has expired, and `sweep` has not aborted it yet.
    - `open_uploads`: the multipart upload belongs to no live upload.
    - `quarantined`: number of objects in the quarantine, which is not a disagreement.
    """

    checked: int
    missing: list[ObjectKey] = field(default_factory=list)
    orphans: list[ObjectKey] = field(default_factory=list)
    pending: list[ObjectKey] = field(default_factory=list)
    open_uploads: list[ObjectKey] = field(default_factory=list)
    quarantined: int = 0

    @property
    def agreed(self) -> bool:
        return not (self.missing or self.orphans or self.pending or self.open_uploads)


@dataclass(frozen=True)
class CheckAgreement:
    """Blocking. Only disagreements are held in memory, however many recordings there are."""

    database: Database
    store: Catalog

    def __call__(self) -> Agreement:
        """Raises Unavailable."""
        checked = 0
        suspects: list[ObjectKey] = []
        for key, claim, stored in self._pairs():
            checked += claim is not None and claim.state is RecordingState.READY
            if not _agree(claim, stored):
                suspects.append(key)
        found = Agreement(checked, quarantined=sum(1 for _ in self.store.list(QUARANTINE)))
        # Rows and objects may have changed while both lists were read, so each suspect is checked again.
        for key in suspects:
            # Row, object, row: a disagreement counts only if the row is the same before and after the look-up.
            before, stored, claim = self.claim_of(key), self.store.stat(key), self.claim_of(key)
            if before != claim or _agree(claim, stored):
                continue
            if claim is None:
                found.orphans.append(key)
            elif claim.state is RecordingState.PENDING:
                found.pending.append(key)
            else:
                found.missing.append(key)
        found.open_uploads.extend(upload.key for upload in self.stray_uploads())
        return found

    def orphan(self, key: ObjectKey) -> StoredObject | None:
        """The object under `key` if no row names it before or after the object is looked for, else None."""
        before, stored, after = self.claim_of(key), self.store.stat(key), self.claim_of(key)
        return stored if before is None and after is None else None

    def claim_of(self, key: ObjectKey) -> Claim | None:
        with self.database.read() as db:
            return claims.claim_of(db, key)

    def stray_uploads(self) -> Iterator[OpenUpload]:
        """Open multipart uploads without a row or of a ready recording, except those that have ended meanwhile."""
        for upload in self.store.open_uploads():
            if not upload.key.startswith(PREFIX):
                continue
            claim = self.claim_of(upload.key)
            ours = claim is not None and claim.state is not RecordingState.READY
            if not ours and upload in self.store.open_uploads(upload.key):
                yield upload

    def _pairs(self) -> Iterator[tuple[ObjectKey, Claim | None, StoredObject | None]]:
        """Rows and objects, merged by key: both lists are in the order of the keys' bytes."""
        with self.database.begin() as db:
            rows = ((claim.object_key, claim) for claim in claims.claims(db))
            objects = ((stored.key, stored) for stored in self.store.list(PREFIX))
            merged = merge(rows, objects, key=lambda pair: pair[0].encode())
            for key, pairs in groupby(merged, key=lambda pair: pair[0]):
                found = [one for _, one in pairs]
                claim = next((one for one in found if isinstance(one, Claim)), None)
                stored = next((one for one in found if isinstance(one, StoredObject)), None)
                yield key, claim, stored


def _agree(claim: Claim | None, stored: StoredObject | None) -> bool:
    """A ready row requires an object of its size. A deleted row, or a pending row with a live lease, may have one."""
    if claim is None:
        return stored is None
    if claim.state is RecordingState.READY:
        return stored is not None and stored.size_bytes == claim.size_bytes
    return claim.state is RecordingState.DELETED or not claim.expired
