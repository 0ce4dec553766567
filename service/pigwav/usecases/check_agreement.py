"""Do rows and objects say the same? Both ways, streaming, beside a running service."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from pigwav.db import recordings
from pigwav.db.recordings import Claim
from pigwav.db.session import Database
from pigwav.domain import ObjectKey, RecordingState
from pigwav.store.base import ObjectStore, StoredObject

PREFIX: Final = "recordings/"


@dataclass(frozen=True)
class Agreement:
    """Object keys, by what is wrong. `checked`: ready recordings whose object was looked for.

    missing: a ready recording has no object, or one of another size; orphans: an object that no row names;
    pending: an upload whose lease ran out and that `sweep` has not given up yet; open_uploads: multipart uploads
    that belong to no live upload.
    """

    checked: int
    missing: list[ObjectKey] = field(default_factory=list)
    orphans: list[ObjectKey] = field(default_factory=list)
    pending: list[ObjectKey] = field(default_factory=list)
    open_uploads: list[ObjectKey] = field(default_factory=list)

    @property
    def agreed(self) -> bool:
        return not (self.missing or self.orphans or self.pending or self.open_uploads)


@dataclass(frozen=True)
class CheckAgreement:
    """Blocking. Only disagreements are kept in memory, however many recordings there are."""

    database: Database
    store: ObjectStore

    def __call__(self) -> Agreement:
        """Raises Unavailable."""
        checked = 0
        suspects: list[ObjectKey] = []
        strangers: list[ObjectKey] = []
        pending: list[ObjectKey] = []
        for claim, stored in self._pairs():
            if claim is None:
                strangers += [stored.key] if stored else []
                continue
            checked += claim.state is RecordingState.READY
            if claim.state is RecordingState.PENDING and claim.expired:
                pending.append(claim.object_key)
            elif not _agrees(claim, stored):
                suspects.append(claim.object_key)
        # The world went on while both lists were read: what looked wrong is looked at once more.
        return Agreement(
            checked,
            missing=[key for key in suspects if not self._agrees_now(key)],
            orphans=[key for key in strangers if self._is_orphan(key)],
            pending=pending,
            open_uploads=list(self._stray_uploads()),
        )

    def _pairs(self) -> Iterator[tuple[Claim | None, StoredObject | None]]:
        """Rows and objects merged by key: both come in the same order."""
        with self.database.begin() as db:
            claims, objects = recordings.claims(db), self.store.list(PREFIX)
            claim, stored = next(claims, None), next(objects, None)
            while claim or stored:
                if stored is None or (claim and _order(claim.object_key) < _order(stored.key)):
                    yield claim, None
                    claim = next(claims, None)
                elif claim is None or _order(stored.key) < _order(claim.object_key):
                    yield None, stored
                    stored = next(objects, None)
                else:
                    yield claim, stored
                    claim, stored = next(claims, None), next(objects, None)

    def _claim_of(self, key: ObjectKey) -> Claim | None:
        with self.database.read() as db:
            return recordings.claim_of(db, key)

    def _agrees_now(self, key: ObjectKey) -> bool:
        claim = self._claim_of(key)
        return claim is None or _agrees(claim, self.store.stat(key))

    def _is_orphan(self, key: ObjectKey) -> bool:
        return (
            self._claim_of(key) is None and self.store.stat(key) is not None and self._claim_of(key) is None
        )

    def _stray_uploads(self) -> Iterator[ObjectKey]:
        for upload in self.store.open_uploads():
            claim = self._claim_of(upload.key)
            if claim is None or claim.state is RecordingState.READY:
                yield upload.key


def _agrees(claim: Claim, stored: StoredObject | None) -> bool:
    """Only a ready row promises an object; a pending or deleted one may have it or not."""
    return claim.state is not RecordingState.READY or (
        stored is not None and stored.size_bytes == claim.size_bytes
    )


def _order(key: ObjectKey) -> bytes:
    return key.encode()
