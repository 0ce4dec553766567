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

from pigwav.cli.standard_error import print_error

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


def settings_with_logs(*, warn: bool = True) -> "Settings":
    """Reads the settings and configures this process's logs by them. `warn`: logs variables that look misspelled."""
    from pigwav.settings import (  # noqa: PLC0415 - the base install has no server
        LogFormat,
        misspelled,
        read_settings,
    )
    from pigwav.telemetry.logs import configure_logging, log  # noqa: PLC0415

    settings = read_settings()
    configure_logging(as_json=settings.log_format is LogFormat.JSON, level=settings.log_level)
    for name, nearest in misspelled(os.environ) if warn else ():
        log.warning("unknown_setting", variable=name, nearest=nearest)
    return settings


def settings_without_logs() -> "Settings":
    """Reads the settings for a command that logs nothing. Names variables that look misspelled on standard error."""
    from pigwav.settings import misspelled, read_settings  # noqa: PLC0415 - the base install has no server

    settings = read_settings()
    for name, nearest in misspelled(os.environ):
        print_error(f"{name} is not a setting and has no effect. Is {nearest} meant?")
    return settings


def _stack_on(data: Path, settings: "Settings") -> "AbstractContextManager[StackAddress]":
    """The embedded stack on a data folder that already holds data. Raises CannotStart."""
    from pigwav.devstack import stack_for  # noqa: PLC0415 - boto3 takes 0.2 s, and the base install has no server
    from pigwav.port_range import read_port_range  # noqa: PLC0415

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
    settings = settings_without_logs()
    store = settings.store
    if endpoint:
        yield store.model_copy(update={"endpoint": _url_of_option(endpoint)})
    elif store.bucket:
        yield store
    else:
        with _stack_on(data, settings) as stack:
            yield stack.store_settings()


def _url_of_option(endpoint: str) -> str:
    from pigwav.settings import read_http_url  # noqa: PLC0415 - the base install has no server

    try:
        return read_http_url(endpoint.strip())
    except ValueError as error:
        raise typer.BadParameter(f"{error}.", param_hint="--endpoint") from error
