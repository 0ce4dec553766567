"""The operator's accounts: `pigwav users add | list | token | delete`. They work where registration is closed."""

import asyncio
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from pigwav.cli.operate import DataOption

if TYPE_CHECKING:
    from pigwav.accounts import Accounts
    from pigwav.domain import UserId, UserSummary
    from pigwav.settings import DatabaseSettings

DATA: Final = Path("pigwav-data")
LARGEST_ID: Final = 2**63 - 1  # a bigint

IdArgument = Annotated[int, typer.Argument(min=1, max=LARGEST_ID, metavar="USER_ID", help="The user's id.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def add_commands(app: typer.Typer) -> None:
    users = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
    for name, command in (("add", add), ("list", list_all), ("token", token), ("delete", delete)):
        users.command(name)(command)
    app.add_typer(users, name="users", help="The operator's accounts: add, list, token, delete.")


def add(
    name: Annotated[str, typer.Argument(help="User name, not taken yet.")],
    *,
    as_json: JsonOption = False,
    data: DataOption = DATA,
) -> None:
    """Register a user, also where registration over HTTP is closed. The token is shown this once."""
    with _accounts(data) as accounts:
        registered = asyncio.run(accounts.register_user(name))
    user = registered.user
    shown = {"id": user.id, "name": user.name, "token": str(registered.token)}
    typer.echo(_json(shown) if as_json else f"User ID: {user.id}\nToken: {registered.token}")


def list_all(*, as_json: JsonOption = False, data: DataOption = DATA) -> None:
    """All users, in the order in which they registered. No token: those are kept as hashes only."""
    with _accounts(data) as accounts:
        found = accounts.list_users()
        for line in _json_lines(found) if as_json else _lines(found):
            typer.echo(line)


def token(user_id: IdArgument, *, as_json: JsonOption = False, data: DataOption = DATA) -> None:
    """Replace a user's token; the old one is dead at once. The new one is shown this once."""
    with _accounts(data) as accounts, _known(user_id) as user:
        new = asyncio.run(accounts.rotate_token(user))
    typer.echo(_json({"id": user, "token": str(new)}) if as_json else f"Token: {new}")


def delete(user_id: IdArgument, *, data: DataOption = DATA) -> None:
    """Delete a user: the token, the recordings and their links are dead at once; `sweep` removes the bytes."""
    with _accounts(data) as accounts, _known(user_id) as user:
        asyncio.run(accounts.delete_user(user))
    typer.echo(f"User {user} is deleted.")


def _lines(users: Iterable["UserSummary"]) -> Iterator[str]:
    yield f"{'ID':>8}  {'REGISTERED':<10}  {'RECORDINGS':>10}  NAME"
    for one in users:
        yield f"{one.user.id:>8}  {one.registered_at:%Y-%m-%d}  {one.recordings:>10}  {one.user.name}"


def _json_lines(users: Iterable["UserSummary"]) -> Iterator[str]:
    """One JSON array, a user a line, however many there are."""
    opening = "["
    for one in users:
        shown = {"id": one.user.id, "name": one.user.name, "recordings": one.recordings}
        yield opening + _json(shown | {"registered_at": one.registered_at.isoformat()})
        opening = ","
    yield "]" if opening == "," else "[]"


def _json(value: dict[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False)


@contextmanager
def _known(user_id: int) -> "Iterator[UserId]":
    """In the words of an operator: to the API, a user who is gone is one whose token is wrong."""
    from pigwav.domain import UserId  # noqa: PLC0415 - the base install has no server
    from pigwav.errors import NotAuthenticated  # noqa: PLC0415

    try:
        yield UserId(user_id)
    except NotAuthenticated as error:
        typer.echo(f"pigwav: There is no user {user_id}.", err=True)
        raise typer.Exit(1) from error


@contextmanager
def _accounts(data: Path) -> "Iterator[Accounts]":
    from pigwav.accounts import open_accounts  # noqa: PLC0415 - the base install has no server

    with _database(data) as settings, open_accounts(settings) as accounts:
        yield accounts


@contextmanager
def _database(data: Path) -> "Iterator[DatabaseSettings]":
    """The configured one, else that of the `pigwav up` on `data`, which is started where it is down."""
    from pigwav.settings import (  # noqa: PLC0415 - the base install has no server
        LogFormat,
        read_port_range,
        read_settings,
    )
    from pigwav.telemetry.logs import configure_logging  # noqa: PLC0415

    settings = read_settings()
    configure_logging(as_json=settings.log_format is LogFormat.JSON, level=settings.log_level)
    if settings.database.url is not None or settings.configured():
        yield settings.database
        return
    from pydantic import SecretStr  # noqa: PLC0415

    from pigwav.devstack import stack_for  # noqa: PLC0415 - boto3 takes 0.2 s

    with stack_for(data, new=False, ports=read_port_range(settings.embedded_ports)) as stack:
        yield settings.database.model_copy(update={"url": SecretStr(stack.database_url)})
