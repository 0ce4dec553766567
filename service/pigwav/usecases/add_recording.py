"""Converts and stores a WAV while it arrives, so that the link can be returned right after the last byte.

A `pending` row that names the object key is written before the first side effect; it becomes `ready` after the last
one. If anything fails in between, the row says exactly what to clean up: here at once, or in `sweep` after a crash.
"""

import time
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import AbstractContextManager, aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import uuid4

from sqlalchemy.orm import Session

from pigwav.audio.conversion import Conversion, ConversionResult, Converter
from pigwav.audio.id3_writer import id3_tag
from pigwav.audio.waveform import Waveform
from pigwav.capacity.open_uploads import OpenUploads
from pigwav.capacity.quota import Quota
from pigwav.db import idempotency_keys, recordings, uploading, users
from pigwav.db.session import Database
from pigwav.db.waveforms import OVERVIEW_POINTS
from pigwav.disposition import content_disposition
from pigwav.domain import (
    AudioFacts,
    IdempotencyKey,
    LeaseId,
    ObjectKey,
    Recording,
    RecordingFacts,
    RecordingId,
    UserId,
    mp3_name,
    object_key,
)
from pigwav.errors import (
    NotAuthenticated,
    ObjectChanged,
    ObjectMissing,
    SoundRefused,
    StoreUnavailable,
    Unavailable,
    UploadSuperseded,
)
from pigwav.executors import Executors, run_to_completion
from pigwav.shares import Clients
from pigwav.store.base import ObjectHeaders, UploadId, metadata_text
from pigwav.store.upload import StoredBytes, StreamingUpload, UploadTarget
from pigwav.store.upload_phase import Phase
from pigwav.telemetry.logs import log
from pigwav.telemetry.metrics import Metrics
from pigwav.titles import Titles
from pigwav.usecases.claim_idempotency_key import claim, earlier_recording
from pigwav.usecases.keep_leases import KeepLeases, Lease


@dataclass(frozen=True)
class Intent:
    """A recording whose upload is under way; the facts of its `pending` row."""

    id: RecordingId
    user: UserId
    title: str | None
    key: ObjectKey
    lease: LeaseId
    created_at: datetime
    idempotency_key: IdempotencyKey | None
    strict: frozenset[str]
    expected_bytes: int | None


@dataclass(frozen=True)
class AddRecording:
    database: Database
    store: UploadTarget
    executors: Executors
    converter: Converter
    leases: KeepLeases
    open_uploads: OpenUploads
    metrics: Metrics
    quota: Quota = Quota()  # noqa: RUF009 - immutable

    async def __call__(
        self,
        user: UserId,
        wav: AsyncIterator[bytes],
        *,
        titles: Titles = Titles(),  # noqa: B008 - immutable
        bitrate_kbps: int | None = None,
        idempotency_key: IdempotencyKey | None = None,
        strict: Collection[str] = (),
        max_wav_bytes: int | None = None,
        clients: Clients = (),
    ) -> Recording:
        """Convert and store `wav` while it arrives. `wav` must end only if the whole body is received and well-formed.

        `strict`: codes of warnings that make the upload fail.
        `max_wav_bytes`: `wav` is known not to be longer; None if nothing is known. `clients`: who shares the decoders.
        `idempotency_key`: if an earlier try under this key made a recording, that recording is returned and `wav` is
        not read.

        Raises BadAudio, UnsupportedBitRate, NotAuthenticated (the user was deleted), QuotaExceeded, Overloaded,
        IdempotencyKeyReused, UploadInProgress, RecordingNotFound (the recording made under this key was deleted),
        UploadSuperseded, Unavailable, and what `wav` and `titles.late` raise.
        After any of these errors nothing is left of the upload, here or in the store. If the store or the database
        does not answer, `sweep` cleans up later; after DatabaseUnavailable the recording may also be ready.
        """
        if idempotency_key and (made := await self.executors.db(self._earlier, user, idempotency_key)):
            return made
        async with aclosing(
            await self.converter.open(
                wav, bitrate_kbps=bitrate_kbps, max_wav_bytes=max_wav_bytes, clients=clients
            )
        ) as conversion:
            recording_id, now = RecordingId(uuid4()), datetime.now(UTC)
            intent = Intent(
                id=recording_id,
                user=user,
                title=titles.title(conversion.tags),
                key=object_key(user, recording_id, now),
                lease=LeaseId(uuid4()),
                created_at=now,
                idempotency_key=idempotency_key,
                strict=frozenset(strict),
                expected_bytes=conversion.expected_bytes,
            )
            with self.leases.renewed(intent.lease) as lease, self.open_uploads.memory() as hold:
                return await self._receive(intent, conversion, lease, hold, titles)

    async def _receive(
        self,
        intent: Intent,
        conversion: Conversion,
        lease: Lease,
        hold: Callable[[int], None],
        titles: Titles,
    ) -> Recording:
        upload = StreamingUpload(
            self.store,
            self.executors.store,
            intent.key,
            _headers(intent, conversion),
            predicted=conversion.expected_bytes is not None,
            on_begun=lambda upload_id: self.executors.db(self._note_upload, intent, upload_id),
        )
        tag = id3_tag(titles.shown(conversion.tags))
        try:
            if made := await self.executors.db(self._declare, intent):
                return made
            result = await _pour(tag, conversion, upload, lease, hold)
            last_byte_s = time.perf_counter()
            _check_sound(result.facts, intent.strict)
            if upload.is_whole:
                tag = id3_tag(titles.shown(result.facts.tags))
            stored = await self._finish(intent, upload, tag + result.first_frame)
            facts = RecordingFacts(stored.size_bytes, stored.sha256, result.facts)
            title = titles.title(result.facts.tags)
            recording = await self.executors.db(self._acknowledge, intent, facts, title, result.waveform)
        except BaseException:
            ready = await run_to_completion(self._settle(intent, upload))
            if ready is None:
                raise
            return ready
        self._count(recording, time.perf_counter() - last_byte_s)
        return recording

    async def _finish(self, intent: Intent, upload: StreamingUpload, head: bytes) -> StoredBytes:
        try:
            return await upload.finish(head)
        except (ObjectChanged, ObjectMissing) as error:
            if await self.executors.db(self._is_held, intent):
                raise
            raise UploadSuperseded from error  # the lease has ended, and the object was removed with it

    def _earlier(self, user: UserId, idempotency_key: IdempotencyKey) -> Recording | None:
        with self.database.read() as db:
            return earlier_recording(db, user, idempotency_key)

    def _declare(self, intent: Intent) -> Recording | None:
        """Write the `pending` row, or return the recording that another try has made meanwhile."""
        with self._transaction(intent) as db:
            if self._is_shared(intent) and (made := self._reserve(db, intent)):
                return made
            added = uploading.add_pending(
                db,
                intent.id,
                intent.user,
                key=intent.key,
                title=intent.title,
                created_at=intent.created_at,
                lease=intent.lease,
                lease_s=self.leases.lease_s,
            )
            if not added:
                raise NotAuthenticated
        return None

    def _transaction(self, intent: Intent) -> AbstractContextManager[Session]:
        return self.database.begin(one_statement=not self._is_shared(intent))

    def _is_shared(self, intent: Intent) -> bool:
        """Whether other uploads matter: those that use the same quota, or the same Idempotency-Key."""
        return self.quota.is_bounded or intent.idempotency_key is not None

    def _reserve(self, db: Session, intent: Intent) -> Recording | None:
        if not users.lock(db, intent.user, alone=self.quota.is_bounded):
            raise NotAuthenticated
        if intent.idempotency_key and (made := claim(db, intent.user, intent.idempotency_key, intent.id)):
            return made
        self._check_quota(db, intent.user, more=1, more_bytes=intent.expected_bytes or 0)
        return None

    def _check_quota(self, db: Session, user: UserId, *, more: int, more_bytes: int) -> None:
        """The caller holds the user's lock with `alone`, so that two uploads cannot both use the rest of the quota."""
        if self.quota.is_bounded:
            stored = recordings.stored_amount(db, user)
            self.quota.check(
                stored=stored.recordings, stored_bytes=stored.size_bytes, more=more, more_bytes=more_bytes
            )

    def _is_held(self, intent: Intent) -> bool:
        with self.database.begin() as db:
            return bool(uploading.renew_leases(db, [intent.lease], self.leases.lease_s))

    def _note_upload(self, intent: Intent, upload_id: UploadId) -> None:
        with self.database.begin() as db:
            if not uploading.note_upload(db, intent.lease, upload_id):
                raise UploadSuperseded

    def _acknowledge(
        self, intent: Intent, facts: RecordingFacts, title: str | None, waveform: Waveform
    ) -> Recording:
        """Make the recording ready, in one transaction. It locks in a fixed order: the user, the key, the recording."""
        with self._transaction(intent) as db:
            if self.quota.is_bounded:
                users.lock(db, intent.user, alone=True)
            self._check_quota(db, intent.user, more=0, more_bytes=facts.size_bytes)
            if intent.idempotency_key:
                idempotency_keys.acknowledge(db, intent.user, intent.idempotency_key, intent.id)
            ready_at = uploading.mark_ready(
                db,
                intent.lease,
                facts,
                title=title,
                dat=waveform.dat(),
                overview=waveform.magnitudes(OVERVIEW_POINTS),
            )
            if ready_at is None:
                raise UploadSuperseded  # also rolls back the key's acknowledgement
        return Recording(intent.id, intent.user, title, intent.key, ready_at, facts)

    async def _settle(self, intent: Intent, upload: StreamingUpload) -> Recording | None:
        """After a failure: return the recording if it was acknowledged nevertheless, else clean up and return None.

        The bytes are removed first, then the row that names them. If the store or the database does not answer,
        `sweep` cleans up later.
        """
        try:
            # Only a stored object is acknowledged, so only then may a commit have taken effect.
            if upload.phase is Phase.STORED and (ready := await self.executors.db(self._withdraw, intent)):
                return ready
            await self.executors.db(await self._after_abort(upload), intent)
        except Unavailable as trouble:
            log.warning("upload_left_to_sweep", recording=str(intent.id), reason=trouble.code)
        return None

    async def _after_abort(self, upload: StreamingUpload) -> Callable[[Intent], None]:
        """Removes the upload's bytes, and returns what to do with its row."""
        try:
            done = await upload.abort()
        except StoreUnavailable:
            return self._keep_for_sweep
        return self._leave_tombstone if done.repeat_later else self._forget

    def _withdraw(self, intent: Intent) -> Recording | None:
        """The recording if its row is `ready`; if not, the row can no longer become `ready`, and its bytes may go.

        The commit whose answer was lost may still be under way. It holds the row's lock, so this waits until it has
        ended. Raises DatabaseUnavailable if that takes too long; then nothing may be removed.
        """
        with self.database.begin() as db:
            self._mark_deleted(db, intent)
            return recordings.find(db, intent.id, intent.user)

    def _leave_tombstone(self, intent: Intent) -> None:
        """Makes `sweep` clean up again: a call that failed may still take effect in the store."""
        with self.database.begin() as db:
            self._mark_deleted(db, intent)

    def _keep_for_sweep(self, intent: Intent) -> None:
        """The row of a pending upload stays as it is until its lease has expired."""
        log.warning("upload_left_to_sweep", recording=str(intent.id), reason=StoreUnavailable.code)
        with self.database.begin() as db:
            recordings.keep_for_sweep(db, intent.id, key=intent.key, created_at=intent.created_at)

    def _mark_deleted(self, db: Session, intent: Intent) -> None:
        recordings.leave_tombstone(
            db, intent.id, key=intent.key, created_at=intent.created_at, lease_s=self.leases.lease_s
        )

    def _forget(self, intent: Intent) -> None:
        with self.database.begin() as db:
            recordings.forget(db, intent.id)

    def _count(self, recording: Recording, answer_s: float) -> None:
        audio, mp3_bytes = recording.facts.audio, recording.facts.size_bytes
        self.metrics.answer_seconds.observe(answer_s)
        self.metrics.wav_bytes.inc(audio.wav_size_bytes)
        self.metrics.mp3_bytes.inc(mp3_bytes)
        self.metrics.audio_seconds.inc(audio.duration_ms / 1000)
        log.info(
            "recording_stored",
            recording=str(recording.id),
            size_bytes=mp3_bytes,
            wav_size_bytes=audio.wav_size_bytes,
            duration_ms=audio.duration_ms,
            truncated=audio.truncated,
            warnings=[warning.code for warning in audio.warnings or ()],
            answer_ms=round(answer_s * 1000),
        )


async def _pour(
    tag: bytes, conversion: Conversion, upload: StreamingUpload, lease: Lease, hold: Callable[[int], None]
) -> ConversionResult:
    await upload.write(tag + conversion.first_frame)
    async with aclosing(conversion.frames()) as frames:
        async for block in frames:
            lease.check()
            await upload.write(block)
            hold(upload.held_bytes + conversion.held_bytes)
    return conversion.result()


def _check_sound(facts: AudioFacts, strict: frozenset[str]) -> None:
    """Raises SoundRefused."""
    refused = [warning for warning in facts.warnings or () if warning.code in strict]
    if refused:
        raise SoundRefused(
            " ".join(warning.detail for warning in refused), warnings=[warning.code for warning in refused]
        )


def _headers(intent: Intent, conversion: Conversion) -> ObjectHeaders:
    """The headers and metadata that S3 tools show. All of them are known before the first byte is converted."""
    source = conversion.source
    metadata = {
        "recording-id": str(intent.id),
        "user-id": str(intent.user),
        "source-codec": source.codec,
        "source-sample-rate-hz": str(source.sample_rate_hz),
        "source-channels": str(source.channels),
        "bitrate-kbps": str(conversion.bitrate_kbps),
    }
    if intent.title is not None:
        metadata["title"] = metadata_text(intent.title)
    if conversion.expected_duration_ms is not None:
        metadata["duration-ms"] = str(conversion.expected_duration_ms)
    return ObjectHeaders(
        content_disposition=content_disposition(mp3_name(intent.title, intent.id), inline=False),
        cache_control="private, no-cache",
        metadata=metadata,
    )
