"""Arguments and WAV header for ffmpeg, the decoder of all audio that `unpack` cannot convert, and of our MP3s.

ffmpeg never gets the client's file: our header walk reads the file's header, and ffmpeg gets a header that we write,
followed by the bytes of the `data` chunk. Therefore it cannot guess another format, and the client cannot make it open
a file or an address. If those bytes exploit a bug in ffmpeg, `confinement` limits what they can reach.
"""

import shutil
import struct
from pathlib import Path
from typing import Any, Final

import ffmpeg
import imageio_ffmpeg

from pigwav.audio.downmix import pan_to_stereo
from pigwav.audio.fmt import FORMAT_TAGS, WavFormat
from pigwav.audio.mp3 import Mp3Format
from pigwav.audio.pcm import PcmFormat
from pigwav.errors import NotConfigured

_LARGEST_ALLOCATION_BYTES: Final = 64 * 1024 * 1024
_FILTER_SAMPLES: Final = 64
"""Twice the span of the resampler's filter, in samples of the lower rate."""
_RESAMPLED_SAMPLES: Final = 64 * 1024
"""The most samples that one frame may become: at 1 Hz, ffmpeg's usual 4096 samples would be an hour."""


def find_ffmpeg(configured: Path | None) -> str:
    """Absolute path of the configured program, else of the bundled one. Raises NotConfigured if there is none."""
    try:
        name = str(configured or imageio_ffmpeg.get_ffmpeg_exe())
    except RuntimeError as error:
        raise NotConfigured("There is no ffmpeg: install one or name it in PIGWAV_FFMPEG.") from error
    program = shutil.which(name)
    if program is None:
        raise NotConfigured(f"PIGWAV_FFMPEG is not an executable program: {name}.")
    return str(Path(program).absolute())  # decoders run in another working directory


def decoder_argv(program: str, wav: WavFormat, pcm: PcmFormat, *, cpu_limit_s: int) -> list[str]:
    """The command: reads WAV on standard input (`clean_header`, then the data), writes PCM on standard output."""
    source = _input("wav", wav.codec, ignore_length=1)
    return _argv(program, source, pcm, cpu_limit_s, _filters(wav, pcm))


def mp3_decoder_argv(program: str, mp3: Mp3Format, *, cpu_limit_s: int) -> list[str]:
    """The command: reads our MP3 on standard input, writes the PCM of all its frames on standard output.

    The encoder's gain is undone. Delay and padding are not cut off: ffmpeg does both only in a file.
    """
    source = _input("mp3", "mp3float", flags2="skip_manual")
    pcm = PcmFormat(mp3.sample_rate_hz, mp3.channels)
    return _argv(program, source, pcm, cpu_limit_s, {"af": f"volume={1 / mp3.gain:.6f}:precision=float"})


def _input(container: str, codec: str, **more: str | int) -> Any:
    """A node of ffmpeg-python, which has no types."""
    return ffmpeg.input(
        "pipe:0",
        format=container,
        acodec=codec,
        codec_whitelist=codec,
        format_whitelist=container,
        protocol_whitelist="pipe",
        threads=1,
        probesize=32,
        analyzeduration=0,
        **more,
    )


def _argv(program: str, source: Any, pcm: PcmFormat, cpu_limit_s: int, filters: dict[str, str]) -> list[str]:
    sink = ffmpeg.output(
        source,
        "pipe:1",
        format="s16le",
        acodec="pcm_s16le",
        map="0:a:0",
        map_metadata=-1,
        ar=pcm.sample_rate_hz,
        ac=pcm.channels,
        **filters,
    )
    # ffmpeg ignores global options after the output, where ffmpeg-python puts them.
    limits = [
        "-timelimit",
        str(cpu_limit_s),
        "-max_alloc",
        str(_LARGEST_ALLOCATION_BYTES),
        "-filter_threads",
        "1",
    ]
    argv: list[str] = sink.compile([program, "-nostdin", "-hide_banner", "-loglevel", "error", *limits])
    return argv


def _filters(wav: WavFormat, pcm: PcmFormat) -> dict[str, str]:
    chain = []
    if wav.channels > pcm.channels:
        # In floating point, because an integer sum that rounding takes past full scale would wrap around.
        chain += ["aformat=sample_fmts=fltp", pan_to_stereo(wav.channels, wav.speakers)]
    if wav.sample_rate_hz != pcm.sample_rate_hz:
        # The resampler's memory grows with the frame size, therefore frames are small. Silence after the last frame
        # pushes the last real samples out of the resampler; we cut off the output beyond them.
        silence = _FILTER_SAMPLES * max(1, wav.sample_rate_hz // pcm.sample_rate_hz)
        frame_samples = min(4096, max(1, _RESAMPLED_SAMPLES * wav.sample_rate_hz // pcm.sample_rate_hz))
        chain += [f"apad=pad_len={silence}", f"asetnsamples=n={frame_samples}:p=0"]
    return {"af": ",".join(chain)} if chain else {}


def clean_header(wav: WavFormat) -> bytes:
    """A WAV header of the same format and of unknown length. It has no bytes from the client."""
    tag = FORMAT_TAGS[wav.codec]
    bytes_per_s = min(wav.sample_rate_hz * wav.block_bytes // wav.block_samples, 0xFFFFFFFF)
    fmt = struct.pack(
        "<HHIIHH", tag, wav.channels, wav.sample_rate_hz, bytes_per_s, wav.block_bytes, wav.bits
    )
    if wav.block_samples > 1:
        fmt += struct.pack("<HH", 2, wav.block_samples)
    endless = b"\xff\xff\xff\xff"
    return b"".join((b"RIFF", endless, b"WAVEfmt ", len(fmt).to_bytes(4, "little"), fmt, b"data", endless))
