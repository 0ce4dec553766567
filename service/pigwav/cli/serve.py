"""`pigwav serve`: the API alone; database and object store are configured from outside."""

import asyncio
import ctypes
import gc
import signal
import socket
from typing import Annotated, Final

import typer

from pigwav.cli.configured import settings_with_logs

_M_MMAP_THRESHOLD: Final = -3  # malloc.h


def add_commands(app: typer.Typer) -> None:
    app.command()(serve)


def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on.")] = 8080,
    fd: Annotated[int | None, typer.Option(hidden=True, help="Listening socket, already open.")] = None,
) -> None:
    """Serve the API. Needs PIGWAV_DATABASE_URL, PIGWAV_S3_BUCKET and whatever else differs from the defaults."""
    import uvloop  # noqa: PLC0415 - the base install has no server

    from pigwav.api.app import create_app  # noqa: PLC0415 - the base install has no server
    from pigwav.api.server import Server, server_config  # noqa: PLC0415
    from pigwav.cli.core_dumps import leave_none  # noqa: PLC0415
    from pigwav.cli.file_descriptors import fit_connections, raise_limit  # noqa: PLC0415
    from pigwav.listening import listen  # noqa: PLC0415
    from pigwav.wiring import open_services  # noqa: PLC0415
    from pigwav.worker.loop import working  # noqa: PLC0415

    _give_memory_back()
    leave_none()
    settings = fit_connections(settings_with_logs(), raise_limit())
    listening = socket.socket(fileno=fd) if fd is not None else listen(host, port)
    with open_services(settings) as services:
        app = create_app(services, background=working(services))
        server = Server(server_config(app, services), services)
        # uvicorn stops on these signals and then raises them again: an ordinary stop is no failure.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: None)
        _collect_seldom()
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(server.serve(sockets=[listening]))


def _give_memory_back() -> None:
    """glibc learns to keep large blocks for ever; audio comes in large blocks. Fixed at 64 KiB, the threshold from
    which it takes them from the kernel and gives them back halves what an open upload holds (tests/bench/memory.py).
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # glibc only
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, 64 * 1024)


def _collect_seldom() -> None:
    """Python looks for garbage in cycles at every 700 objects that came and stayed, and through all of them again and
    again: with thousands of connections, a third of what the event loop does (tests/bench/load.py). What is there now
    stays for good; of the rest there may be more before it is looked through.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
