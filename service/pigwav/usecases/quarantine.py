"""Moves objects and multipart uploads without a row to the quarantine. No data is lost: an original is deleted only
after its copy has been read back.

Every step may be repeated. A live upload is never touched: its row is written before any of its bytes.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final

from pigwav.db.job_leases import Job
from pigwav.domain import ObjectKey
from pigwav.errors import ObjectMissing, StoreUnavailable, Unavailable
from pigwav.store.base import ObjectStore, OpenUpload, StoredObject
from pigwav.store.read_back import sha256_of
from pigwav.usecases.check_agreement import QUARANTINE, Agreement, CheckAgreement
from pigwav.usecases.single_runner import SingleRunner

STRAY_AFTER: Final = timedelta(hours=24)
"""A younger multipart upload may belong to an operator who is restoring an object."""

_YOUNG: Final = "begun less than 24 hours ago"
_TAKEN: Final = "it has parts, and completing it could replace the object under this key"
_FOREIGN: Final = (
    "no recording of this database has its object in this bucket: check that both are the right ones"
)


@dataclass(frozen=True)
class Quarantined:
    """The result of one run.

    - `left`: what still disagrees; if the run broke off, what disagreed before it.
    - `moved`: old key to new key.
    - `aborted`: keys of multipart uploads without parts.
    - `kept`: keys that were not moved, and why.
    - `broken_off`: the reason, if the database or the store stopped answering during the run.
    - `ran`: False if another process was running the quarantine.
    """

    left: Agreement
    moved: dict[ObjectKey, ObjectKey] = field(default_factory=dict)
    aborted: list[ObjectKey] = field(default_factory=list)
    kept: dict[ObjectKey, str] = field(default_factory=dict)
    broken_off: str | None = None
    ran: bool = True


@dataclass(frozen=True)
class Quarantine:
    """Blocking: run it in a process of its own, while the service runs."""

    store: ObjectStore
    check: CheckAgreement
    runner: SingleRunner
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    def __call__(self) -> Quarantined:
        """Raises Unavailable only before anything is changed; later, `broken_off` says so."""
        with self.runner(Job.QUARANTINE) as mine:
            found = self.check()
            if not mine or found.agreed:
                return Quarantined(found, ran=mine)
            done = Quarantined(found)
            try:
                self._put_aside(found, done)
                return replace(done, left=self.check())
            except Unavailable as error:
                return replace(done, broken_off=str(error))

    def _put_aside(self, found: Agreement, done: Quarantined) -> None:
        if len(found.missing) == found.checked:
            done.kept.update(dict.fromkeys([*found.orphans, *found.open_uploads], _FOREIGN))
            return
        for key in found.orphans:
            self._try(key, done, partial(self._move, key, done))
        for upload in self.check.stray_uploads():
            self._try(upload.key, done, partial(self._close, upload, done))

    def _try(self, key: ObjectKey, done: Quarantined, fix: Callable[[], None]) -> None:
        """An object that cannot be moved (because of a legal hold, for example) must not stop the others."""
        try:
            fix()
        except StoreUnavailable as error:
            self.store.check()  # raises if the store itself does not answer
            done.kept[key] = str(error)

    def _move(self, key: ObjectKey, done: Quarantined) -> None:
        """Does nothing if the object is no longer an orphan; at worst, a copy of it remains in the quarantine."""
        stored = self.check.orphan(key)
        if stored is None:
            return
        try:
            copy = self._copy(stored)
        except ObjectMissing:
            return
        if self.check.orphan(key) == stored:
            self.store.delete(key, keep_versions=True)  # doctor destroys nothing
            done.moved[key] = copy

    def _copy(self, stored: StoredObject) -> ObjectKey:
        """Copies the object, reads the copy back, and returns its key. A key that has other bytes is not used."""
        ours = self._sha256(stored)
        target = ObjectKey(f"{QUARANTINE}{stored.key}")
        there = self.store.stat(target)
        if there is not None and self._sha256(there) != ours:
            target = ObjectKey(f"{target}.{ours.hex()}")
            there = self.store.stat(target)
        if there is None:
            # An interrupted copy may have left multipart uploads. They can be aborted: its source still exists.
            for upload in [*self.store.open_uploads(target)]:
                self.store.abort_multipart(target, upload.upload_id)
            self.store.copy(stored.key, target)
            there = self.store.stat(target)
        if there is None or self._sha256(there) != ours:
            raise StoreUnavailable("The copy in the quarantine has other bytes than the original.")
        return target

    def _sha256(self, stored: StoredObject) -> bytes:
        return sha256_of(self.store, stored.key, stored.size_bytes)

    def _close(self, upload: OpenUpload, done: Quarantined) -> None:
        """S3 cannot move parts, so an upload that has parts is completed, and its object is moved."""
        key, upload_id = upload.key, upload.upload_id
        parts = self.store.parts(key, upload_id)
        if upload.begun_at is None or self.now() - upload.begun_at < STRAY_AFTER:
            done.kept[key] = _YOUNG
        elif not parts:
            self.store.abort_multipart(key, upload_id)
            done.aborted.append(key)
        elif self.check.claim_of(key) or self.store.stat(key):
            done.kept[key] = _TAKEN
        else:
            self.store.complete_multipart(key, upload_id, parts)
            self._move(key, done)
