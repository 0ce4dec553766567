"""User management for the operator: `pigwav users add | list | token | delete`.

It also works if registration over HTTP is closed.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pigwav.cli.configured import DEFAULT_DATA, DataOption, database_on
from pigwav.cli.display import json_text, print_json_array, say
from pigwav.cli.failures import plain_failures
from pigwav.cli.session import JsonOption
from pigwav.domain import LARGEST_USER_ID

if TYPE_CHECKING:
    from pigwav.accounts import Accounts
    from pigwav.domain import UserId

IdArgument = Annotated[
    int, typer.Argument(min=1, max=LARGEST_USER_ID, metavar="USER_ID", help="The user's id.")
]


def add_commands(app: typer.Typer) -> None:
    users = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
    for name, command in (("add", add), ("list", list_all), ("token", token), ("delete", delete)):
        users.command(name)(command)
    app.add_typer(users, name="users", help="Manage users as the operator: add, list, token, delete.")


def add(
    name: Annotated[str, typer.Argument(help="User name; must be unused.")],
    *,
    as_json: JsonOption = False,
    data: DataOption = DEFAULT_DATA,
) -> None:
    """Register a user, even if registration over HTTP is closed. The token cannot be shown again."""
    with _accounts(data) as accounts:
        registered = asyncio.run(accounts.register_user(name))
    user = registered.user
    shown = {"id": user.id, "name": user.name, "token": str(registered.token)}
    typer.echo(json_text(shown) if as_json else f"User ID: {user.id}\nToken: {registered.token}")


def list_all(*, as_json: JsonOption = False, data: DataOption = DEFAULT_DATA) -> None:
    """List all users in the order of registration. Tokens cannot be listed: only their hashes are stored."""
    with _accounts(data) as accounts, plain_failures():
        found = accounts.list_users()
        if as_json:
            print_json_array(
                {
                    "id": one.user.id,
                    "name": one.user.name,
                    "recordings": one.recordings,
                    "registered_at": one.registered_at.isoformat(),
                }
                for one in found
            )
            return
        say(f"{'ID':>8}  {'REGISTERED':<10}  {'RECORDINGS':>10}  NAME")
        for one in found:
            say(f"{one.user.id:>8}  {one.registered_at:%Y-%m-%d}  {one.recordings:>10}  {one.user.name}")


def token(user_id: IdArgument, *, as_json: JsonOption = False, data: DataOption = DEFAULT_DATA) -> None:
    """Replace a user's token. The old token stops working at once; the new one cannot be shown again."""
    with _accounts(data) as accounts, _known(user_id) as user:
        new = asyncio.run(accounts.rotate_token(user))
    typer.echo(json_text({"id": user, "token": str(new)}) if as_json else f"Token: {new}")


def delete(user_id: IdArgument, *, data: DataOption = DEFAULT_DATA) -> None:
    """Delete a user. The token, the recordings and their links stop working at once; `sweep` removes the bytes."""
    with _accounts(data) as accounts, _known(user_id) as user:
        asyncio.run(accounts.delete_user(user))
    typer.echo(f"User {user} is deleted.")


@contextmanager
def _known(user_id: int) -> "Iterator[UserId]":
    """Translates NotAuthenticated, which the API raises for a deleted or unknown user, into an operator's error."""
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

    with database_on(data) as settings, open_accounts(settings) as accounts:
        yield accounts
