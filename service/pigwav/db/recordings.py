"""Queries for recordings."""

from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Final, TypeVar
from uuid import UUID

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Row,
    Select,
    bindparam,
    delete,
    func,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from pigwav.db.lookups import Lookup, Lookups
from pigwav.db.models import RecordingRow
from pigwav.domain import (
    AudioFacts,
    AudioWarning,
    ChannelLevels,
    Levels,
    MeasuredFrom,
    ObjectKey,
    Recording,
    RecordingFacts,
    RecordingId,
    RecordingState,
    StoredMp3,
    Tags,
    UserId,
    WavSource,
)

T = TypeVar("T", Tags, AudioWarning, ChannelLevels, Levels)

_DOCUMENTS: Final = ("source", "tags", "warnings", "levels")
AUDIO_FACTS: Final = tuple(field.name for field in fields(AudioFacts) if field.name not in _DOCUMENTS)
"""Facts with a column of the same name."""
SOURCE_FACTS: Final = tuple(field.name for field in fields(WavSource))
"""Facts in `AudioFacts.source`: each has a column with the prefix `source_`."""
_COLUMNS = (
    RecordingRow.id,
    RecordingRow.user_id,
    RecordingRow.title,
    RecordingRow.object_key,
    RecordingRow.ready_at,
    RecordingRow.size_bytes,
    RecordingRow.sha256,
    RecordingRow.tags,
    RecordingRow.warnings,
    RecordingRow.levels,
    *(getattr(RecordingRow, name) for name in AUDIO_FACTS),
    *(getattr(RecordingRow, f"source_{name}") for name in SOURCE_FACTS),
)
NEWEST_FIRST: Final = (RecordingRow.ready_at.desc(), RecordingRow.id.desc())


@dataclass(frozen=True)
class StoredAmount:
    """The number of a user's recordings that are ready or pending, and the bytes of the ready ones."""

    recordings: int
    size_bytes: int


def forget(db: Session, recording: RecordingId) -> None:
    """Deletes a row that never became ready, or whose bytes were deleted. Leaves a ready row alone."""
    db.execute(
        delete(RecordingRow).where(RecordingRow.id == recording, RecordingRow.state != RecordingState.READY)
    )


def leave_tombstone(
    db: Session, recording: RecordingId, *, key: ObjectKey, created_at: datetime, lease_s: float
) -> None:
    """Marks an upload deleted whose last call to the store may still take effect; sweep cleans up after `lease_s`.

    Adds a row if there is none: a sweep may have removed it when the upload had lost its lease.
    """
    keep_for_sweep(db, recording, key=key, created_at=created_at)
    db.execute(
        update(RecordingRow)
        .where(RecordingRow.id == recording, RecordingRow.state != RecordingState.READY)
        .values(
            state=RecordingState.DELETED, lease_id=None, lease_until=func.now() + timedelta(seconds=lease_s)
        )
    )


def keep_for_sweep(db: Session, recording: RecordingId, *, key: ObjectKey, created_at: datetime) -> None:
    """Adds a deleted row for an upload if it has no row, so that sweep removes its bytes."""
    row = insert(RecordingRow).values(
        id=recording, object_key=key, created_at=created_at, state=RecordingState.DELETED
    )
    db.execute(row.on_conflict_do_nothing(index_elements=[RecordingRow.id]))


def find(db: Session, recording: RecordingId, user: UserId) -> Recording | None:
    """The ready recording of exactly this user."""
    row = db.execute(select(*_COLUMNS).where(*_ready(recording, user))).one_or_none()
    return None if row is None else _recording(row)


async def find_mp3(lookups: Lookups, recording: RecordingId, user: UserId) -> StoredMp3 | None:
    """The MP3 of the ready recording of exactly this user."""
    row = await lookups.one(_mp3(), recording=str(recording), user=user)
    return None if row is None else StoredMp3(recording, *row)


def newest(
    db: Session, user: UserId, *, limit: int, before: tuple[datetime, RecordingId] | None = None
) -> list[Recording]:
    """At most `limit` ready recordings of the user, newest first, older than `before`."""
    query = select(*_COLUMNS).where(RecordingRow.user_id == user, RecordingRow.state == RecordingState.READY)
    if before is not None:
        query = query.where(tuple_(RecordingRow.ready_at, RecordingRow.id) < before)
    return [_recording(row) for row in db.execute(query.order_by(*NEWEST_FIRST).limit(limit))]


def among(db: Session, ids: Select[UUID]) -> list[Recording]:
    """The ready recordings whose ids a query returns, newest first."""
    query = select(*_COLUMNS).where(RecordingRow.id.in_(ids), RecordingRow.state == RecordingState.READY)
    return [_recording(row) for row in db.execute(query.order_by(*NEWEST_FIRST))]


def rename(db: Session, recording: RecordingId, user: UserId, title: str | None) -> Recording | None:
    statement = update(RecordingRow).where(*_ready(recording, user)).values(title=title).returning(*_COLUMNS)
    row = db.execute(statement).one_or_none()
    return None if row is None else _recording(row)


def mark_deleted(db: Session, recording: RecordingId, user: UserId) -> bool:
    """Marks a ready recording deleted; after the commit, `sweep` removes its bytes. False if there is none."""
    return _changed(db, *_ready(recording, user), values={"state": RecordingState.DELETED})


def stored_amount(db: Session, user: UserId) -> StoredAmount:
    query = select(func.count(), func.sum(RecordingRow.size_bytes)).where(
        RecordingRow.user_id
        == user,  # the conditions of the partial indexes; `<> 'deleted'` would not use them
        or_(RecordingRow.state == RecordingState.READY, RecordingRow.state == RecordingState.PENDING),
    )
    count, size_bytes = db.execute(query).one()
    return StoredAmount(count, int(size_bytes or 0))


def _ready(
    recording: RecordingId | BindParameter[UUID], user: UserId | BindParameter[int]
) -> tuple[ColumnElement[bool], ...]:
    return (
        RecordingRow.id == recording,
        RecordingRow.user_id == user,
        RecordingRow.state == RecordingState.READY,
    )


@cache
def _mp3() -> Lookup:
    row = RecordingRow
    columns = (row.title, row.object_key, row.ready_at, row.size_bytes, row.sha256)  # as in StoredMp3
    return Lookup(select(*columns).where(*_ready(bindparam("recording"), bindparam("user"))))


def _changed(db: Session, *where: ColumnElement[bool], values: dict[str, Any]) -> bool:
    statement = update(RecordingRow).where(*where).values(**values).returning(RecordingRow.id)
    return db.execute(statement).scalar_one_or_none() is not None


def _recording(row: Row[Any]) -> Recording:
    audio = AudioFacts(
        **{name: getattr(row, name) for name in AUDIO_FACTS},
        source=WavSource(**{name: getattr(row, f"source_{name}") for name in SOURCE_FACTS}),
        tags=_from_json(Tags, row.tags or {}),
        warnings=None
        if row.warnings is None
        else tuple(_from_json(AudioWarning, one) for one in row.warnings),
        levels=None if row.levels is None else _levels(row.levels),
    )
    return Recording(
        id=RecordingId(row.id),
        user_id=UserId(row.user_id),
        title=row.title,
        object_key=ObjectKey(row.object_key),
        ready_at=row.ready_at,
        facts=RecordingFacts(row.size_bytes, row.sha256, audio),
    )


def _levels(document: dict[str, Any]) -> Levels:
    channels = tuple(_from_json(ChannelLevels, channel) for channel in document["channels"])
    measured_from = MeasuredFrom(document.get("measured_from", MeasuredFrom.WAV))
    return _from_json(Levels, document | {"channels": channels, "measured_from": measured_from})


def _from_json(kind: type[T], document: dict[str, Any]) -> T:
    """A dataclass from a JSON column. A later release may have written more fields."""
    return kind(**{name: document[name] for name in _NAMES[kind] if name in document})


_NAMES: Final = {
    kind: tuple(field.name for field in fields(kind)) for kind in (Tags, AudioWarning, ChannelLevels, Levels)
}
