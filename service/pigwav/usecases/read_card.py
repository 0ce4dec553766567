"""Reads the card of a recording: the picture that messengers show for its link."""

from collections.abc import Callable
from dataclasses import dataclass

from pigwav.domain import Recording, RecordingId, UserId
from pigwav.executors import BoundedExecutor
from pigwav.usecases.read_waveform import ReadWaveform


@dataclass(frozen=True)
class ReadCard:
    """For whoever has the link, as for the MP3. `card`: makes the PNG of a stored waveform."""

    read_waveform: ReadWaveform
    cards: BoundedExecutor
    card: Callable[[bytes | None], bytes]

    async def __call__(self, recording: RecordingId, user: UserId) -> tuple[Recording, bytes]:
        """Raises RecordingNotFound, Overloaded."""
        found, dat = await self.read_waveform.stored(recording, user)
        return found, await self.cards(self.card, dat)
