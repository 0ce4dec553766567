"""What each process does by itself: it renews its leases, and sweeps when it is its turn."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from threading import Event

from pigwav.errors import Unavailable
from pigwav.telemetry.logs import log
from pigwav.wiring import Services


@asynccontextmanager
async def working(services: Services) -> AsyncIterator[None]:
    """Run the loops for as long as the block; a sweep that is under way then ends after the recording it is at."""
    stopping = Event()
    loops = [
        asyncio.create_task(services.leases.keep(), name="leases"),
        asyncio.create_task(_sweep_for_ever(services, stopping), name="sweep"),
    ]
    try:
        yield
    finally:
        stopping.set()
        for loop in loops:
            loop.cancel()
        await asyncio.gather(*loops, return_exceptions=True)


async def _sweep_for_ever(services: Services, stopping: Event) -> None:
    """Sweep every `sweep_every_s`. Of all processes on one database, one sweeps at a time."""
    while True:
        await asyncio.sleep(services.settings.sweep_every_s)
        try:
            swept = await services.lanes.store(services.sweep, stopping=stopping.is_set)
        except Unavailable as error:
            log.warning("sweep_postponed", reason=error.code)
        else:
            if swept.removed or swept.given_up:
                log.info("swept", removed=swept.removed, given_up=swept.given_up)
