"""Whether an upload is taken: the checks between its first byte and its conversion, in their one order.

1. `at_head`, before its first byte: the service is not stopping; an upload, its memory and its encoding have capacity;
   the disks have space; the body is not declared larger than an upload may be.
2. `unauthenticated`, while a form's fields come: all forms without credentials together hold little memory.
3. `for_user`, when the sender is known: the user's rates; the same capacity, since time has passed; the user's own
   number of open uploads; one upload at a time on a disk that was full.

The address's rate is checked before all of them, for every request, by `api/rate_limits.py`.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

from pigwav.capacity.disk_space import DiskSpace
from pigwav.capacity.open_uploads import OpenUploads
from pigwav.capacity.rate_limits import RequestRates
from pigwav.domain import User
from pigwav.errors import UploadTooLarge


@dataclass(frozen=True)
class Admission:
    """Asked by the connection and by the route. Used on the event loop only."""

    open_uploads: OpenUploads
    disk_space: DiskSpace
    max_upload_bytes: int

    def at_head(self, *, declared_bytes: int | None = None) -> None:
        """Whether an upload may begin. It changes nothing, so that the connection may ask and the route ask again.

        `declared_bytes`: Content-Length. Raises ShuttingDown, Overloaded, StorageFull, UploadTooLarge.
        """
        self.open_uploads.check_capacity()
        self.disk_space.check()
        if declared_bytes is not None and declared_bytes > self.max_upload_bytes:
            raise UploadTooLarge(f"At most {self.max_upload_bytes} bytes are taken.")

    def unauthenticated(self) -> AbstractContextManager[Callable[[int], None]]:
        """See OpenUploads.unauthenticated."""
        return self.open_uploads.unauthenticated()

    @contextmanager
    def for_user(self, user: User, rates: RequestRates) -> Iterator[None]:
        """Count one upload of `user`, until its answer. Raises RateLimited, ShuttingDown, Overloaded, StorageFull."""
        rates.upload_of(user)
        with self.open_uploads.one_more(user.id), self.disk_space.one_more():
            yield
