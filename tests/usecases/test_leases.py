"""Renewal of leases if the row does not exist yet, or no longer."""

import asyncio
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from pigwav.db import uploading
from pigwav.domain import LeaseId, RecordingId, UserId, object_key
from pigwav.errors import UploadSuperseded
from pigwav.wiring import Services
from uploading import new_user


def declare(services: Services, user: UserId, lease: LeaseId) -> None:
    recording, now = RecordingId(uuid4()), datetime.now(UTC)
    key = object_key(user, recording, now)
    with services.sweep.database.begin() as db:
        uploading.add_pending(
            db, recording, user, key=key, title=None, created_at=now, lease=lease, lease_s=60
        )


def test_a_renewal_before_the_row_is_written_takes_nothing_from_the_upload(services: Services) -> None:
    async def run() -> None:
        with services.leases.renewed(LeaseId(uuid4())) as lease:
            await services.leases.renew()
            lease.check()

    asyncio.run(run())


def test_a_lease_that_was_held_and_is_no_longer_is_lost(services: Services) -> None:
    async def run() -> None:
        user = await new_user(services)
        with services.leases.renewed(LeaseId(uuid4())) as lease:
            declare(services, user, lease.id)
            await services.leases.renew()
            lease.check()
            await services.delete_user(user)
            await services.leases.renew()
            with pytest.raises(UploadSuperseded):
                lease.check()

    asyncio.run(run())
