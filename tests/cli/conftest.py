"""Users of the program `pigwav` with the running API, each with a home folder."""

from collections.abc import Callable
from pathlib import Path

import pytest

from cli.person import Person
from serving import ServedApi

NewPerson = Callable[[], Person]


@pytest.fixture
def newcomer(api: ServedApi, tmp_path: Path) -> Person:
    """A user without an account. PIGWAV_URL is set."""
    return Person.in_folder(tmp_path / "newcomer", api.url)


@pytest.fixture
def anna(api: ServedApi, tmp_path: Path) -> Person:
    """A registered user whose credentials are saved."""
    person = Person.in_folder(tmp_path / "anna", api.url)
    person.be_registered()
    return person
