"""Commands for the user's own account: `pigwav register | login | logout` and `pigwav token rotate`."""

import os
import sys
from dataclasses import replace
from typing import Annotated

import typer

from pigwav.cli import prompts
from pigwav.cli.credentials import Credentials, GivenCredentials, address, same_service
from pigwav.cli.credentials_file import (
    CredentialsUnusable,
    credentials_file,
    forget,
    remember,
    remembered_credentials,
)
from pigwav.cli.display import say
from pigwav.cli.failures import plain_failures, print_waiting
from pigwav.cli.session import TokenOption, UrlOption, UserOption, holding, naming
from pigwav.cli.standard_error import print_error
from pigwav.client import ClientError, CredentialsMissing, PigWavClient

ForceOption = Annotated[
    bool,
    typer.Option("--force", help="Replace the saved credentials. Their token is not stored anywhere else."),
]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")]

REGISTER_EXAMPLES = """\b
Examples:
  pigwav register anna
  pigwav register anna --url https://voice.example.org
  pigwav register guest --no-save
"""
LOGIN_EXAMPLES = """\b
Examples:
  pigwav login --url https://voice.example.org
  pigwav login < token.txt
"""
ROTATE_EXAMPLES = """\b
Examples:
  pigwav token rotate
"""


class AlreadySaved(ClientError):
    """Other saved credentials would be lost."""


class WrongUser(CredentialsMissing):
    """The token belongs to another user."""


def add_commands(app: typer.Typer) -> None:
    app.command(epilog=REGISTER_EXAMPLES)(register)
    app.command(epilog=LOGIN_EXAMPLES)(login)
    app.command()(logout)
    tokens = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
    tokens.callback()(lambda: None)  # keeps `rotate` a subcommand, although it is the only one
    tokens.command("rotate", epilog=ROTATE_EXAMPLES)(rotate_token)
    app.add_typer(tokens, name="token", help="Replace your token (`pigwav token rotate`).")


def register(
    name: Annotated[str, typer.Argument(help="User name; must be unused.")],
    *,
    no_save: Annotated[bool, typer.Option("--no-save", help="Do not save the user id and token.")] = False,
    force: ForceOption = False,
    url: UrlOption = None,
) -> None:
    """Register a user and save the user id and token.

    Prints both. The token cannot be shown again.
    """
    with plain_failures():
        remembered = remembered_credentials()
        if remembered and not (no_save or force):
            raise AlreadySaved(_would_be_lost(remembered, "--no-save registers without saving"))
        service = address(GivenCredentials(url), remembered)
        with PigWavClient(service, on_wait=print_waiting) as client:
            registered = client.register(name)
        try:
            say(f"User ID: {registered.id}\nToken: {registered.token}")
        finally:
            if not no_save:
                _remember(Credentials(service, registered.id, registered.token))


def login(*, force: ForceOption = False, url: UrlOption = None, user: UserOption = None) -> None:
    """Save the credentials of a user whose token you have.

    Asks for the token without echo, or reads it from standard input. The service finds the user by the token.
    """
    with plain_failures():
        remembered = remembered_credentials()
        service, token = address(GivenCredentials(url), remembered), prompts.token()
        with PigWavClient(service, token=token, on_wait=print_waiting) as client:
            who = Credentials(service, client.me().id, token)
        if user not in (None, who.user_id):
            raise WrongUser(f"The token belongs to user {who.user_id}, not to user {user}.")
        if remembered and not (force or _is_of(remembered, who.url, who.user_id)):
            raise AlreadySaved(_would_be_lost(remembered, "`pigwav logout` removes them"))
        _remember(who)


def logout(*, yes: YesOption = False) -> None:
    """Remove the saved user id and token from this machine.

    Sends nothing to the service: the token stays valid.
    """
    with plain_failures():
        try:
            remembered = remembered_credentials()
        except CredentialsUnusable:
            prompts.confirm(f"{credentials_file()} holds no valid credentials. Remove it?", yes=yes)
        else:
            if remembered is None:
                print_error("No credentials are saved.")
                return
            prompts.confirm(
                f"Remove the saved credentials of {remembered}? Their token is not stored anywhere else.",
                yes=yes,
            )
        forget()


def rotate_token(*, url: UrlOption = None, user: UserOption = None, token: TokenOption = None) -> None:
    """Replace your token. The old token stops working at once.

    Prints the new token and saves it if the old one was saved.
    """
    with plain_failures():
        remembered = remembered_credentials()
        who = holding(GivenCredentials(url, user, token))
        with naming(who), PigWavClient(who.url, who.user_id, who.token, on_wait=print_waiting) as client:
            new = client.rotate_token()
        try:
            if remembered and remembered.token == who.token and _is_of(remembered, who.url, who.user_id):
                remember(replace(who, token=new))
        finally:
            say(f"Token: {new}")  # it is not stored anywhere else
        if GivenCredentials.in_environment(os.environ).token == who.token:
            print_error("PIGWAV_TOKEN still holds the old token.")


def _is_of(remembered: Credentials, service: str, user_id: int) -> bool:
    return remembered.user_id == user_id and same_service(remembered.url, service)


def _would_be_lost(remembered: Credentials, otherwise: str) -> str:
    return f"Credentials of {remembered} are saved and would be lost: {otherwise}, --force replaces them."


def _remember(who: Credentials) -> None:
    remember(who)
    if sys.stderr.isatty():
        print_error(f"Saved: {who}, in {credentials_file()}, which only you can read.")
    if GivenCredentials.in_environment(os.environ).token not in (None, who.token):
        print_error("PIGWAV_TOKEN is set to another token and takes precedence.")
