"""uvicorn with our limits on connections, and a shutdown that load balancers can see in advance."""

import asyncio
import socket
import time
from collections.abc import Callable
from types import FrameType
from typing import Final

import uvicorn
from fastapi import FastAPI

from pigwav.api.connections.connection import connection_class
from pigwav.api.listeners import OPERATOR_CONNECTIONS, OPERATOR_STATE, OperatorServerState
from pigwav.listening import BACKLOG
from pigwav.telemetry.logs import log
from pigwav.wiring import Services


def server_config(app: FastAPI, services: Services) -> uvicorn.Config:
    """uvicorn's configuration. It has no address: the caller passes the listening socket to `Server`."""
    http = services.settings.http
    return uvicorn.Config(
        app,
        loop="uvloop",
        http=connection_class(services),
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        backlog=BACKLOG,
        timeout_keep_alive=http.keep_alive_s,
        timeout_graceful_shutdown=max(1, round(http.grace_s)),
        proxy_headers=False,  # api.proxies handles them
    )


class Server(uvicorn.Server):
    """On the first signal to stop, `/readyz` answers 503 and new uploads are refused, but the server still listens for
    `drain_s` seconds, so that load balancers stop sending requests before it stops accepting connections. A second
    signal ends this delay.
    """

    def __init__(
        self, config: uvicorn.Config, services: Services, *, operator: socket.socket | None = None
    ) -> None:
        """`operator`: the listening socket for operators. Its connections have a limit of their own, so that it answers
        also if clients use up `max_connections`.
        """
        super().__init__(config)
        self._operator = operator
        self._operator_state = OperatorServerState(self.server_state)
        self._operator_connections = connection_class(services, max_connections=OPERATOR_CONNECTIONS)
        self._uploads = services.open_uploads
        self._drain_s = services.settings.http.drain_s
        self._drained_at: float | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._batches = [BatchAccept(listening.dup(), self._connection) for listening in sockets or ()]
        if self._operator is not None:
            loop = asyncio.get_running_loop()
            self.servers.append(await loop.create_server(self._operator_connection, sock=self._operator))

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._uploads.stop()
        for batch in self._batches:
            batch.close()
        for connection in [*self._operator_state.connections]:
            connection.shutdown()
        await super().shutdown(sockets)

    def _connection(self) -> asyncio.Protocol:
        """Makes a connection in the same way as uvicorn."""
        return self.config.http_protocol_class(  # type: ignore[call-arg] # uvicorn does not declare its arguments
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )

    def _operator_connection(self) -> asyncio.Protocol:
        return self._operator_connections(
            config=self.config,
            server_state=self._operator_state,
            app_state=self.lifespan.state | OPERATOR_STATE,
        )

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self._drained_at is None:
            self._uploads.stop()
            self._drained_at = time.monotonic() + self._drain_s
            if self._drain_s:
                log.info("draining", seconds=self._drain_s)
                return
        super().handle_exit(sig, frame)

    async def on_tick(self, counter: int) -> bool:
        if self._drained_at is not None and time.monotonic() >= self._drained_at:
            self.should_exit = True
        ends = await super().on_tick(counter)
        self._operator_state.default_headers = self.server_state.default_headers  # the date
        return ends


BATCH_SIZE: Final = 64
"""Connections that are accepted before the first of them is counted, and refused if it exceeds `max_connections`."""


class BatchAccept:
    """Accepts up to BATCH_SIZE waiting connections of a listening socket in one turn of the event loop.

    libuv accepts one per turn (libuv/libuv#3696). With a thousand uploads a turn takes long, and connections that
    arrive at the same time would wait for half a minute.
    """

    def __init__(self, listening: socket.socket, connection: Callable[[], asyncio.Protocol]) -> None:
        """Accepts on the running event loop. `close` also closes `listening`."""
        self._listening = listening
        self._listening.setblocking(False)  # noqa: FBT003 - its name says it
        self._connection = connection
        self._arriving: set[asyncio.Task[object]] = set()
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(listening, self._accept)

    def _accept(self) -> None:
        for _ in range(BATCH_SIZE):
            try:
                accepted, _address = self._listening.accept()
            except OSError:  # no connection is waiting; or too many files are open, which uvloop reports
                return
            accepted.setblocking(False)  # noqa: FBT003
            arriving = self._loop.create_task(self._loop.connect_accepted_socket(self._connection, accepted))
            self._arriving.add(arriving)
            arriving.add_done_callback(self._arriving.discard)

    def close(self) -> None:
        self._loop.remove_reader(self._listening)
        self._listening.close()
