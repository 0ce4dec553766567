"""Uploads an MP3 to the store while it is made: its length and its head are final only at the end.

write -> filling -> in flight -> parts 1, 2, 3, ...
            |
            +-----> held: part 1, sent (again) at the end if its head has changed

The head is everything before the audio frames: the tags and the first frame.

An MP3 of up to PART_BYTES is one PUT at the end; nothing is sent before. The upload's phase alone determines what has
to be cleaned up after a failure (upload_phase.py).
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
    """The store of an upload: the upload writes to it, reads back, and lists uploads whose id was lost."""


class StreamingUpload:
    """One object, written by one caller. The caller must call `abort` after any failure or cancellation.

    At most three parts are in memory: held, filling and in flight. `on_begun` gets the id of the multipart upload
    before its first part is sent, so that it can be cleaned up after a crash.
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
        """`predicted`: the first head is probably the final one; then part 1 is sent at once."""
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
        self._phase_lock = Lock()  # two calls may end at the same time
        self._upload_id = UploadId("")  # empty until the store has sent it
        self._first_part: Part | None = None
        self._parts: list[Part] = []

    @property
    def phase(self) -> Phase:
        """The phase, by the store's responses so far."""
        return self._phase

    @property
    def is_whole(self) -> bool:
        """Whether nothing has been sent, so that it can be one PUT; its head may still become longer or shorter."""
        return not self._held

    @property
    def held_bytes(self) -> int:
        """The memory that this upload's bytes take now."""
        return len(self._held) + len(self._filling) + self._in_flight_bytes

    async def write(self, block: bytes) -> None:
        """Appends `block`. The first block is the predicted head.

        Waits if a part is full and another one is in flight. Raises the error of an earlier part.
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
        """Completes the object. `head` replaces the predicted one; unless `is_whole`, it must have the same length.

        Raises ObjectChanged or ObjectMissing if the store returns other bytes than were written, or none.
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
        """Deletes the object and aborts open uploads of this key, even if it is unknown what the store did.

        Returns what it did; if `repeat_later` is set, a call may still take effect. May be called again, also after its
        own failure or cancellation. Sends nothing if the upload has sent nothing. Raises StoreUnavailable.
        """
        await self._settle()
        self._held = b""
        self._filling.clear()
        clean_up = CLEAN_UP[self.phase]
        if clean_up.abort_uploads:
            ours = [self._upload_id]
            if (
                not self._upload_id
            ):  # the response to `begin_multipart` was lost; nobody else writes to this key
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
        number = len(self._parts) + 2  # all earlier parts are stored; part 1 is held
        self._launch(self._send(number, body), carrying_bytes=len(body))

    def _launch(self, sending: Coroutine[None, None, None], *, carrying_bytes: int) -> None:
        self._in_flight_bytes = carrying_bytes
        self._in_flight = asyncio.create_task(sending)

    async def _landed(self) -> None:
        """Waits for the call in flight. Raises its error, and raises it again on the next call."""
        if self._in_flight is not None:
            await self._in_flight
            self._in_flight = None
            self._in_flight_bytes = 0

    async def _settle(self) -> None:
        """Cancels the call in flight; if it has begun on a thread, waits for its end and ignores its result."""
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
        """Runs `method` on the executor. The thread records how the call ended, because a cancelled caller cannot."""

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
            # S3 accepts a part again; the last one counts.
            first = await self._put_part(1, _with_head(self._held, predicted, head))
        await self._landed()
        self._held = b""
        await self._call(
            Call.COMPLETE, self._store.complete_multipart, self._key, self._upload_id, [first, *self._parts]
        )
        return self._sha256.digest() if head == predicted else await self._read_back(predicted)

    async def _read_back(self, predicted: bytes) -> bytes:
        """The SHA-256 of the object as the store returns it. Checks its size, and all bytes except the head.

        Raises ObjectChanged.
        """
        stored = await self._executor(self._store.stat, self._key)
        if stored is None or stored.size_bytes != self._size_bytes:
            raise ObjectChanged(
                "The object in the store is missing or its size differs from what was written."
            )
        as_stored, as_written = hashlib.sha256(), hashlib.sha256(predicted)
        read = partial(read_back, self._store, self._key)
        await self._executor(read, 0, len(predicted), as_stored.update)
        # In pieces: a cancelled caller has to wait for a running call, and other calls queue behind it.
        for start in range(len(predicted), self._size_bytes, PART_BYTES):
            stop = min(start + PART_BYTES, self._size_bytes)
            await self._executor(read, start, stop, as_stored.update, as_written.update)
        if as_written.digest() != self._sha256.digest():
            raise ObjectChanged("The object in the store differs from what was written.")
        return as_stored.digest()


def _with_head(body: bytes, predicted: bytes, head: bytes) -> bytes:
    if head == predicted:
        return body
    return b"".join((head, memoryview(body)[len(predicted) :]))
