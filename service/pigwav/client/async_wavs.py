"""The inputs of an upload with asyncio: those of wavs.py, read in threads, and async iterables."""

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
    """Raises TypeError if `given` is not an AsyncWavInput."""
    if isinstance(given, AsyncIterable):
        return _LaterWav(given)
    return _ThreadedWav(wav_of(given))


class _ThreadedWav:
    """A WAV whose blocks are read in a thread, because a disk or a pipe may block."""

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
    """An async iterable, which can be read only once: as `_OneShotWav`."""

    filename: str | None = None

    def __init__(self, blocks: AsyncIterable[bytes]) -> None:
        self._blocks = blocks
        self.repeatable = True

    async def open(self, files: ExitStack) -> AsyncOpenWav:  # noqa: ARG002 - the caller closes the iterable
        return AsyncOpenWav(None, self._begun())

    async def _begun(self) -> AsyncIterator[bytes]:
        self.repeatable = False
        async for block in self._blocks:
            yield block


async def _in_thread(blocks: Iterator[bytes]) -> AsyncIterator[bytes]:
    while (block := await to_thread.run_sync(next, blocks, None)) is not None:
        yield block
