"""`pigwav serve`: only the API, on a configured database and object store."""

import asyncio
import gc
import signal
from typing import Annotated

import typer

from pigwav.allocator import allocator, trim_every_second, use_jemalloc
from pigwav.cli.configured import settings_with_logs


def add_commands(app: typer.Typer) -> None:
    app.command()(serve)


def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on.")] = 8080,
    fd: Annotated[int | None, typer.Option(hidden=True, help="Listening socket, already open.")] = None,
    operator_fd: Annotated[int | None, typer.Option(hidden=True, help="The same, for operators.")] = None,
) -> None:
    """Serve the API on your own database and object store. Needs at least PIGWAV_DATABASE_URL and PIGWAV_S3_BUCKET."""
    use_jemalloc()

    import uvloop  # noqa: PLC0415 - the base install has no server

    from pigwav.api.app import create_app  # noqa: PLC0415 - the base install has no server
    from pigwav.api.server import Server, server_config  # noqa: PLC0415
    from pigwav.cli.core_dumps import disable_core_dumps  # noqa: PLC0415
    from pigwav.cli.file_descriptors import fit_connections, raise_limit  # noqa: PLC0415
    from pigwav.listening import Listeners  # noqa: PLC0415
    from pigwav.telemetry.logs import log  # noqa: PLC0415
    from pigwav.wiring import open_services  # noqa: PLC0415
    from pigwav.worker.loop import working  # noqa: PLC0415

    if allocator() == "glibc":
        trim_every_second()
    disable_core_dumps()
    settings = fit_connections(
        settings_with_logs(warn=fd is None), raise_limit()
    )  # with `fd`, `up` has warned
    if fd is None:
        listeners = Listeners.open(host, port, settings.http.operator_address())
    else:
        listeners = Listeners.inherited(fd, operator_fd)
    with open_services(settings) as services:
        log.info("starting", allocator=allocator())
        app = create_app(services, background=working(services))
        server = Server(server_config(app, services), services, operator=listeners.operator)
        # uvicorn sets these handlers too, but only when it runs, and at the end it raises the signals again: with the
        # default handlers an ordinary stop would not exit with 0, and with none an early signal would be lost.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, server.handle_exit)
        _collect_seldom()
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(server.serve(sockets=[listeners.public]))


def _collect_seldom() -> None:
    """Makes Python's cyclic garbage collector run less often.

    By default it runs after 700 net allocations and scans all objects again and again. With thousands of connections
    that is a third of the event loop's work (tests/bench/load.py). The objects that exist now are excluded for good;
    the threshold for the others is raised.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
