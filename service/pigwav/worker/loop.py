"""The one periodic loop of each process."""

import asyncio
from threading import Event

from pigwav.errors import Unavailable
from pigwav.telemetry.logs import log
from pigwav.wiring import Services


async def sweep_for_ever(services: Services, stopping: Event) -> None:
    """Sweep every `sweep_every_s` until cancelled. Of all processes on one database, one sweeps at a time.

    Set `stopping` before cancelling: a sweep that is under way then ends after the recording it is at.
    """
    while True:
        await asyncio.sleep(services.settings.sweep_every_s)
        try:
            swept = await services.lanes.store(services.sweep, stopping=stopping.is_set)
        except Unavailable as error:
            log.warning("sweep_postponed", reason=error.code)
        else:
            if swept.removed or swept.given_up:
                log.info("swept", removed=swept.removed, given_up=swept.given_up)
