"""Indexes that are made while the service writes, because they need long for a large table."""

from typing import Final

from sqlalchemy import Connection, Index, text
from sqlalchemy.schema import CreateIndex, DropIndex

from pigwav.db.models import Row

_STATE: Final = text("SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(:name)")


def make_concurrent_indexes(connection: Connection) -> None:
    """Makes those of the models that are missing, or that an earlier try has left incomplete.

    The connection is in autocommit mode. Postgres waits for each transaction that has a snapshot: no transaction may
    wait for this connection.
    """
    for table in Row.metadata.tables.values():
        for index in table.indexes:
            if index.dialect_options["postgresql"]["concurrently"]:
                _make(connection, index)


def _make(connection: Connection, index: Index) -> None:
    is_valid = connection.execute(_STATE, {"name": index.name}).scalar()
    if is_valid:
        return
    if is_valid is False:
        connection.execute(DropIndex(index))
    connection.execute(CreateIndex(index))
