"""The phases of an upload to the store, and what must be cleaned up if it ends in each.

    NOTHING_SENT --put-----------------------------------------> STORED
         |                                                         ^
         +--begin_multipart--> BEGUN --complete_multipart----------+
                                |  ^
                                +--+ put_part

    every phase --a call fails, or its response is lost--> UNKNOWN, for good

A phase changes when a call ends, not when it begins: the clean-up first waits for all calls that have begun. A call
that was cancelled before it began has sent nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Call(StrEnum):
    """A call by which an upload changes the store."""

    PUT = "put"
    BEGIN = "begin_multipart"
    PUT_PART = "put_part"
    COMPLETE = "complete_multipart"


class Phase(StrEnum):
    """What the store may contain of an upload."""

    NOTHING_SENT = "nothing sent"
    BEGUN = "begun"
    """One multipart upload is open, and there is no object."""
    STORED = "stored"
    """The object is complete, and no multipart upload is open."""
    UNKNOWN = "unknown"
    """The store may contain anything: a failed call may have taken effect, or may take effect later."""

    def after(self, call: Call, *, answered: bool) -> "Phase":
        """The phase when `call` has ended. `answered`: the store reported success."""
        return _NEXT.get((self, call), Phase.UNKNOWN) if answered else Phase.UNKNOWN


_NEXT: Final[Mapping[tuple[Phase, Call], Phase]] = {
    (Phase.NOTHING_SENT, Call.PUT): Phase.STORED,
    (Phase.NOTHING_SENT, Call.BEGIN): Phase.BEGUN,
    (Phase.BEGUN, Call.PUT_PART): Phase.BEGUN,
    (Phase.BEGUN, Call.COMPLETE): Phase.STORED,
}


@dataclass(frozen=True)
class CleanUp:
    """The steps that leave nothing of an upload in the store.

    `repeat_later`: a failed call may take effect after the clean-up; the key must be remembered for another clean-up.
    """

    abort_uploads: bool = False
    delete_object: bool = False
    repeat_later: bool = False


CLEAN_UP: Final[Mapping[Phase, CleanUp]] = {
    Phase.NOTHING_SENT: CleanUp(),
    Phase.BEGUN: CleanUp(abort_uploads=True),
    Phase.STORED: CleanUp(delete_object=True),
    Phase.UNKNOWN: CleanUp(abort_uploads=True, delete_object=True, repeat_later=True),
}
