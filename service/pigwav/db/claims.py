"""Queries for the objects that rows of recordings refer to."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, func, select, text
from sqlalchemy.orm import Session

from pigwav.db.models import RecordingRow
from pigwav.domain import ObjectKey, RecordingState


@dataclass(frozen=True)
class Claim:
    """A row's reference to an object. `expired`: the row has a lease and it has run out."""

    object_key: ObjectKey
    state: RecordingState
    size_bytes: int | None
    expired: bool


def claims(db: Session) -> Iterator[Claim]:
    """The claims of all rows, in the order in which S3 lists keys; streamed, a thousand rows at a time."""
    # The caller may work with the store for longer than the idle timeout. This transaction locks no row.
    db.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
    query = _claims().order_by(RecordingRow.object_key).execution_options(yield_per=1000)
    return map(_claim, db.execute(query))


def claim_of(db: Session, key: ObjectKey) -> Claim | None:
    row = db.execute(_claims().where(RecordingRow.object_key == key)).one_or_none()
    return None if row is None else _claim(row)


def _claims() -> Any:  # Any: a Select of four column types is too long to spell out
    expired = func.coalesce(RecordingRow.lease_until < func.now(), False)
    return select(
        RecordingRow.object_key, RecordingRow.state, RecordingRow.size_bytes, expired.label("expired")
    )


def _claim(row: Row[Any]) -> Claim:
    return Claim(ObjectKey(row.object_key), RecordingState(row.state), row.size_bytes, row.expired)
