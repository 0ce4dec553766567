"""People who use the running API with the program `pigwav`, each in a home of their own."""

from collections.abc import Callable
from pathlib import Path

import pytest

from cli.person import Person
from serving import ServedApi

NewPerson = Callable[[], Person]


@pytest.fixture
def newcomer(api: ServedApi, tmp_path: Path) -> Person:
    """Somebody who has never used the service. PIGWAV_URL names it."""
    return Person.in_folder(tmp_path / "newcomer", api.url)


@pytest.fixture
def anna(api: ServedApi, tmp_path: Path) -> Person:
    """Somebody who has registered; her credentials are remembered."""
    person = Person.in_folder(tmp_path / "anna", api.url)
    person.be_registered()
    return person
