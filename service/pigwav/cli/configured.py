"""The database and object store of the operator's commands.

They are the configured ones, else the embedded Postgres and S3 server of `pigwav up` on a data folder. If these two
are not running, they are started for as long as the command runs.
"""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

if TYPE_CHECKING:
    from pigwav.devstack import StackAddress
    from pigwav.settings import DatabaseSettings, Settings, StoreSettings
    from pigwav.wiring import Services

DEFAULT_DATA: Final = Path("pigwav-data")
DataOption = Annotated[
    Path,
    typer.Option(
        readable=False,  # typer's own error message has several lines
        help="Data folder of `pigwav up`; ignored if a database and an object store are configured.",
    ),
]


def settings_with_logs() -> "Settings":
    """Reads the settings and configures this process's logs by them."""
    from pigwav.settings import LogFormat, read_settings  # noqa: PLC0415 - the base install has no server
    from pigwav.telemetry.logs import configure_logging  # noqa: PLC0415

    settings = read_settings()
    configure_logging(as_json=settings.log_format is LogFormat.JSON, level=settings.log_level)
    return settings


def _stack_on(data: Path, settings: "Settings") -> "AbstractContextManager[StackAddress]":
    """The embedded stack on a data folder that already holds data. Raises CannotStart."""
    from pigwav.devstack import stack_for  # noqa: PLC0415 - boto3 takes 0.2 s, and the base install has no server
    from pigwav.settings import read_port_range  # noqa: PLC0415

    ports = read_port_range(settings.embedded_ports)
    return stack_for(data, new=False, postgres_bin=settings.postgres_bin, ports=ports)


@contextmanager
def services_on(data: Path) -> "Iterator[Services]":
    from pigwav.settings import read_settings  # noqa: PLC0415
    from pigwav.wiring import open_services  # noqa: PLC0415

    settings = settings_with_logs()
    if settings.configured():
        with open_services(settings) as services:
            yield services
        return
    with _stack_on(data, settings) as stack:
        os.environ.update(stack.environment())
        with open_services(read_settings()) as services:
            yield services


@contextmanager
def database_on(data: Path) -> "Iterator[DatabaseSettings]":
    settings = settings_with_logs()
    if settings.database.url is not None or settings.configured():
        yield settings.database
        return
    from pydantic import SecretStr  # noqa: PLC0415 - the base install has no server

    with _stack_on(data, settings) as stack:
        yield settings.database.model_copy(update={"url": SecretStr(stack.database_url)})


@contextmanager
def store_on(data: Path, endpoint: str | None) -> "Iterator[StoreSettings]":
    """`endpoint`: URL of an S3 server to use instead of the configured one."""
    from pigwav.settings import read_settings  # noqa: PLC0415

    settings = read_settings()
    store = settings.store
    if endpoint:
        yield store.model_copy(update={"endpoint": endpoint})
    elif store.bucket:
        yield store
    else:
        with _stack_on(data, settings) as stack:
            yield stack.store_settings()
