"""What may be uploaded from asyncio: the same, read in threads, and async iterables."""

from collections.abc import AsyncIterable, AsyncIterator, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from anyio import to_thread

from pigwav.client.wavs import Wav, WavInput, wav_of

AsyncWavInput: TypeAlias = WavInput | AsyncIterable[bytes]


@dataclass(frozen=True)
class AsyncOpenWav:
    """As `OpenWav`."""

    size_bytes: int | None
    blocks: AsyncIterator[bytes]


class AsyncWav(Protocol):
    """As `Wav`."""

    filename: str | None

    @property
    def repeatable(self) -> bool: ...

    async def open(self, files: ExitStack) -> AsyncOpenWav: ...


def async_wav_of(given: AsyncWavInput) -> AsyncWav:
    """Raises TypeError for what is no WAV input."""
    if isinstance(given, AsyncIterable):
        return _LaterWav(given)
    return _ThreadedWav(wav_of(given))


class _ThreadedWav:
    """A WAV whose blocks may take time to read, as those of a disk or a pipe do."""

    def __init__(self, wav: Wav) -> None:
        self._wav = wav
        self.filename = wav.filename

    @property
    def repeatable(self) -> bool:
        return self._wav.repeatable

    async def open(self, files: ExitStack) -> AsyncOpenWav:
        opened = await to_thread.run_sync(self._wav.open, files)
        return AsyncOpenWav(opened.size_bytes, _in_thread(opened.blocks))


class _LaterWav:
    """As `_OnceWav`."""

    filename: str | None = None

    def __init__(self, blocks: AsyncIterable[bytes]) -> None:
        self._blocks = blocks
        self.repeatable = True

    async def open(self, files: ExitStack) -> AsyncOpenWav:  # noqa: ARG002 - it is the caller's
        return AsyncOpenWav(None, self._begun())

    async def _begun(self) -> AsyncIterator[bytes]:
        self.repeatable = False
        async for block in self._blocks:
            yield block


async def _in_thread(blocks: Iterator[bytes]) -> AsyncIterator[bytes]:
    while (block := await to_thread.run_sync(next, blocks, None)) is not None:
        yield block
