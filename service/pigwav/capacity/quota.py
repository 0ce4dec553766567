"""How much one user may keep."""

from dataclasses import dataclass

from pigwav.errors import QuotaExceeded


@dataclass(frozen=True)
class Quota:
    """The same for every user; None means no bound. `size_bytes` counts MP3."""

    recordings: int | None = None
    size_bytes: int | None = None

    @property
    def is_bounded(self) -> bool:
        """Whether there is anything to check, and so any use in keeping a user's uploads from each other."""
        return self.recordings is not None or self.size_bytes is not None

    def check(self, *, kept: int, kept_bytes: int, more: int, more_bytes: int) -> None:
        """Whether a user who keeps so many recordings and bytes may have so many more. Raises QuotaExceeded."""
        if self.recordings is not None and kept + more > self.recordings:
            raise QuotaExceeded(f"At most {self.recordings} recordings are kept for one user; delete one.")
        if self.size_bytes is not None and kept_bytes + more_bytes > self.size_bytes:
            raise QuotaExceeded(
                f"At most {self.size_bytes} bytes of MP3 are kept for one user; {kept_bytes} are used."
            )
