"""Uploads by calling the use-case with the body's blocks."""

import asyncio
import itertools
from collections.abc import AsyncIterator

import pytest

from pigwav.domain import Recording, UserId
from pigwav.errors import PigWavError
from pigwav.wiring import Services

_names = (f"uploader {n}" for n in itertools.count())


async def blocks(body: bytes, *, then: PigWavError | None = None) -> AsyncIterator[bytes]:
    for start in range(0, len(body), 65536):
        yield body[start : start + 65536]
    if then is not None:
        raise then


async def new_user(services: Services) -> UserId:
    return (await services.register_user(next(_names))).user.id


def add(services: Services, body: bytes, *, then: PigWavError | None = None) -> tuple[UserId, Recording]:
    async def run() -> tuple[UserId, Recording]:
        user = await new_user(services)
        recording = await services.add_recording(user, blocks(body, then=then), bitrate_kbps=320)
        return user, recording

    return asyncio.run(run())


def fails(
    services: Services, body: bytes, error: type[PigWavError], *, then: PigWavError | None = None
) -> UserId:
    """Asserts that the upload fails with this error. Returns the user's id."""

    async def run() -> UserId:
        user = await new_user(services)
        with pytest.raises(error):
            await services.add_recording(user, blocks(body, then=then), bitrate_kbps=320)
        return user

    return asyncio.run(run())
