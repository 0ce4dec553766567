"""Queries for the row of an upload, until it is acknowledged.

`add_pending` and `mark_ready` are one statement each, so that they need no BEGIN and no COMMIT. Their statements are
built once and on tables: SQLAlchemy takes longer to build an ORM statement than Postgres to execute it.
"""

from collections.abc import Collection
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any, Final, cast

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Interval,
    Table,
    bindparam,
    func,
    insert,
    literal,
    select,
    update,
)
from sqlalchemy.orm import Session

from pigwav.db.models import RecordingRow, UserRow, WaveformRow
from pigwav.db.recordings import AUDIO_FACTS, SOURCE_FACTS
from pigwav.domain import LeaseId, ObjectKey, RecordingFacts, RecordingId, RecordingState, UserId

_FACTS: Final = (
    *("size_bytes", "sha256", "tags", "warnings", "levels"),
    *AUDIO_FACTS,
    *(f"source_{name}" for name in SOURCE_FACTS),
)
"""The columns of `RecordingFacts`."""

_TABLE: Final = cast("Table", RecordingRow.__table__)
_WAVEFORMS: Final = cast("Table", WaveformRow.__table__)


def _parameter(column: ColumnElement[Any]) -> BindParameter[Any]:
    return bindparam(column.key, type_=column.type)


_OWNER: Final = (
    select(UserRow.id)
    .where(UserRow.id == bindparam("user_id"))
    .with_for_update(read=True, key_share=True)
    .subquery()
)
_ADD_PENDING: Final = (
    insert(_TABLE)
    .from_select(
        ["user_id", "state", "lease_until", "id", "object_key", "title", "created_at", "lease_id"],
        select(
            _OWNER.c.id,
            literal(RecordingState.PENDING.value),
            func.now() + bindparam("lease", type_=Interval),
            *(_parameter(_TABLE.c[name]) for name in ("id", "object_key", "title", "created_at", "lease_id")),
        ),
    )
    .returning(_TABLE.c.id)
)
_READY: Final = (
    update(_TABLE)
    .where(_TABLE.c.lease_id == bindparam("lease"), _TABLE.c.state == RecordingState.PENDING)
    .values(
        state=RecordingState.READY,
        ready_at=func.clock_timestamp(),
        lease_id=None,
        lease_until=None,
        upload_id=None,
        **{name: _parameter(_TABLE.c[name]) for name in ("title", *_FACTS)},
    )
    .returning(_TABLE.c.id, _TABLE.c.ready_at)
    .cte()
)
_WITH_WAVEFORM: Final = (
    insert(_WAVEFORMS)
    .from_select(
        ["recording_id", "dat", "overview"],
        select(_READY.c.id, _parameter(_WAVEFORMS.c.dat), _parameter(_WAVEFORMS.c.overview)),
    )
    .cte()
)
_MARK_READY: Final = select(_READY.c.ready_at).add_cte(_WITH_WAVEFORM)


def add_pending(
    db: Session,
    recording: RecordingId,
    user: UserId,
    *,
    key: ObjectKey,
    title: str | None,
    created_at: datetime,
    lease: LeaseId,
    lease_s: float,
) -> bool:
    """Adds a pending row. False if there is no such user."""
    added = db.execute(
        _ADD_PENDING,
        {
            "id": recording,
            "user_id": user,
            "object_key": key,
            "title": title,
            "created_at": created_at,
            "lease_id": lease,
            "lease": timedelta(seconds=lease_s),
        },
    )
    return added.scalar_one_or_none() is not None


def note_upload(db: Session, lease: LeaseId, upload_id: str) -> bool:
    """Stores the id of the multipart upload before its first part is sent. False if the lease is lost."""
    statement = (
        update(RecordingRow)
        .where(RecordingRow.lease_id == lease, RecordingRow.state == RecordingState.PENDING)
        .values(upload_id=upload_id)
    )
    return db.execute(statement.returning(RecordingRow.id)).scalar_one_or_none() is not None


def renew_leases(db: Session, leases: Collection[LeaseId], lease_s: float) -> set[LeaseId]:
    """Renews those of `leases` that are still held for `lease_s` seconds from now, and returns them."""
    statement = (
        update(RecordingRow)
        .where(RecordingRow.state == RecordingState.PENDING, RecordingRow.lease_id.in_(leases))
        .values(lease_until=func.now() + timedelta(seconds=lease_s))
        .returning(RecordingRow.lease_id)
    )
    return {LeaseId(lease) for lease in db.execute(statement).scalars() if lease is not None}


def mark_ready(
    db: Session, lease: LeaseId, facts: RecordingFacts, *, title: str | None, dat: bytes, overview: bytes
) -> datetime | None:
    """Marks the recording ready, and adds its waveform: its object is complete. Returns `ready_at`.

    None if the lease is lost; then nothing is changed.
    """
    values = {"lease": lease, "title": title, "dat": dat, "overview": overview, **_columns_of(facts)}
    return db.execute(_MARK_READY, values).scalar_one_or_none()


def _columns_of(facts: RecordingFacts) -> dict[str, Any]:
    audio = facts.audio
    return {
        "size_bytes": facts.size_bytes,
        "sha256": facts.sha256,
        **{name: getattr(audio, name) for name in AUDIO_FACTS},
        **{f"source_{name}": getattr(audio.source, name) for name in SOURCE_FACTS},
        "tags": {name: said for name, said in asdict(audio.tags).items() if said is not None} or None,
        "warnings": None if audio.warnings is None else [asdict(warning) for warning in audio.warnings],
        "levels": None if audio.levels is None else asdict(audio.levels),
    }
