"""Pagination of users."""

import asyncio

import pytest

from databases import fresh_database
from pigwav.db.session import Database
from pigwav.devstack import StackAddress
from pigwav.executors import BoundedExecutor
from pigwav.settings import DatabaseSettings
from pigwav.usecases.list_users import ListUsers
from pigwav.usecases.register_user import RegisterUser


@pytest.fixture
def database(stack: StackAddress) -> Database:
    return Database.open(
        DatabaseSettings.model_validate({"PIGWAV_DATABASE_URL": fresh_database(stack.database_url)})
    )


@pytest.mark.parametrize("count", [0, 1, 3, 4, 7])
def test_pages_join_without_a_gap_or_a_repetition(database: Database, count: int) -> None:
    register = RegisterUser(database, BoundedExecutor("db", width=1))
    names = [f"user {n}" for n in range(count)]
    for name in names:
        asyncio.run(register(name))

    found = [*ListUsers(database, page_rows=3)()]

    assert [one.user.name for one in found] == names
    assert [one.recordings for one in found] == [0] * count
