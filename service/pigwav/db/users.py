"""Queries about users."""

from sqlalchemy import delete, func, literal, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from pigwav.db.models import IdempotencyKeyRow, RecordingRow, UserRow
from pigwav.domain import RecordingState, User, UserId, UserSummary


def add(db: Session, name: str, token_sha256: bytes) -> UserId | None:
    """The new user's id; None when the name is taken."""
    statement = (
        insert(UserRow)
        .values(name=name, token_sha256=token_sha256)
        .on_conflict_do_nothing(constraint="users_name_key")
        .returning(UserRow.id)
    )
    found = db.execute(statement).scalar_one_or_none()
    return None if found is None else UserId(found)


def by_token(db: Session, token_sha256: bytes) -> User | None:
    """The token's user. One row comes back either way, so that the time does not tell whether there is one."""
    asked = select(literal(token_sha256).label("sha256")).subquery()
    query = select(UserRow.id, UserRow.name).select_from(asked)
    row = db.execute(query.outerjoin(UserRow, UserRow.token_sha256 == asked.c.sha256)).one()
    return None if row.id is None else User(UserId(row.id), row.name)


def summaries(db: Session, *, after: UserId, limit: int) -> list[UserSummary]:
    """At most `limit` users by id, beginning behind `after`."""
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
    """False when there is no such user any more."""
    statement = (
        update(UserRow).where(UserRow.id == user).values(token_sha256=token_sha256).returning(UserRow.id)
    )
    return db.execute(statement).scalar_one_or_none() is not None


def lock(db: Session, user: UserId, *, alone: bool = False, to_delete: bool = False) -> bool:
    """Keep the user from vanishing (or, `to_delete`, from gaining recordings) until the transaction ends.

    `alone`: nobody else who asks so is at work for this user meanwhile. False when there is no such user.
    """
    query = select(UserRow.id).where(UserRow.id == user)
    query = query.with_for_update(read=not (alone or to_delete), key_share=not to_delete)
    return db.execute(query).scalar_one_or_none() is not None


def remove(db: Session, user: UserId) -> None:
    """The user goes now; their recordings are disowned and marked, so that `sweep` removes the bytes.

    An upload that is open loses its lease, and sweep waits until that would have run out.
    """
    # The keys first: an upload that is being acknowledged locks in this order.
    db.execute(delete(IdempotencyKeyRow).where(IdempotencyKeyRow.user_id == user))
    db.execute(
        update(RecordingRow)
        .where(RecordingRow.user_id == user)
        .values(state=RecordingState.DELETED, user_id=None, lease_id=None)
    )
    db.execute(delete(UserRow).where(UserRow.id == user))
