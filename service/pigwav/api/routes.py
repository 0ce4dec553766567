"""The paths of the HTTP interface, each named once."""

from typing import Final

from starlette.types import Scope

USERS: Final = "/users"
ME: Final = "/users/me"
MY_TOKEN: Final = "/users/me/token"  # noqa: S105 - a path
RECORDS: Final = "/records"
RECORD: Final = "/records/{recording_id}"
LINK: Final = "/record"
LINK_MP3: Final = "/record/{recording_id}.mp3"
HEALTHZ: Final = "/healthz"
READYZ: Final = "/readyz"
METRICS: Final = "/metrics"

MONITORING: Final = frozenset({HEALTHZ, READYZ, METRICS})
"""Paths for monitoring. They have no rate limit, and no log line if they succeed."""


def path_of(scope: Scope) -> str:
    """A request's path without the prefix that a proxy takes away."""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", ""))
