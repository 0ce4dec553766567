"""An MP3 on its way into the store while it is made: its length and its head are final only at the end.

write -> filling -> in flight -> parts 1, 2, 3, ...
            |
            +-----> held: part 1, sent (again) at the end where its head turned out otherwise

The head: what stands before the audio frames, the tags and the first frame.

Up to PART_BYTES it is one PUT at the end, and nothing is sent before. What has to be cleaned up after a failure
follows from the upload's phase alone (upload_phase.py).
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from threading import Lock
from typing import ParamSpec, Protocol, TypeVar

from pigwav.domain import ObjectKey
from pigwav.errors import ObjectChanged
from pigwav.executors import BoundedExecutor
from pigwav.store.base import PART_BYTES, Catalog, ObjectHeaders, Part, Reader, UploadId, Writer
from pigwav.store.read_back import read_back
from pigwav.store.upload_phase import CLEAN_UP, Call, CleanUp, Phase

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True)
class StoredBytes:
    size_bytes: int
    sha256: bytes


class UploadTarget(Writer, Reader, Catalog, Protocol):
    """The store of an upload: written to, read back, and asked for uploads whose id was lost."""


class StreamingUpload:
    """One object, written by one caller, who calls `abort` after any failure or cancellation.

    At most three parts are in memory: held, filling and in flight. A multipart upload is told to `on_begun`
    before its first part is sent, so that whoever comes after a crash can clean it up.
    """

    def __init__(
        self,
        store: UploadTarget,
        executor: BoundedExecutor,
        key: ObjectKey,
        headers: ObjectHeaders,
        *,
        predicted: bool,
        on_begun: Callable[[UploadId], Awaitable[None]],
    ) -> None:
        """`predicted`: the head to be written is most likely the final one, so part 1 need not wait for it."""
        self._store = store
        self._executor = executor
        self._key = key
        self._headers = headers
        self._on_begun = on_begun

        self._is_predicted = predicted
        self._predicted: bytes | None = None
        self._sha256 = hashlib.sha256()
        self._size_bytes = 0

        self._held = b""
        self._filling = bytearray()
        self._in_flight: asyncio.Task[None] | None = None
        self._in_flight_bytes = 0

        self._phase = Phase.NOTHING_SENT
        self._phase_lock = Lock()  # two parts may land at the same time
        self._upload_id = UploadId("")  # empty until the store has told it
        self._first_part: Part | None = None
        self._parts: list[Part] = []

    @property
    def phase(self) -> Phase:
        """What the store's answers so far say."""
        return self._phase

    @property
    def is_whole(self) -> bool:
        """Whether nothing has been sent: it will be one PUT, and its head may still become longer or shorter."""
        return not self._held

    @property
    def held_bytes(self) -> int:
        """The memory that this upload's bytes take now."""
        return len(self._held) + len(self._filling) + self._in_flight_bytes

    async def write(self, block: bytes) -> None:
        """Append `block`; the very first one is the predicted head.

        Waits while a part is filled and another still in flight. Raises what befell an earlier part.
        """
        if self._predicted is None:
            self._predicted = bytes(block)
        self._sha256.update(block)
        self._size_bytes += len(block)
        self._filling += block
        if self._in_flight is not None and self._in_flight.done():
            await self._landed()
        while len(self._filling) > PART_BYTES:
            await self._landed()
            part = self._take(PART_BYTES)
            if self._held:
                self._launch_part(part)
            else:
                self._held = part
                self._launch(self._begin(), carrying_bytes=0)

    async def finish(self, head: bytes) -> StoredBytes:
        """Make the object complete. `head` takes the place of the predicted one and, unless `is_whole`, has its length.

        Raises ObjectChanged or ObjectMissing when the store gives back other bytes than were written, or none.
        """
        predicted = self._predicted or b""
        if self.is_whole:
            sha256 = await self._finish_whole(predicted, head)
        elif len(head) == len(predicted):
            sha256 = await self._finish_multipart(predicted, head)
        else:
            raise ValueError(f"a head of {len(head)} bytes cannot replace {len(predicted)}")
        return StoredBytes(self._size_bytes, sha256)

    async def abort(self) -> CleanUp:
        """Leave no object and no open upload under this key, even if it is unknown what the store did.

        Answers what it did; if that says `repeat_later`, a call may still take effect. May be repeated, also after
        its own failure or cancellation. A store that was sent nothing is asked nothing. Raises StoreUnavailable.
        """
        await self._settle()
        self._held = b""
        self._filling.clear()
        clean_up = CLEAN_UP[self.phase]
        if clean_up.abort_uploads:
            ours = [self._upload_id]
            if (
                not self._upload_id
            ):  # the answer to `begin_multipart` was lost; nobody else writes to this key
                found = await self._executor(lambda: [*self._store.open_uploads(self._key)])
                ours = [upload.upload_id for upload in found]
            for upload_id in ours:
                await self._executor(self._store.abort_multipart, self._key, upload_id)
        if clean_up.delete_object:
            await self._executor(self._store.delete, self._key)
        return clean_up

    def _take(self, size_bytes: int) -> bytes:
        with memoryview(self._filling) as filling, filling[:size_bytes] as full:
            part = bytes(full)
        del self._filling[:size_bytes]
        return part

    def _launch_part(self, body: bytes) -> None:
        number = len(self._parts) + 2  # every earlier one has landed; part 1 is held
        self._launch(self._send(number, body), carrying_bytes=len(body))

    def _launch(self, sending: Coroutine[None, None, None], *, carrying_bytes: int) -> None:
        self._in_flight_bytes = carrying_bytes
        self._in_flight = asyncio.create_task(sending)

    async def _landed(self) -> None:
        """Wait for what is in flight. Its failure is raised here, and again by whoever asks next."""
        if self._in_flight is not None:
            await self._in_flight
            self._in_flight = None
            self._in_flight_bytes = 0

    async def _settle(self) -> None:
        """Withdraw what is in flight; what has begun is waited for, how it ended no longer matters."""
        if self._in_flight is not None:
            self._in_flight.cancel()
            await asyncio.wait({self._in_flight})
            if not self._in_flight.cancelled():
                self._in_flight.exception()  # marks it as seen
            self._in_flight = None
            self._in_flight_bytes = 0

    async def _begin(self) -> None:
        self._upload_id = await self._call(Call.BEGIN, self._store.begin_multipart, self._key, self._headers)
        await self._on_begun(self._upload_id)
        if self._is_predicted:
            self._first_part = await self._put_part(1, self._held)

    async def _send(self, number: int, body: bytes) -> None:
        self._parts.append(await self._put_part(number, body))

    async def _put_part(self, number: int, body: bytes) -> Part:
        return await self._call(Call.PUT_PART, self._store.put_part, self._key, self._upload_id, number, body)

    async def _call(self, call: Call, method: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """On the executor. The thread itself records how the call ended: a caller who is cancelled does not hear it."""

        def recorded() -> T:
            answered = False
            try:
                result = method(*args, **kwargs)
                answered = True
            finally:
                with self._phase_lock:
                    self._phase = self._phase.after(call, answered=answered)
            return result

        return await self._executor(recorded)

    async def _finish_whole(self, predicted: bytes, head: bytes) -> bytes:
        self._held = _with_head(self._take(len(self._filling)), predicted, head)
        self._size_bytes = len(self._held)
        await self._call(Call.PUT, self._store.put, self._key, self._held, self._headers)
        sha256 = self._sha256 if head == predicted else await self._executor(hashlib.sha256, self._held)
        self._held = b""
        return sha256.digest()

    async def _finish_multipart(self, predicted: bytes, head: bytes) -> bytes:
        await self._landed()
        self._launch_part(self._take(len(self._filling)))
        first = self._first_part
        if first is None or head != predicted:
            # S3 takes a part twice; the last one counts.
            first = await self._put_part(1, _with_head(self._held, predicted, head))
        await self._landed()
        self._held = b""
        await self._call(
            Call.COMPLETE, self._store.complete_multipart, self._key, self._upload_id, [first, *self._parts]
        )
        return self._sha256.digest() if head == predicted else await self._read_back(predicted)

    async def _read_back(self, predicted: bytes) -> bytes:
        """The SHA-256 of the object as it is in the store; its size, and all but the head, are checked."""
        stored = await self._executor(self._store.stat, self._key)
        if stored is None or stored.size_bytes != self._size_bytes:
            raise ObjectChanged("The object is not there in the size in which it was written.")
        as_stored, as_written = hashlib.sha256(), hashlib.sha256(predicted)
        read = partial(read_back, self._store, self._key)
        await self._executor(read, 0, len(predicted), as_stored.update)
        # In pieces: a call on the executor is waited for by whoever is cancelled, and keeps others waiting.
        for start in range(len(predicted), self._size_bytes, PART_BYTES):
            stop = min(start + PART_BYTES, self._size_bytes)
            await self._executor(read, start, stop, as_stored.update, as_written.update)
        if as_written.digest() != self._sha256.digest():
            raise ObjectChanged("The object is not what was written.")
        return as_stored.digest()


def _with_head(body: bytes, predicted: bytes, head: bytes) -> bytes:
    if head == predicted:
        return body
    return b"".join((head, memoryview(body)[len(predicted) :]))
