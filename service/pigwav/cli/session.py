"""The options for service, user and token, and the client that uses them."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated
from uuid import UUID

import typer

from pigwav.cli.credentials import Credentials, GivenCredentials, credentials, token_of
from pigwav.cli.credentials_file import remembered_credentials
from pigwav.cli.display import printable
from pigwav.cli.failures import UsageError, plain_failures, print_waiting
from pigwav.client import NotAuthenticated, OnWait, PigWavClient
from pigwav.domain import LARGEST_USER_ID


def service_address(text: str) -> str:
    """Raises UsageError for a URL without a scheme, such as `localhost:8080`."""
    address = text.strip()
    if address and "://" not in address:
        shown = printable(address.rpartition("@")[2])
        right = (
            f"http://{shown}" if re.match(r"[\w.-]+(:[0-9]+)?(/|$)", address) else "it as http://HOST:PORT"
        )
        raise UsageError(f"{shown} is not a URL. Write {right}.")
    return address


UrlOption = Annotated[
    str | None,
    typer.Option(
        envvar="PIGWAV_URL",
        parser=plain_failures()(service_address),
        metavar="URL",
        help="URL of the service.",
        show_default=False,
    ),
]
UserOption = Annotated[
    int | None,
    typer.Option(
        envvar="PIGWAV_USER",
        min=1,
        max=LARGEST_USER_ID,
        metavar="USER_ID",
        help="Your user id.",
        show_default=False,
    ),
]
TokenOption = Annotated[
    UUID | None,
    typer.Option(
        envvar="PIGWAV_TOKEN",
        parser=plain_failures()(token_of),
        metavar="TOKEN",
        help="Your token. Others on this machine can see options: prefer `pigwav login` or the environment.",
        show_default=False,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def holding(given: GivenCredentials) -> Credentials:
    """The credentials for a command with these options. Raises CredentialsMissing."""
    # Read the credentials file only if it is needed: a broken file must not stop a command with complete options.
    whole = given.token and given.url
    remembered = None if whole else remembered_credentials()
    return credentials(given, GivenCredentials.in_environment(os.environ), remembered)


@contextmanager
def signed_in(given: GivenCredentials, on_wait: OnWait = print_waiting) -> Iterator[PigWavClient]:
    who = holding(given)
    with naming(who), PigWavClient(who.url, who.user_id, who.token, on_wait=on_wait) as client:
        yield client


@contextmanager
def naming(who: Credentials) -> Iterator[None]:
    """If the service refuses the credentials, the error names the user and says what to do."""
    try:
        yield
    except NotAuthenticated as error:
        raise NotAuthenticated(
            error.status,
            error.code,
            error.title,
            detail=f"User {who.user_id} at {who.url} and this token do not match: "
            "`pigwav login` saves other credentials.",
            retry_after_s=error.retry_after_s,
        ) from error
