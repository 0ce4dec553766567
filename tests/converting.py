"""Converts a WAV with the audio package, and decodes the MP3."""

import asyncio
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import imageio_ffmpeg
import psutil

from pigwav.audio.conversion import Conversion, ConversionResult, Converter, open_converter
from pigwav.domain import AudioFacts
from pigwav.executors import BoundedExecutor
from pigwav.settings import EncoderSettings, UploadLimits

FFMPEG: Final = imageio_ffmpeg.get_ffmpeg_exe()


@dataclass(frozen=True)
class Converted:
    """A finished conversion. `mp3`: the whole file, with the final first frame."""

    conversion: Conversion
    result: ConversionResult
    mp3: bytes

    @property
    def facts(self) -> AudioFacts:
        return self.result.facts


def convert(
    wav: bytes,
    *,
    block_bytes: int = 65_536,
    bitrate_kbps: int | None = None,
    max_wav_bytes: int | None = None,
    **limits: int,
) -> Converted:
    """Converts a WAV. `limits`: fields of UploadLimits."""

    async def conversion() -> Converted:
        with a_converter(UploadLimits(**limits)) as converter:
            blocks = in_blocks(wav, block_bytes)
            opened = await converter.open(blocks, bitrate_kbps=bitrate_kbps, max_wav_bytes=max_wav_bytes)
            return await finished(opened)

    return asyncio.run(conversion())


async def finished(conversion: Conversion) -> Converted:
    try:
        frames = b"".join([block async for block in conversion.frames()])
    finally:
        await conversion.aclose()
    result = conversion.result()
    return Converted(conversion, result, result.first_frame + frames)


def decoders_running() -> list[psutil.Process]:
    """Our child processes that run ffmpeg or are about to, and those that are not reaped.

    The servers of the session are child processes, too, and are left out.
    """
    return [child for child in psutil.Process().children() if _may_be_decoder(child)]


def _may_be_decoder(child: psutil.Process) -> bool:
    try:
        return child.status() == psutil.STATUS_ZOMBIE or "ffmpeg" in " ".join(child.cmdline())
    except psutil.NoSuchProcess:
        return False


class a_converter:  # noqa: N801 - reads as a phrase: with a_converter() as converter
    """A context manager for a converter and its executor."""

    def __init__(
        self, limits: UploadLimits | None = None, encoder: EncoderSettings | None = None, *, threads: int = 1
    ) -> None:
        self._cpu = BoundedExecutor("cpu", width=threads)
        self._converter = open_converter(self._cpu, encoder or EncoderSettings(), limits or UploadLimits())

    def __enter__(self) -> Converter:
        return self._converter

    def __exit__(self, *_: object) -> None:
        self._cpu.close()


async def in_blocks(wav: bytes, block_bytes: int = 65_536) -> AsyncIterator[bytes]:
    for start in range(0, len(wav), block_bytes):
        yield wav[start : start + block_bytes]


def played(mp3: bytes, folder: Path, *, channels: int, recognised: bool = True) -> bytes:
    """The MP3 decoded to PCM without encoder delay and padding. Uses a file, because ffmpeg needs its size.

    `recognised`: whether ffmpeg has to find out that it is an MP3. It takes three frames of noise for something else.
    """
    path = folder / "played.mp3"
    path.write_bytes(mp3)
    source = [*([] if recognised else ["-f", "mp3"]), "-i", str(path)]
    command = [FFMPEG, "-nostdin", "-v", "error", *source, "-f", "s16le", "-ac", str(channels), "-"]
    done = subprocess.run(command, capture_output=True, check=True)
    assert done.stderr == b""
    return done.stdout
