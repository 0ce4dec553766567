"""Worlds for fault injection. PIGWAV_FAULTS=all runs all cases instead of a few."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from faults.own_stack import OwnStack, own_stack
from faults.world import World, open_world
from minio_server import MinioServer
from pigwav.devstack import StackAddress
from pigwav.settings import StoreSettings

_TALLY = pytest.StashKey[defaultdict[str, Counter[str]]]()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    config.stash[_TALLY] = defaultdict(Counter)
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.timeout(900))  # one test here is a whole row of the fault matrix


@pytest.fixture(scope="session")
def whole_world(
    stack: StackAddress, s3_settings: StoreSettings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    """On the session's Postgres and S3 server."""
    with open_world(tmp_path_factory.mktemp("world"), stack.database_url, s3_settings) as opened:
        yield opened


@pytest.fixture
def world(whole_world: World, request: pytest.FixtureRequest) -> Iterator[World]:
    yield from _emptied(whole_world, request)


@pytest.fixture(scope="session")
def whole_minio_world(
    stack: StackAddress, minio: MinioServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("world")
    with open_world(folder, stack.database_url, minio.provisioned()) as opened:
        yield opened


@pytest.fixture
def minio_world(whole_minio_world: World, request: pytest.FixtureRequest) -> Iterator[World]:
    """A world with a real MinIO as store."""
    yield from _emptied(whole_minio_world, request)


@pytest.fixture(scope="session")
def mortal_stack(embedded: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnStack]:
    with own_stack(tmp_path_factory.mktemp("mortal") / "data") as opened:
        yield opened


@pytest.fixture(scope="session")
def whole_mortal_world(mortal_stack: OwnStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("world")
    with open_world(folder, mortal_stack.address.database_url, mortal_stack.store) as opened:
        yield opened


@pytest.fixture
def world_with_own_servers(whole_mortal_world: World, request: pytest.FixtureRequest) -> Iterator[World]:
    """A world whose Postgres and S3 server may be killed."""
    yield from _emptied(whole_mortal_world, request)


def _emptied(world: World, request: pytest.FixtureRequest) -> Iterator[World]:
    yield world
    world.heal()
    left = world.empty()
    request.config.stash[_TALLY][_row_of(request)] += world.outcomes
    world.outcomes.clear()
    assert left == []


def _row_of(request: pytest.FixtureRequest) -> str:
    where = " (MinIO)" if request.fixturename == "minio_world" else ""
    return f"{request.node.originalname}{where}"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Prints how the requests of each row of the matrix ended. Prints nothing with -n: only the workers know."""
    for row, outcomes in terminalreporter.config.stash.get(_TALLY, {}).items():
        counts = ", ".join(f"{outcome}: {count}" for outcome, count in outcomes.most_common())
        terminalreporter.write_line(f"{row}: {outcomes.total()} requests ({counts})")
