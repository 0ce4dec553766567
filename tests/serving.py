"""The API in this process, on a real socket, over real parts."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import uvicorn

from pigwav.api.app import create_app
from pigwav.settings import Settings
from pigwav.store.base import ObjectStore
from pigwav.wiring import Services, open_services
from pigwav.worker.loop import working


@dataclass(frozen=True)
class ServedApi:
    url: str
    port: int
    services: Services


@contextmanager
def served(settings: Settings, *, store: ObjectStore | None = None) -> Iterator[ServedApi]:
    """A uvicorn in a thread; on leaving, it stops as it would on SIGTERM."""
    with open_services(settings, store=store) as services:
        config = uvicorn.Config(
            create_app(services, background=working(services)),
            host="127.0.0.1",
            port=0,
            loop="uvloop",
            http="httptools",
            ws="none",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            timeout_graceful_shutdown=5,
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, name="api")
        thread.start()
        try:
            port = _port(server, thread)
            yield ServedApi(f"http://127.0.0.1:{port}", port, services)
        finally:
            server.should_exit = True
            thread.join()


def _port(server: uvicorn.Server, thread: threading.Thread) -> int:
    while not server.started:
        assert thread.is_alive(), "the API did not start"
        time.sleep(0.005)
    return server.servers[0].sockets[0].getsockname()[1]
