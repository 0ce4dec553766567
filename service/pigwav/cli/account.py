"""Commands about the user's own account: `pigwav register | login | logout` and `pigwav token rotate`."""

import os
import sys
from dataclasses import replace
from typing import Annotated

import typer

from pigwav.cli import prompts
from pigwav.cli.credentials import Credentials, Given, address, same_service
from pigwav.cli.credentials_file import (
    CredentialsUnusable,
    credentials_file,
    forget,
    remember,
    remembered_credentials,
)
from pigwav.cli.display import say
from pigwav.cli.failures import plain_failures, tell, tell_waiting
from pigwav.cli.session import TokenOption, UrlOption, UserOption, holding, naming
from pigwav.client import ClientError, CredentialsMissing, PigWavClient

ForceOption = Annotated[
    bool, typer.Option("--force", help="Replace what is remembered; its token is kept nowhere else.")
]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]

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


class AlreadyRemembered(ClientError):
    """Other credentials would be lost."""


class WrongUser(CredentialsMissing):
    """The token is another user's."""


def add_commands(app: typer.Typer) -> None:
    app.command(epilog=REGISTER_EXAMPLES)(register)
    app.command(epilog=LOGIN_EXAMPLES)(login)
    app.command()(logout)
    tokens = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
    tokens.callback()(lambda: None)  # keeps `rotate` a word of its own
    tokens.command("rotate", epilog=ROTATE_EXAMPLES)(rotate_token)
    app.add_typer(tokens, name="token", help="Your own token: rotate.")


def register(
    name: Annotated[str, typer.Argument(help="User name, not taken yet.")],
    *,
    no_save: Annotated[bool, typer.Option("--no-save", help="Do not remember user and token.")] = False,
    force: ForceOption = False,
    url: UrlOption = None,
) -> None:
    """Register a user, and remember the token.

    Prints the user id and the token, which is shown this once.
    """
    with plain_failures():
        remembered = remembered_credentials()
        if remembered and not (no_save or force):
            raise AlreadyRemembered(_loss(remembered, "--no-save registers without remembering"))
        service = address(Given(url), remembered)
        with PigWavClient(service, on_wait=tell_waiting) as client:
            registered = client.register(name)
        try:
            say(f"User ID: {registered.id}\nToken: {registered.token}")
        finally:
            if not no_save:
                _remember(Credentials(service, registered.id, registered.token))


def login(*, force: ForceOption = False, url: UrlOption = None, user: UserOption = None) -> None:
    """Remember the user whose token you have.

    The token is asked for without echo (or read from standard input); it tells the service who you are.
    """
    with plain_failures():
        remembered = remembered_credentials()
        service, token = address(Given(url), remembered), prompts.token()
        with PigWavClient(service, token=token, on_wait=tell_waiting) as client:
            who = Credentials(service, client.me().id, token)
        if user not in (None, who.user_id):
            raise WrongUser(f"This is the token of user {who.user_id}, not of user {user}.")
        if remembered and not (force or _is_of(remembered, who.url, who.user_id)):
            raise AlreadyRemembered(_loss(remembered, "`pigwav logout` forgets it"))
        _remember(who)


def logout(*, yes: YesOption = False) -> None:
    """Forget user and token.

    The service is not told: the token stays good.
    """
    with plain_failures():
        try:
            remembered = remembered_credentials()
        except CredentialsUnusable:
            prompts.confirm(f"{credentials_file()} holds no credentials. Remove it?", yes=yes)
        else:
            if remembered is None:
                tell("Nothing is remembered.")
                return
            prompts.confirm(f"Forget {remembered}? That token is kept nowhere else.", yes=yes)
        forget()


def rotate_token(*, url: UrlOption = None, user: UserOption = None, token: TokenOption = None) -> None:
    """Replace your token; the old one is dead at once.

    The new one is printed, and remembered where the old one was.
    """
    with plain_failures():
        remembered = remembered_credentials()
        who = holding(Given(url, user, token))
        with naming(who), PigWavClient(who.url, who.user_id, who.token, on_wait=tell_waiting) as client:
            new = client.rotate_token()
        try:
            if remembered and remembered.token == who.token and _is_of(remembered, who.url, who.user_id):
                remember(replace(who, token=new))
        finally:
            say(f"Token: {new}")  # it exists nowhere else
        if Given.in_environment(os.environ).token == who.token:
            tell("PIGWAV_TOKEN still holds the old token.")


def _is_of(remembered: Credentials, service: str, user_id: int) -> bool:
    return remembered.user_id == user_id and same_service(remembered.url, service)


def _loss(remembered: Credentials, otherwise: str) -> str:
    return f"Remembered is {remembered}, whose token is kept nowhere else: {otherwise}, --force replaces it."


def _remember(who: Credentials) -> None:
    remember(who)
    if sys.stderr.isatty():
        tell(f"Remembered: {who}, in {credentials_file()}, which only you can read.")
    if Given.in_environment(os.environ).token not in (None, who.token):
        tell("PIGWAV_TOKEN is set to another token, and wins.")
