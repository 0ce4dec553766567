"""Search in a user's recordings by the words of their titles.

`search_words` of migration 0008 says what a word is. It puts the user's id in front of each word: the index has entries
of its own for each user, so the titles of other users cost nothing.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, TypeAlias
from uuid import UUID

from sqlalchemy import ColumnElement, Select, cast, func, select, tuple_
from sqlalchemy.dialects.postgresql import TSQUERY
from sqlalchemy.orm import Session

from pigwav.db import recordings
from pigwav.db.models import RecordingRow
from pigwav.domain import Recording, RecordingId, RecordingState, UserId

_READ_FIRST: Final = 1_000
_FEW_MATCHES: Final = 1_000
_READ_OF_MANY: Final = 4_000
"""Titles that are read if there are many matches. A page of 50 needs no more if one title in 80 matches; if fewer do, a
million titles have at most 12,500 matches to sort, spread evenly.
"""
_Titles: TypeAlias = "Select[UUID, datetime | None, int | None, str | None]"
_Found: TypeAlias = "Select[UUID, datetime | None]"


def matching(
    db: Session,
    user: UserId,
    sought: str,
    *,
    limit: int,
    before: tuple[datetime, RecordingId] | None = None,
) -> list[Recording]:
    """At most `limit` ready recordings of the user, newest first, older than `before`, whose titles have all words of
    `sought`. The last word may be the beginning of one. Empty if `sought` has no word.

    The index returns all matches, in no order, and Postgres can only guess their number. So the newest titles are read
    first: if words are frequent, these fill the page. Else a few matches are sorted; before many are, more titles are
    read.
    """
    words = db.execute(select(func.search_words(user, sought))).scalar_one()
    if not words:
        return []
    titles, query = _titles(user, before), cast(_all_of(words), TSQUERY)
    found = _page(db, _newest(titles, query, _READ_FIRST), limit)
    if len(found) < limit and _are_many(db, titles, query):
        found = _page(db, _newest(titles, query, _READ_OF_MANY), limit)
    return found if len(found) == limit else _page(db, _indexed(titles, query), limit)


def _are_many(db: Session, titles: _Titles, query: ColumnElement[Any]) -> bool:
    some = _matches(titles, query).limit(_FEW_MATCHES + 1).subquery()
    return db.execute(select(func.count()).select_from(some)).scalar_one() > _FEW_MATCHES


def _all_of(words: Sequence[str]) -> str:
    """A tsquery. `search_words` leaves no quotes and backslashes; the syntax does not depend on it."""
    escaped = [word.replace("\\", "\\\\").replace("'", "''") for word in words]
    return " & ".join(f"'{word}'" for word in escaped) + ":*"


def _titles(user: UserId, before: tuple[datetime, RecordingId] | None) -> _Titles:
    columns = (RecordingRow.id, RecordingRow.ready_at, RecordingRow.user_id, RecordingRow.title)
    query = select(*columns).where(RecordingRow.user_id == user, RecordingRow.state == RecordingState.READY)
    return query if before is None else query.where(tuple_(RecordingRow.ready_at, RecordingRow.id) < before)


def _newest(titles: _Titles, query: ColumnElement[Any], count: int) -> _Found:
    read = titles.order_by(*recordings.NEWEST_FIRST).limit(count).subquery()
    return select(read.c.id, read.c.ready_at).where(_match(read.c.user_id, read.c.title, query))


def _indexed(titles: _Titles, query: ColumnElement[Any]) -> _Found:
    found = _matches(titles, query).cte("found")
    # Without it, Postgres may read all titles by time to save the sort.
    found = found.prefix_with("MATERIALIZED", dialect="postgresql")
    return select(found.c.id, found.c.ready_at)


def _matches(titles: _Titles, query: ColumnElement[Any]) -> _Titles:
    return titles.where(_match(RecordingRow.user_id, RecordingRow.title, query))


def _match(user: Any, title: Any, query: ColumnElement[Any]) -> ColumnElement[bool]:
    """The expression is that of the index."""
    return func.array_to_tsvector(func.search_words(user, title)).bool_op("@@")(query)


def _page(db: Session, found: _Found, limit: int) -> list[Recording]:
    rows = found.subquery()
    ids = select(rows.c.id).order_by(rows.c.ready_at.desc(), rows.c.id.desc()).limit(limit)
    return recordings.among(db, ids)
