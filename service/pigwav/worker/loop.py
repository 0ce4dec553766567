"""The background work of each process: it renews its leases, and sweeps if no other process is sweeping. At the start,
it warns if its database role can do more than the service's work.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from threading import Event

from pigwav.errors import Unavailable
from pigwav.telemetry.logs import log
from pigwav.wiring import Services


@asynccontextmanager
async def working(services: Services) -> AsyncIterator[None]:
    """Run the loops while the block runs. At its end, a sweep that is running stops after its current recording."""
    stopping = Event()

    async def sweep() -> None:
        swept = await services.executors.store(
            services.sweep, abort_expired=services.leases.is_stable, stopping=stopping.is_set
        )
        if swept.removed or swept.kept or swept.aborted_uploads or swept.expired:
            log.info(
                "swept",
                removed=swept.removed,
                kept=sum(swept.kept.values()),
                aborted_uploads=swept.aborted_uploads,
                expired=swept.expired,
            )

    loops = [
        asyncio.create_task(_warn_of_role(services)),
        asyncio.create_task(_for_ever("leases", services.leases.renew, services.leases.lease_s / 4)),
        asyncio.create_task(_for_ever("sweep", sweep, services.settings.sweep_every_s)),
    ]
    try:
        yield
    finally:
        stopping.set()
        for loop in loops:
            loop.cancel()
        await asyncio.gather(*loops, return_exceptions=True)


async def _for_ever(name: str, turn: Callable[[], Awaitable[None]], every_s: float) -> None:
    """Take a turn every `every_s` seconds until cancelled. A turn that fails does not end the loop."""
    while True:
        await asyncio.sleep(every_s)
        try:
            await turn()
        except Unavailable as error:
            log.warning("background_postponed", work=name, reason=error.code)
        except Exception:  # noqa: BLE001 - a bug in one turn must not end leases and sweeping for ever
            log.exception("background_failed", work=name)


async def _warn_of_role(services: Services) -> None:
    """As soon as the database answers: the service may start before it."""
    while True:
        try:
            found = await services.executors.db(services.check_role)
        except Unavailable:
            await asyncio.sleep(services.leases.lease_s)
            continue
        except Exception:  # noqa: BLE001 - nothing depends on a warning
            log.exception("background_failed", work="role")
            return
        if found:
            log.warning("database_role_can_do_too_much", role=found.role, rights=found.rights)
        return
