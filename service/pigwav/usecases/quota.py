"""How much one user may keep."""

from dataclasses import dataclass

from sqlalchemy.orm import Session

from pigwav.db import recordings
from pigwav.domain import UserId
from pigwav.errors import QuotaExceeded


@dataclass(frozen=True)
class Quota:
    """Of every user; None: no bound. `size_bytes` is of MP3."""

    recordings: int | None = None
    size_bytes: int | None = None

    @property
    def bounded(self) -> bool:
        """Whether there is anything to check, and so any use in keeping a user's uploads from each other."""
        return self.recordings is not None or self.size_bytes is not None

    def check(self, db: Session, user: UserId, *, more: int, more_bytes: int) -> None:
        """Whether there is room for `more` recordings and `more_bytes`. The caller holds the user's lock `alone`.

        Raises QuotaExceeded.
        """
        if not self.bounded:
            return
        kept = recordings.kept(db, user)
        if self.recordings is not None and kept.recordings + more > self.recordings:
            raise QuotaExceeded(f"At most {self.recordings} recordings are kept for one user; delete one.")
        if self.size_bytes is not None and kept.size_bytes + more_bytes > self.size_bytes:
            raise QuotaExceeded(
                f"At most {self.size_bytes} bytes of MP3 are kept for one user; {kept.size_bytes} are used."
            )
