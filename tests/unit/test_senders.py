"""Whether a body can still come, as the kernel tells it: real connections, both ends ours."""

import asyncio
import socket
import struct
import sys
from collections.abc import Iterator
from contextlib import closing

import pytest

from pigwav.api.senders import STATE, Sender, can_still_come, sender_of
from pigwav.errors import UploadBroken
from waiting import wait_until

RESET = struct.pack("ii", 1, 0)

linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux is asked")


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    """The sender's, and ours, which reads nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        sender = socket.create_connection(listening.getsockname())
        ours, _ = listening.accept()
        with closing(sender), closing(ours):
            yield sender, ours


def test_who_is_there_may_still_send_any_number_of_bytes(ends: tuple[socket.socket, socket.socket]) -> None:
    sender, ours = ends
    sender.sendall(bytes(100))

    assert can_still_come(ours, 10**9)


@linux
def test_who_has_closed_has_sent_what_has_come_and_no_more(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    sender, ours = ends
    sender.sendall(bytes(100))
    sender.close()

    wait_until(lambda: not can_still_come(ours, 101))
    assert can_still_come(ours, 100)
    ours.recv(1)
    assert not can_still_come(ours, 100)
    assert can_still_come(ours, 99)


@linux
def test_who_has_reset_the_connection_sends_no_more(ends: tuple[socket.socket, socket.socket]) -> None:
    sender, ours = ends
    sender.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    sender.close()

    wait_until(lambda: not can_still_come(ours, 1))


def test_what_needs_the_sender_ends_with_it_and_only_then() -> None:
    async def waiting_for(sender: Sender, begun: asyncio.Event) -> str:
        with sender.needed():
            begun.set()
            await asyncio.Event().wait()
        return "it went on"

    async def outcome(*, leaves: bool) -> BaseException | str:
        sender, begun = Sender(), asyncio.Event()
        task = asyncio.ensure_future(waiting_for(sender, begun))
        await begun.wait()
        sender.leaves() if leaves else task.cancel()
        return (await asyncio.gather(task, return_exceptions=True))[0]

    assert isinstance(asyncio.run(outcome(leaves=True)), UploadBroken)
    assert isinstance(asyncio.run(outcome(leaves=False)), asyncio.CancelledError)


def test_who_has_left_before_is_not_begun_for() -> None:
    async def run() -> None:
        sender = Sender()
        sender.leaves()
        with sender.needed():
            raise AssertionError("it was begun")

    with pytest.raises(UploadBroken):
        asyncio.run(run())


def test_a_server_that_tells_nothing_has_senders_who_stay() -> None:
    told = Sender()

    assert sender_of({"state": {STATE: told}}) is told
    assert isinstance(sender_of({}), Sender)
