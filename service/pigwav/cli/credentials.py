"""The user and token that a command uses: those given as options, or else those that `login` remembered.

Address, user and token belong together. A token is sent to an address that it was made for, or that the person named
along with it; never to one that was merely remembered or is a default.
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
    """It is no token that PigWav gave."""


@dataclass(frozen=True)
class Credentials:
    """A user of one service. The token is kept nowhere else: the service has only its hash."""

    url: str
    user_id: int
    token: UUID = field(repr=False)

    def __str__(self) -> str:
        return f"user {self.user_id} at {self.url}"


@dataclass(frozen=True)
class Given:
    """What options and environment say; options win."""

    url: str | None = None
    user_id: int | None = None
    token: UUID | None = field(default=None, repr=False)

    @classmethod
    def in_environment(cls, variables: Mapping[str, str]) -> Self:
        """PIGWAV_URL, PIGWAV_USER and PIGWAV_TOKEN; what is no such value counts as not given."""
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
            "A token looks like 23e10bfa-ce68-4444-95dd-4af608f2bf47; this does not."
        ) from error


def address(given: Given, remembered: Credentials | None) -> str:
    """The service, for a call that needs no credentials."""
    return given.url or (remembered.url if remembered else DEFAULT_URL)


def credentials(given: Given, environment: Given, remembered: Credentials | None) -> Credentials:
    """Those that hold. `environment` is what stands in it, whether or not options replace it.

    Raises CredentialsMissing, with the reason, where they are not whole or do not match.
    """
    if given.token is None:
        return _remembered(given, remembered)
    if given.token == environment.token:
        _check_pairs(given, environment)
    if given.user_id is None:
        raise CredentialsMissing("There is a token, but no user id: set PIGWAV_USER or give --user.")
    return Credentials(given.url or _address_meant(remembered), given.user_id, given.token)


def _remembered(given: Given, remembered: Credentials | None) -> Credentials:
    if remembered is None:
        raise CredentialsMissing(
            "No credentials: `pigwav register NAME` and `pigwav login` remember them, "
            "PIGWAV_USER and PIGWAV_TOKEN or --user and --token give them."
        )
    if given.url and not same_service(given.url, remembered.url):
        raise CredentialsMissing(f"The remembered token is that of {remembered}, not for {given.url}.")
    if given.user_id not in (None, remembered.user_id):
        raise CredentialsMissing(
            f"The remembered token is that of {remembered}, not of user {given.user_id}."
        )
    return remembered


def _check_pairs(given: Given, environment: Given) -> None:
    """The environment's token goes with the environment's address and user, where it names them."""
    if environment.url and given.url and not same_service(environment.url, given.url):
        raise CredentialsMissing(
            f"PIGWAV_TOKEN goes with PIGWAV_URL={environment.url}, not with {given.url}."
        )
    if environment.user_id not in (None, given.user_id):
        raise CredentialsMissing(
            f"PIGWAV_TOKEN goes with PIGWAV_USER={environment.user_id}, not with user {given.user_id}."
        )


def _address_meant(remembered: Credentials | None) -> str:
    """For a token that came without one."""
    if remembered is not None and not same_service(remembered.url, DEFAULT_URL):
        raise CredentialsMissing(
            f"Is this token for {remembered.url}, which is remembered? Say so with PIGWAV_URL or --url."
        )
    return DEFAULT_URL


def same_service(one: str, other: str) -> bool:
    """Whether two addresses are spellings of one. `localhost` and `127.0.0.1` are two: either may be another's."""
    return _normal(one) == _normal(other)


def _normal(url: str) -> tuple[str, ...]:
    try:
        parts = urlsplit(url)
        port = parts.port or _DEFAULT_PORTS.get(parts.scheme, 0)
    except ValueError:
        return (url,)
    return (parts.scheme, (parts.hostname or "").rstrip("."), str(port), parts.path.rstrip("/"), parts.query)
