"""Reference PCM of a WAV: the documented rules, ffmpeg's decode of the whole file, libsndfile's. And LAME's input.

PCM is an int16 array of (samples, channels). The references do not use the code under test.
"""

import asyncio
import io
import subprocess
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import imageio_ffmpeg
import numpy as np
import soundfile
from numpy.typing import NDArray

from converting import Converted, finished, in_blocks
from pigwav.audio.conversion import Converter, open_converter
from pigwav.audio.lame import LameEncoder
from pigwav.audio.mp3 import Mp3Format
from pigwav.executors import BoundedExecutor
from pigwav.settings import EncoderSettings, UploadLimits

Pcm = NDArray[np.int16]
Values = NDArray[Any]

FFMPEG: Final = imageio_ffmpeg.get_ffmpeg_exe()
MAX_DECODERS: Final = 4
FASTEST: Final = 9


class RecordingEncoder(LameEncoder):
    """LAME, and a record of the PCM that it got."""

    def __init__(self, mp3: Mp3Format, *, quality: int) -> None:
        super().__init__(mp3, quality=quality)
        self.mp3 = mp3
        self.pcm = bytearray()

    def encode(self, pcm: bytes) -> bytes:
        self.pcm += pcm
        return super().encode(pcm)


@dataclass(frozen=True)
class Heard:
    """The input of LAME in one conversion."""

    pcm: Pcm
    sample_rate_hz: int
    converted: Converted


def reaching_lame(wav: bytes, *, block_bytes: Iterable[int] = (65_536,)) -> list[Heard]:
    """Converts `wav` once per size of the blocks in which it arrives."""
    return asyncio.run(_reaching_lame(wav, block_bytes))


async def _reaching_lame(wav: bytes, block_bytes: Iterable[int]) -> list[Heard]:
    executor = BoundedExecutor("cpu", width=1)
    limits = UploadLimits(max_decoders=MAX_DECODERS)
    plain = open_converter(executor, EncoderSettings(lame_quality=FASTEST), limits)
    try:
        return [await _heard(plain, wav, size) for size in block_bytes]
    finally:
        executor.close()


async def _heard(plain: Converter, wav: bytes, block_bytes: int) -> Heard:
    opened: list[RecordingEncoder] = []

    def recording(mp3: Mp3Format, *, quality: int) -> RecordingEncoder:
        opened.append(RecordingEncoder(mp3, quality=quality))
        return opened[-1]

    converter = Converter(plain.cpu, plain.encoder, plain.limits, plain.decoders, open_encoder=recording)
    done = await finished(await converter.open(in_blocks(wav, block_bytes)))
    [encoder] = opened
    pcm = np.frombuffer(bytes(encoder.pcm), "<i2").reshape(-1, encoder.mp3.channels)
    return Heard(pcm, encoder.mp3.sample_rate_hz, done)


def as_documented(values: Values) -> Pcm:
    """Converts the WAV's samples (unsigned 8-bit, left-justified integers, floats) to 16 bits.

    Integers lose their low bits. Floats are scaled by 32768, rounded half to even and clipped; NaN is silence.
    """
    if values.dtype.kind == "f":
        clipped = np.clip(np.nan_to_num(values.astype(np.float64), nan=0.0), -2.0, 2.0)
        return np.clip(np.rint(clipped * 32_768), -32_768, 32_767).astype("<i2")
    if values.dtype == np.uint8:
        return ((values.astype(np.int16) - 128) << 8).astype("<i2")
    return (values >> (8 * values.itemsize - 16)).astype("<i2")


def by_ffmpeg(
    wav: bytes, *, channels: int, rate_hz: int | None = None, demand: Iterable[str] = (), filters: str = ""
) -> Pcm:
    """ffmpeg's decode of the whole file, resampled to `rate_hz`. `demand`: input options."""
    options = ["-ar", str(rate_hz)] if rate_hz else []
    options += ["-af", filters] if filters else []
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "reference.wav")
        file.write_bytes(wav)
        command = [FFMPEG, "-nostdin", "-v", "error", *demand, "-i", str(file), *options, "-f", "s16le", "-"]
        done = subprocess.run(command, capture_output=True, check=True)
    return np.frombuffer(done.stdout, "<i2").reshape(-1, channels)


def by_libsndfile(wav: bytes) -> Pcm:
    """libsndfile's decode. Linear PCM is read in its own type and converted by `as_documented`, because libsndfile's
    conversion to 16 bits scales floats by 32767 and wraps them.
    """
    with soundfile.SoundFile(io.BytesIO(wav)) as file:
        own = {"FLOAT": "float32", "DOUBLE": "float64", "PCM_24": "int32", "PCM_32": "int32"}
        values = file.read(file.frames, dtype=own.get(file.subtype, "int16"), always_2d=True)
    return as_documented(values)


def encoded_by_ffmpeg(values: Pcm, codec: str, *, rate_hz: int, options: Iterable[str] = ()) -> bytes:
    """A WAV of `values` in one of ffmpeg's codecs, such as adpcm_ms."""
    raw = ["-f", "s16le", "-ar", str(rate_hz), "-ac", str(values.shape[1])]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "encoded.wav")  # not a pipe: ffmpeg writes the sizes last
        command = [FFMPEG, "-v", "error", *raw, "-i", "-", "-c:a", codec, *options, str(file)]
        subprocess.run(command, input=values.astype("<i2").tobytes(), check=True)
        return file.read_bytes()


def encoded_by_libsndfile(values: Pcm, subtype: str, *, rate_hz: int) -> bytes:
    """A WAV of `values` in one of libsndfile's codecs, such as GSM610."""
    file = io.BytesIO()
    soundfile.write(file, values, rate_hz, format="WAV", subtype=subtype)
    return file.getvalue()
