"""Limits the memory of forms whose credentials have not come yet."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import Final

from pigwav.errors import Limit, Overloaded


class UnauthenticatedMemory:
    """The forms of one process that hold a part of their file until their credentials come. Used on the event loop
    only. They do not count as open uploads: clients without a token cannot block others.

    If they hold too much together, the largest form of the address that holds most is evicted. So a client that fills
    this memory loses its own forms, and not those of others.
    """

    def __init__(self, limit_bytes: float) -> None:
        self._limit_bytes = limit_bytes
        self.held_bytes = 0
        self._forms: defaultdict[Hashable, set[UnauthenticatedForm]] = defaultdict(set)

    @contextmanager
    def one_more(self, address: Hashable, on_evicted: Callable[[], None]) -> Iterator["UnauthenticatedForm"]:
        """A form of `address`. `on_evicted` is called if it is evicted while it waits; then it should end."""
        form = UnauthenticatedForm(self, address, on_evicted)
        try:
            yield form
        finally:
            self.release(form)

    def add(self, form: "UnauthenticatedForm", more_bytes: int) -> None:
        """Counts more bytes of `form`, and evicts forms, perhaps this one, until the rest fit."""
        form.held_bytes += more_bytes
        self.held_bytes += more_bytes
        self._forms[form.address].add(form)
        while self.held_bytes > self._limit_bytes:
            largest = max(self._of_the_largest_holder(), key=lambda holder: holder.held_bytes)
            largest.is_evicted = True
            self.release(largest)
            if largest is not form:
                largest.on_evicted()

    def release(self, form: "UnauthenticatedForm") -> None:
        self.held_bytes -= form.held_bytes
        form.held_bytes = 0
        forms = self._forms[form.address]
        forms.discard(form)
        if not forms:
            del self._forms[form.address]

    def _of_the_largest_holder(self) -> set["UnauthenticatedForm"]:
        return max(self._forms.values(), key=lambda forms: sum(form.held_bytes for form in forms))


class UnauthenticatedForm:
    """One form. `held_bytes`: of its file, in memory, until its credentials are known."""

    def __init__(
        self, memory: UnauthenticatedMemory, address: Hashable, on_evicted: Callable[[], None]
    ) -> None:
        self.address: Final = address
        self.on_evicted: Final = on_evicted
        self.held_bytes = 0
        self.is_evicted = False
        self._memory = memory

    def hold(self, held_bytes: int) -> None:
        """To be called when the form holds more. Raises Overloaded if it is evicted."""
        if held_bytes > self.held_bytes and not self.is_evicted:
            self._memory.add(self, held_bytes - self.held_bytes)
        self.check()

    def check(self) -> None:
        """Raises Overloaded if the form is evicted."""
        if self.is_evicted:
            raise Overloaded(Limit.UNAUTHENTICATED_MEMORY)
