"""The user id and token that a command uses: those of the options or environment, else those that `login` saved.

Address, user id and token belong together. A saved token is sent only to its own service. A given token is sent to
the given address, or to the default address if no other service is saved.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, Self
from urllib.parse import urlsplit
from uuid import UUID

from pigwav.client import DEFAULT_URL, CredentialsMissing

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


class TokenMalformed(CredentialsMissing):
    """The text is not a PigWav token."""


@dataclass(frozen=True)
class Credentials:
    """A user of one service. The service stores only a hash of the token, so a lost token cannot be recovered."""

    url: str
    user_id: int
    token: UUID = field(repr=False)

    def __str__(self) -> str:
        return f"user {self.user_id} at {self.url}"


@dataclass(frozen=True)
class GivenCredentials:
    """The values of options and environment; options take precedence."""

    url: str | None = None
    user_id: int | None = None
    token: UUID | None = field(default=None, repr=False)

    @classmethod
    def in_environment(cls, variables: Mapping[str, str]) -> Self:
        """PIGWAV_URL, PIGWAV_USER and PIGWAV_TOKEN; an invalid user id or token counts as not given."""
        user, token = variables.get("PIGWAV_USER", ""), None
        with suppress(ValueError):
            token = UUID(variables.get("PIGWAV_TOKEN", ""))
        return cls(variables.get("PIGWAV_URL") or None, int(user) if user.isdecimal() else None, token)


def token_of(text: str) -> UUID:
    """Raises TokenMalformed, which does not repeat `text`: it may be another secret."""
    try:
        return UUID(text.strip())
    except ValueError as error:
        raise TokenMalformed(
            "This is not a token. A token looks like 23e10bfa-ce68-4444-95dd-4af608f2bf47."
        ) from error


def address(given: GivenCredentials, remembered: Credentials | None) -> str:
    """The service's address, for a call that needs no credentials."""
    return given.url or (remembered.url if remembered else DEFAULT_URL)


def credentials(
    given: GivenCredentials, environment: GivenCredentials, remembered: Credentials | None
) -> Credentials:
    """The credentials to use. `environment`: the environment's values, even if options replace them.

    Raises CredentialsMissing, with the reason, if they are incomplete or do not belong together.
    """
    if given.token is None:
        return _remembered(given, remembered)
    if given.token == environment.token:
        _check_pairs(given, environment)
    if given.user_id is None:
        raise CredentialsMissing("A token is given without a user id: set PIGWAV_USER or --user.")
    return Credentials(given.url or _address_meant(remembered), given.user_id, given.token)


def _remembered(given: GivenCredentials, remembered: Credentials | None) -> Credentials:
    if remembered is None:
        raise CredentialsMissing(
            "No credentials. Run `pigwav register NAME` or `pigwav login`, or set PIGWAV_USER and PIGWAV_TOKEN, "
            "or --user and --token."
        )
    if given.url and not same_service(given.url, remembered.url):
        raise CredentialsMissing(f"The saved token belongs to {remembered}, not to {given.url}.")
    if given.user_id not in (None, remembered.user_id):
        raise CredentialsMissing(f"The saved token belongs to {remembered}, not to user {given.user_id}.")
    return remembered


def _check_pairs(given: GivenCredentials, environment: GivenCredentials) -> None:
    """Refuses the environment's token with another address or user than the environment names."""
    if environment.url and given.url and not same_service(environment.url, given.url):
        raise CredentialsMissing(f"PIGWAV_TOKEN belongs to PIGWAV_URL={environment.url}, not to {given.url}.")
    if environment.user_id not in (None, given.user_id):
        raise CredentialsMissing(
            f"PIGWAV_TOKEN belongs to PIGWAV_USER={environment.user_id}, not to user {given.user_id}."
        )


def _address_meant(remembered: Credentials | None) -> str:
    """The address for a token that was given without one."""
    if remembered is not None and not same_service(remembered.url, DEFAULT_URL):
        raise CredentialsMissing(
            f"Which service is this token for? Set --url or PIGWAV_URL: the saved one is {remembered.url}."
        )
    return DEFAULT_URL


def same_service(one: str, other: str) -> bool:
    """Whether two URLs are spellings of the same address. `localhost` and `127.0.0.1` count as different: another
    program may listen on one of them.
    """
    return _normal(one) == _normal(other)


def _normal(url: str) -> tuple[str, ...]:
    try:
        parts = urlsplit(url)
        port = parts.port or _DEFAULT_PORTS.get(parts.scheme, 0)
    except ValueError:
        return (url,)
    return (parts.scheme, (parts.hostname or "").rstrip("."), str(port), parts.path.rstrip("/"), parts.query)
