"""The quota of a user: recordings and bytes."""

from dataclasses import dataclass

from pigwav.errors import QuotaExceeded


@dataclass(frozen=True)
class Quota:
    """The same for every user; None means no limit. `size_bytes` counts MP3 bytes."""

    recordings: int | None = None
    size_bytes: int | None = None

    @property
    def is_bounded(self) -> bool:
        """Whether there is any limit. If not, the check, and the lock on the user's row for it, are not needed."""
        return self.recordings is not None or self.size_bytes is not None

    def check(self, *, stored: int, stored_bytes: int, more: int, more_bytes: int) -> None:
        """Raises QuotaExceeded if a user who has `stored` recordings may not add `more` (`more_bytes`)."""
        if self.recordings is not None and stored + more > self.recordings:
            raise QuotaExceeded(f"A user may store at most {self.recordings} recordings; delete one.")
        if self.size_bytes is not None and stored_bytes + more_bytes > self.size_bytes:
            raise QuotaExceeded(
                f"A user may store at most {self.size_bytes} bytes of MP3; {stored_bytes} are used."
            )
