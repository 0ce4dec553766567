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
"""The paths for monitoring: no rate limit applies, and a request is logged only if a problem answers it."""


def path_of(scope: Scope) -> str:
    """A request's path without the prefix that a proxy removes."""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", ""))
