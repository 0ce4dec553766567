"""Admission of uploads: the checks before a conversion begins, in this order.

1. `at_head`, before the body's first byte: the service is not stopping; there is capacity for an upload, its memory and
   its encoding; the disks have space; Content-Length is not above the limit.
2. `unauthenticated`, while a form's fields arrive: all forms without credentials together hold little memory.
3. `for_user`, when the user is known: the user's rates; the same capacity again, because time has passed; the user's
   number of open uploads; the share of the user and of the address; one upload at a time after a disk was full.

Before all of these, for every request, `api/rate_limits.py` checks the rate of the client's address.
"""

from collections.abc import Callable, Hashable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

from pigwav.capacity.disk_space import DiskSpace
from pigwav.capacity.open_uploads import OpenUploads
from pigwav.capacity.rate_limits import RequestRates
from pigwav.capacity.unauthenticated_memory import UnauthenticatedForm
from pigwav.domain import User
from pigwav.errors import UploadTooLarge


@dataclass(frozen=True)
class Admission:
    """Used by the connection and by the route, on the event loop only."""

    open_uploads: OpenUploads
    disk_space: DiskSpace
    max_upload_bytes: int

    def at_head(self, *, declared_bytes: int | None = None) -> None:
        """Raises ShuttingDown, Overloaded, StorageFull or UploadTooLarge if no upload may begin.

        `declared_bytes`: Content-Length. Changes nothing: the connection and then the route may call it.
        """
        self.open_uploads.check_capacity()
        self.disk_space.check()
        if declared_bytes is not None and declared_bytes > self.max_upload_bytes:
            raise UploadTooLarge(f"At most {self.max_upload_bytes} bytes are accepted.")

    def unauthenticated(
        self, address: Hashable, on_evicted: Callable[[], None]
    ) -> AbstractContextManager[UnauthenticatedForm]:
        """See UnauthenticatedMemory.one_more."""
        return self.open_uploads.unauthenticated.one_more(address, on_evicted)

    @contextmanager
    def for_user(self, user: User, rates: RequestRates) -> Iterator[None]:
        """Counts an upload of `user` until its response. Raises RateLimited, ShuttingDown, Overloaded, StorageFull."""
        rates.upload_of(user)
        with self.open_uploads.one_more(user.id, rates.address), self.disk_space.one_more():
            yield
