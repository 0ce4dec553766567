"""A database whose disk is full raises its own error class."""

import pytest
from sqlalchemy import text

from pigwav.db.session import Database
from pigwav.errors import DatabaseUnavailable, StorageFull
from pigwav.settings import Settings


def run(settings: Settings, sqlstate: str) -> None:
    database = Database.open(settings.database)
    try:
        with database.begin() as db:
            db.execute(text(f"DO $$ BEGIN RAISE 'no space left' USING ERRCODE = '{sqlstate}'; END $$"))
    finally:
        database.close()


def test_a_full_disk_has_a_name_of_its_own(settings: Settings) -> None:
    with pytest.raises(StorageFull, match=r"no space left"):
        run(settings, "53100")


@pytest.mark.parametrize("sqlstate", ["53000", "53200", "53300", "57P03"])
def test_other_lacks_are_not_taken_for_it(settings: Settings, sqlstate: str) -> None:
    with pytest.raises(DatabaseUnavailable) as raised:
        run(settings, sqlstate)
    assert not isinstance(raised.value, StorageFull)
