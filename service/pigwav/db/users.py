"""Queries for users."""

from typing import Final

from sqlalchemy import bindparam, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from pigwav.db.models import IdempotencyKeyRow, RecordingRow, UserRow
from pigwav.domain import RecordingState, User, UserId, UserSummary

_ASKED = select(bindparam("token_sha256", type_=UserRow.token_sha256.type).label("sha256")).subquery()
_BY_TOKEN: Final = (
    select(UserRow.id, UserRow.name)
    .select_from(_ASKED)
    .outerjoin(UserRow, UserRow.token_sha256 == _ASKED.c.sha256)
)


def add(db: Session, name: str, token_sha256: bytes) -> UserId | None:
    """Adds a user and returns the id; None if the name is taken."""
    statement = (
        insert(UserRow)
        .values(name=name, token_sha256=token_sha256)
        .on_conflict_do_nothing(constraint="users_name_key")
        .returning(UserRow.id)
    )
    found = db.execute(statement).scalar_one_or_none()
    return None if found is None else UserId(found)


def by_token(db: Session, token_sha256: bytes) -> User | None:
    """The token's user, or None. The query returns one row in both cases, so that its time does not reveal which."""
    row = db.connection().execute(_BY_TOKEN, {"token_sha256": token_sha256}).one()
    return None if row.id is None else User(UserId(row.id), row.name)


def summaries(db: Session, *, after: UserId, limit: int) -> list[UserSummary]:
    """At most `limit` users, ordered by id, with ids above `after`."""
    playing = (
        select(func.count())
        .where(RecordingRow.user_id == UserRow.id, RecordingRow.state == RecordingState.READY)
        .correlate(UserRow)
        .scalar_subquery()
    )
    query = select(UserRow.id, UserRow.name, UserRow.created_at, playing.label("recordings"))
    rows = db.execute(query.where(UserRow.id > after).order_by(UserRow.id).limit(limit))
    return [UserSummary(User(UserId(row.id), row.name), row.created_at, row.recordings) for row in rows]


def replace_token(db: Session, user: UserId, token_sha256: bytes) -> bool:
    """False if there is no such user."""
    statement = (
        update(UserRow).where(UserRow.id == user).values(token_sha256=token_sha256).returning(UserRow.id)
    )
    return db.execute(statement).scalar_one_or_none() is not None


def lock(db: Session, user: UserId, *, alone: bool = False, to_delete: bool = False) -> bool:
    """Locks the user's row until the transaction ends, so that nobody deletes the user. False if there is no such user.

    `alone`: excludes other transactions that lock this user with `alone`. `to_delete`: nobody can add recordings.
    """
    query = select(UserRow.id).where(UserRow.id == user)
    query = query.with_for_update(read=not (alone or to_delete), key_share=not to_delete)
    return db.execute(query).scalar_one_or_none() is not None


def remove(db: Session, user: UserId) -> None:
    """Deletes the user. The recordings lose their owner and are marked deleted; `sweep` removes their bytes.

    An open upload loses its lease; sweep waits until the lease would have run out.
    """
    # Keys first: `acknowledge` locks in the same order.
    db.execute(delete(IdempotencyKeyRow).where(IdempotencyKeyRow.user_id == user))
    db.execute(
        update(RecordingRow)
        .where(RecordingRow.user_id == user)
        .values(state=RecordingState.DELETED, user_id=None, lease_id=None)
    )
    db.execute(delete(UserRow).where(UserRow.id == user))
