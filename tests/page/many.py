"""A long list of recordings, made of one in the database."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from sqlalchemy import Text, cast, delete, func, insert, join, select, true

from accounts import Account
from pigwav.db.models import RecordingRow
from serving import ServedApi


@contextmanager
def many_recordings(api: ServedApi, account: Account, count: int) -> Iterator[None]:
    """The account has `count` recordings more, with the titles "1" (newest) to `count`. Their links do not play."""
    original = RecordingRow.__table__.c
    number = func.generate_series(1, count).table_valued("number").render_derived()
    id_ = func.gen_random_uuid()
    changed = {
        "id": id_,
        "object_key": func.concat("recordings/none/", cast(func.gen_random_uuid(), Text)),
        "title": cast(number.c.number, Text),
        "ready_at": original.ready_at - func.make_interval(0, 0, 0, 0, 0, number.c.number),
    }
    first = UUID(account.recording()["id"])
    values = [changed.get(column.name, column) for column in original]
    rows = select(*values).select_from(join(RecordingRow, number, true())).where(original.id == first)
    with api.services.add_recording.database.begin() as db:
        db.execute(insert(RecordingRow).from_select([column.name for column in original], rows))
    try:
        yield
    finally:
        with api.services.add_recording.database.begin() as db:
            db.execute(
                delete(RecordingRow).where(RecordingRow.user_id == account.id, RecordingRow.id != first)
            )
