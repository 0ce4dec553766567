"""Measures the recordings that have no levels or no waveform: they were stored before the service measured uploads.

It may be stopped at any time; the next run continues from there.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from typing import Final, Protocol

from pigwav.audio.measurement import Measured, Mp3Measurement
from pigwav.db import measuring, recordings, scrubbing, waveforms
from pigwav.db.session import Database
from pigwav.domain import ObjectKey, Recording, RecordingId
from pigwav.errors import ObjectMissing, StoreUnavailable, UndecodableAudio
from pigwav.store.base import Reachable, Reader

_PAGE: Final = 1000


class Outcome(StrEnum):
    """What became of a recording.

    - missing: there is no object.
    - damaged: the object has other bytes than the acknowledged recording.
    - undecodable: ffmpeg could not decode the MP3.
    - unreadable: the store answers, but does not return the object.
    - gone: the recording was deleted meanwhile.
    """

    MEASURED = "measured"
    MISSING = "missing"
    DAMAGED = "damaged"
    UNDECODABLE = "undecodable"
    UNREADABLE = "unreadable"
    GONE = "gone"


@dataclass(frozen=True)
class Visited:
    """A recording that was not measured before, and its outcome."""

    key: ObjectKey
    outcome: Outcome


class MeasuredStore(Reader, Reachable, Protocol): ...


@dataclass(frozen=True)
class Measure:
    """Blocking: run it in a process of its own, while the service runs. One recording at a time, no temporary file."""

    database: Database
    store: MeasuredStore
    measurement: Mp3Measurement

    def __call__(self) -> Iterator[Visited]:
        """Raises Unavailable, and Overloaded if ffmpeg cannot be started."""
        for recording in self._unmeasured():
            yield Visited(recording.object_key, self._outcome(recording))

    def _unmeasured(self) -> Iterator[Recording]:
        """Page by page, so that no statement reads the whole table."""
        last: RecordingId | None = None
        while True:
            with self.database.read() as db:
                page = measuring.ready_recordings(db, after=last, limit=_PAGE)
            for one in page:
                if one.is_measured:
                    continue
                with self.database.read() as db:
                    recording = recordings.find(db, one.id, one.user)
                if recording:
                    yield recording
            if len(page) < _PAGE:
                return
            last = page[-1].id

    def _outcome(self, recording: Recording) -> Outcome:
        """If the recording could not be measured, checks that its row is still ready."""
        outcome = self._measure(recording)
        if outcome in (Outcome.MEASURED, Outcome.GONE):
            return outcome
        with self.database.read() as db:
            return outcome if scrubbing.is_ready(db, recording.id) else Outcome.GONE

    def _measure(self, recording: Recording) -> Outcome:
        try:
            stored = self.store.stat(recording.object_key)
            if stored is None:
                return Outcome.MISSING
            if stored.size_bytes != recording.facts.size_bytes:
                return Outcome.DAMAGED
            measured, digest = asyncio.run(self._measured(recording))
        except ObjectMissing:
            return Outcome.MISSING
        except UndecodableAudio:
            return Outcome.UNDECODABLE
        except StoreUnavailable:
            self.store.check()  # raises if the store itself does not answer
            return Outcome.UNREADABLE
        if digest != recording.facts.sha256:
            return Outcome.DAMAGED
        return Outcome.MEASURED if self._stored(recording.id, measured) else Outcome.GONE

    async def _measured(self, recording: Recording) -> tuple[Measured, bytes]:
        """What was measured, and the SHA-256 of the bytes that were read."""
        digest = sha256()

        async def mp3() -> AsyncGenerator[bytes, None]:
            facts = recording.facts
            async with aclosing(self.store.read(recording.object_key, 0, facts.size_bytes)) as blocks:
                async for block in blocks:
                    digest.update(block)
                    yield block

        return await self.measurement(mp3(), recording.facts.audio), digest.digest()

    def _stored(self, recording: RecordingId, measured: Measured) -> bool:
        waveform = measured.waveform
        with self.database.begin() as db:
            return measuring.store_measured(
                db,
                recording,
                measured.facts,
                dat=waveform.dat(),
                overview=waveform.magnitudes(waveforms.OVERVIEW_POINTS),
            )
