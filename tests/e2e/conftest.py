"""One running `pigwav up` for all tests of a module."""

from collections.abc import Iterator

import httpx2
import pytest

from accounts import Account, register
from e2e.behind import Behind, behind
from e2e.programs import SWEEPS_ONLY_WHEN_ASKED
from running_up import RunningUp, pigwav_up


@pytest.fixture(scope="module")
def workers() -> int:
    """The number of API processes of the module's `up`. A module may override it."""
    return 1


@pytest.fixture(scope="module")
def up(embedded: None, workers: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningUp]:
    folder = tmp_path_factory.mktemp("up")
    options = ("--port", "0", "--workers", str(workers))
    with pigwav_up(
        folder / "data", *options, log=folder / "up.log", environment=SWEEPS_ONLY_WHEN_ASKED
    ) as running:
        yield running


@pytest.fixture(scope="module")
def inside(up: RunningUp) -> Iterator[Behind]:
    """The rows and objects of the module's `up`."""
    with behind(up.data) as opened:
        yield opened


@pytest.fixture
def account(up: RunningUp) -> Iterator[Account]:
    """A user of the module's `up`."""
    with httpx2.Client(base_url=up.url, timeout=30) as http:
        yield register(http)
