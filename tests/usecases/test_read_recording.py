"""A download completes even if the store fails temporarily."""

import asyncio

import pytest

from factories import wav
from fakes.faulty_store import FaultyStore, OnCall, unavailable
from pigwav.domain import Recording
from pigwav.errors import ObjectMissing, StoreUnavailable
from pigwav.wiring import Services
from uploading import add


def heard(services: Services, recording: Recording) -> bytes:
    async def run() -> bytes:
        blocks = await services.read_recording(recording.object_key, 0, recording.facts.size_bytes)
        return b"".join([block async for block in blocks])

    return asyncio.run(run())


def test_a_read_that_breaks_in_the_middle_goes_on_where_it_broke(
    services: Services, store: FaultyStore
) -> None:
    _, recording = add(services, wav(seconds=30))
    whole = heard(services, recording)
    store.after["read"] = OnCall(2, unavailable)

    assert heard(services, recording) == whole
    assert store.asked.count("read") == 3


def test_a_store_that_gives_nothing_is_an_error_and_no_endless_loop(
    services: Services, store: FaultyStore
) -> None:
    _, recording = add(services, wav(seconds=1))
    store.before["read"] = unavailable

    with pytest.raises(StoreUnavailable):
        heard(services, recording)


def test_a_recording_without_its_object_is_an_error_before_the_first_byte(
    services: Services, store: FaultyStore
) -> None:
    _, recording = add(services, wav(seconds=1))
    store.delete(recording.object_key)

    with pytest.raises(ObjectMissing):
        heard(services, recording)
