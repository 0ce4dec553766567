"""The API in this process, on a real socket, with a real database and store."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import uvicorn

from pigwav.api.app import create_app
from pigwav.api.server import Server, server_config
from pigwav.settings import Settings
from pigwav.store.base import ObjectStore
from pigwav.wiring import Services, open_services
from pigwav.worker.loop import working


@dataclass(frozen=True)
class ServedApi:
    """`operator_url`: the address for operators; the same as `url` if they have no listener of their own."""

    url: str
    operator_url: str
    port: int
    services: Services


@contextmanager
def served(
    settings: Settings, *, store: ObjectStore | None = None, links_by_fastapi: bool = False
) -> Iterator[ServedApi]:
    """Runs uvicorn in a thread; on exit, stops it as SIGTERM does. With `operator_bind`, operators have a listener, at
    any free port. `links_by_fastapi`: see `create_app`.
    """
    with open_services(settings, store=store) as services:
        app = create_app(services, background=working(services), links_by_fastapi=links_by_fastapi)
        config = server_config(app, services)
        config.timeout_graceful_shutdown = 5
        listening = socket.create_server(("127.0.0.1", 0))
        operator = socket.create_server(("127.0.0.1", 0)) if settings.http.operator_bind else None
        server = Server(config, services, operator=operator)
        thread = threading.Thread(target=server.run, args=[[listening]], name="api")
        thread.start()
        try:
            port = _port(server, thread)
            operator_port = operator.getsockname()[1] if operator else port
            yield ServedApi(f"http://127.0.0.1:{port}", f"http://127.0.0.1:{operator_port}", port, services)
        finally:
            server.should_exit = True
            thread.join()


def _port(server: uvicorn.Server, thread: threading.Thread) -> int:
    while not server.started:
        assert thread.is_alive(), "the API did not start"
        time.sleep(0.005)
    return server.servers[0].sockets[0].getsockname()[1]
