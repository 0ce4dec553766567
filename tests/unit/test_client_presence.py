"""Detection of a client that leaves: the kernel's report, and the request's error."""

import asyncio
import socket
import struct
import sys
from collections.abc import Iterator
from contextlib import closing

import pytest

from pigwav.api.connections.client_presence import (
    STATE_KEY,
    ClientPresence,
    is_connected,
    presence_of,
)
from pigwav.errors import UploadBroken
from waiting import wait_until

RESET = struct.pack("ii", 1, 0)

linux = pytest.mark.skipif(sys.platform != "linux", reason="works only on Linux")


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    """The client's socket and the server's, which reads nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        client = socket.create_connection(listening.getsockname())
        ours, _ = listening.accept()
        with closing(client), closing(ours):
            yield client, ours


def test_a_client_that_is_there_is_connected(ends: tuple[socket.socket, socket.socket]) -> None:
    client, ours = ends
    client.sendall(bytes(100))

    assert is_connected(ours)


@linux
def test_a_client_that_has_closed_is_not_connected_although_not_all_is_read(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    client, ours = ends
    client.sendall(bytes(100))
    client.close()

    wait_until(lambda: not is_connected(ours))


@linux
def test_a_client_that_has_reset_the_connection_is_not_connected(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    client, ours = ends
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    client.close()

    wait_until(lambda: not is_connected(ours))


def test_a_block_that_requires_the_client_ends_when_it_departs_and_only_then() -> None:
    async def waiting_for(presence: ClientPresence, begun: asyncio.Event) -> str:
        with presence.required():
            begun.set()
            await asyncio.Event().wait()
        return "it went on"

    async def outcome(*, departs: bool) -> BaseException | str:
        presence, begun = ClientPresence(), asyncio.Event()
        task = asyncio.ensure_future(waiting_for(presence, begun))
        await begun.wait()
        presence.departed() if departs else task.cancel()
        return (await asyncio.gather(task, return_exceptions=True))[0]

    assert isinstance(asyncio.run(outcome(departs=True)), UploadBroken)
    assert isinstance(asyncio.run(outcome(departs=False)), asyncio.CancelledError)


def test_a_block_that_requires_a_client_that_has_departed_does_not_begin() -> None:
    async def run() -> None:
        presence = ClientPresence()
        presence.departed()
        with presence.required():
            raise AssertionError("the block began")

    with pytest.raises(UploadBroken):
        asyncio.run(run())


def test_on_a_server_that_reports_no_presence_clients_never_depart() -> None:
    reported = ClientPresence()

    assert presence_of({"state": {STATE_KEY: reported}}) is reported
    assert isinstance(presence_of({}), ClientPresence)
