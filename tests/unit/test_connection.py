"""The lifetime of a connection, tested over a pair of sockets without a service."""

import asyncio
import gc
import socket
import weakref
from collections.abc import Iterator
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from pigwav.api.connections.connection import Connection
from pigwav.api.connections.connection_places import ConnectionPlaces
from pigwav.api.connections.refusals import Refusals
from pigwav.settings import HttpSettings
from pigwav.telemetry.metrics import Metrics


class Bounded(Connection):
    bounds = HttpSettings()
    places = ConnectionPlaces(bounds.max_connections)
    metrics = Metrics()
    refusals = Refusals(metrics)


async def answers_ok(_scope: Any, receive: Any, send: Any) -> None:
    if (await receive())["type"] == "http.request":
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})


@pytest.fixture
def no_collector() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize(
    ("sent", "answer"),
    [
        (b"", b""),
        (b"GET / HT", b""),
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"HTTP/1.1 200 OK"),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc", b"HTTP/1.1 200 OK"),
        (b"nonsense\r\n\r\n", b"HTTP/1.1 400 Bad Request"),
    ],
    ids=["silent", "part of a head", "answered", "part of a body", "refused"],
)
def test_a_connection_that_has_ended_is_freed_without_the_garbage_collector(
    no_collector: None, sent: bytes, answer: bytes
) -> None:
    """With thousands of connections, the garbage collector took a third of the event loop's time (decision 11)."""

    async def run() -> None:
        loop = asyncio.get_running_loop()
        theirs, ours = socket.socketpair()
        theirs.settimeout(0)
        ours.settimeout(0)
        freed = asyncio.Event()
        await loop.connect_accepted_socket(lambda: connection(freed), ours)
        with theirs:
            await loop.sock_sendall(theirs, sent)
            if answer:
                assert (await loop.sock_recv(theirs, 1000)).startswith(answer)
        await asyncio.wait_for(freed.wait(), 10)

    asyncio.run(run())


def connection(freed: asyncio.Event) -> Bounded:
    """A connection; `freed` is set when the last reference to it is gone."""
    config = uvicorn.Config(answers_ok, http=Bounded, log_config=None, lifespan="off")
    made = Bounded(config, ServerState(), {})
    weakref.finalize(made, freed.set).atexit = False
    return made
