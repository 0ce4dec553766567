"""How far an upload has come in the store, and what must be cleaned up if it ends there.

    NOTHING_SENT --put-----------------------------------------> STORED
         |                                                         ^
         +--begin_multipart--> BEGUN --complete_multipart----------+
                                |  ^
                                +--+ put_part

    every phase --a call fails, or its answer is lost--> UNKNOWN, for good

A phase changes when a call ends, not when it begins: whoever cleans up first waits for the calls that have begun. A
call that was withdrawn before it began has sent nothing.
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
    """What the store may hold of an upload."""

    NOTHING_SENT = "nothing sent"
    BEGUN = "begun"
    """One multipart upload is open, and no object is there."""
    STORED = "stored"
    """The object is complete, and no multipart upload is open."""
    UNKNOWN = "unknown"
    """Anything. A call that failed may have taken effect, or may do so later."""

    def after(self, call: Call, *, answered: bool) -> "Phase":
        """The phase when `call` has ended. `answered`: the store said that it did what it was asked."""
        return _NEXT.get((self, call), Phase.UNKNOWN) if answered else Phase.UNKNOWN


_NEXT: Final[Mapping[tuple[Phase, Call], Phase]] = {
    (Phase.NOTHING_SENT, Call.PUT): Phase.STORED,
    (Phase.NOTHING_SENT, Call.BEGIN): Phase.BEGUN,
    (Phase.BEGUN, Call.PUT_PART): Phase.BEGUN,
    (Phase.BEGUN, Call.COMPLETE): Phase.STORED,
}


@dataclass(frozen=True)
class CleanUp:
    """What has to be done so that nothing is left of an upload.

    `repeat_later`: a call that failed may take effect after the clean-up, so the key must stay known to somebody who
    cleans up again.
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
