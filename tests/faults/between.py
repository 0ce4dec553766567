"""Faults of the connections between the API and its database or store, and faulty responses of the store."""

import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from faults.s3_faults import ANSWER_LOST, DISK_FULL, FAULTS, WRONG_CHECKSUM, Fault
from faults.tcp_proxy import ConnectionFault, Kind, TcpProxy
from faults.uploaders import Uploader, delete, make_upload, send
from faults.world import World
from waiting import wait_until

COMES_BACK_WITHIN_S: Final = 30.0
MIB: Final = 1024 * 1024


@dataclass(frozen=True)
class LineCase:
    """A fault of the TCP connections to `line` ("store" or "database") during an upload."""

    line: str
    trouble: ConnectionFault
    upload: str

    @property
    def name(self) -> str:
        trouble = self.trouble
        where = f"after {trouble.after_bytes} bytes on {trouble.connections}"
        return f"{self.upload} upload, {self.line} line: {trouble.kind} {where}"

    def run(self, world: World) -> None:
        """Uploads during the fault, deletes during what remains of it, then uploads without it, at the same API."""
        uploader = world.uploader()
        recording = recorded(world, f"{self.name}, before", uploader)
        line = line_of(world, self.line)
        line.make(self.trouble)
        sending = world.beside(send, uploader, make_upload(self.upload, self.name))
        if self.trouble.kind is Kind.BLACK_HOLE and self.trouble.connections > 1:
            wait_until(lambda: line.struck > 0 or sending.done(), within_s=60)
        attempt = world.note(self.name, sending.result())
        if attempt.status == 201 and not line.struck and self.trouble.kind is not Kind.REFUSE:
            world.complaints.append(f"{self.name}: the fault did not happen, so the case proves nothing")
        if recording:
            world.note(self.name, delete(uploader, recording))
        world.heal()
        comes_back(world, self.name)


def line_of(world: World, name: str) -> TcpProxy:
    return world.store_line if name == "store" else world.database_line


def comes_back(world: World, case: str) -> None:
    """The API that survived the fault accepts an upload again without a restart."""
    recorded(world, f"{case}, afterwards", world.uploader())


def recorded(world: World, case: str, uploader: Uploader) -> str | None:
    """The id of a recording made without faults. Retries, because the machine may be busy; None after a complaint."""
    deadline = time.monotonic() + COMES_BACK_WITHIN_S
    for number in itertools.count():
        attempt = world.note(case, send(uploader, make_upload("short", f"{case}, {number}")))
        if attempt.answer and attempt.status == 201:
            return str(attempt.answer.document["id"])
        if time.monotonic() > deadline:
            world.complaints.append(f"{case}: the API accepts no upload, last {attempt}")
            break
        time.sleep(0.05)
    return None


def line_cases() -> Iterator[LineCase]:
    for kind in Kind:
        for connections in (1,) if kind is Kind.REFUSE else (1, 6):
            for after_bytes in (0, 300, 1500):
                yield LineCase("database", ConnectionFault(kind, after_bytes, connections), "short")
            for after_bytes in (0, 400):
                yield LineCase("store", ConnectionFault(kind, after_bytes, connections), "short")
            for after_bytes in (MIB, 7 * MIB, 10 * MIB):
                yield LineCase("store", ConnectionFault(kind, after_bytes, connections), "long")


@dataclass(frozen=True)
class StoreCase:
    """The next `times` calls of an operation fail."""

    fault: Fault
    operation: str
    times: int
    upload: str

    @property
    def name(self) -> str:
        return f"{self.upload} upload, store's {self.operation}: {self.fault.name}, {self.times} times"

    def run(self, world: World) -> None:
        world.s3.plan(self.fault, self.operation, times=self.times)
        attempt = world.note(self.name, send(world.uploader(), make_upload(self.upload, self.name)))
        if attempt.status == 201 and not world.s3.struck:
            world.complaints.append(f"{self.name}: the fault did not happen, so the case proves nothing")
        world.heal()
        comes_back(world, self.name)


_OF_LONG: Final = ("begin_multipart", "put_part", "complete_multipart")


def store_cases() -> Iterator[StoreCase]:
    """DISK_FULL is injected only once: the service then refuses uploads for 10 s."""
    for fault, times in itertools.product(FAULTS, (1, 9)):
        for upload, operation in [("short", "put"), *(("long", operation) for operation in _OF_LONG)]:
            shows_itself = fault is not WRONG_CHECKSUM or operation in ("put", "put_part")
            if shows_itself and not (fault is DISK_FULL and times > 1):
                yield StoreCase(fault, operation, times, upload)
    for operation in ("stat", "read"):  # the MP3 is read back only if the WAV's header was wrong
        yield StoreCase(ANSWER_LOST, operation, 9, "mispredicted")
