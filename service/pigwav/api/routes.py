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
WAVEFORM_DAT: Final = "/record/{recording_id}.dat"
WAVEFORM_JSON: Final = "/record/{recording_id}.json"
INDEX: Final = "/"
LISTEN: Final = "/listen"
CARD: Final = "/listen/card.png"
PAGE_FILES: Final = "/page"
LIMITS: Final = "/limits"
HEALTHZ: Final = "/healthz"
READYZ: Final = "/readyz"
METRICS: Final = "/metrics"

MONITORING: Final = frozenset({HEALTHZ, READYZ, METRICS})
"""The paths for monitoring: a request is logged only if a problem answers it, and no rate limit applies."""


def is_unlimited(path: str) -> bool:
    """Whether requests are answered at any rate: for monitoring, and for the page's files. A browser asks for all files
    at once, and gets them from memory.
    """
    return path in MONITORING or path.startswith(f"{PAGE_FILES}/")


def path_of(scope: Scope) -> str:
    """A request's path without the prefix that a proxy removes."""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", ""))
