"""Use-cases over a real Postgres and a store in memory that fails where a test tells it to."""

from collections.abc import Iterator

import pytest

from fakes.faulty_store import FaultyStore
from pigwav.settings import Settings
from pigwav.store.memory import MemoryStore
from pigwav.wiring import Services, open_services


@pytest.fixture
def store() -> FaultyStore:
    return FaultyStore(MemoryStore())


@pytest.fixture
def services(settings: Settings, store: FaultyStore) -> Iterator[Services]:
    with open_services(settings, store=store) as opened:
        yield opened
