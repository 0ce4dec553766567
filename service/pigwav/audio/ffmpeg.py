"""What ffmpeg gets as a decoder of what `unpack` cannot do: its arguments, and a WAV header.

It never sees the client's file: our header walk has read that, and ffmpeg gets a header that we wrote, followed by the
bytes of the `data` chunk. So it can neither guess another format nor be led to open a file or an address. If those
bytes take it over all the same, `confinement` limits what they can reach.
"""

import shutil
import struct
from pathlib import Path
from typing import Final

import ffmpeg
import imageio_ffmpeg

from pigwav.audio.downmix import pan_to_stereo
from pigwav.audio.fmt import FORMAT_TAGS, WavFormat
from pigwav.audio.pcm import PcmFormat
from pigwav.errors import NotConfigured

_LARGEST_ALLOCATION_BYTES: Final = 64 * 1024 * 1024
_FILTER_SAMPLES: Final = 64
"""Twice what the resampler's filter spans, in samples of the lower rate."""
_RESAMPLED_SAMPLES: Final = 64 * 1024
"""What one frame may become: at 1 Hz, ffmpeg's usual 4096 samples would be an hour."""


def find_ffmpeg(configured: Path | None) -> str:
    """Absolute path of the program to run: the configured one, else the bundled one. Raises NotConfigured."""
    try:
        name = str(configured or imageio_ffmpeg.get_ffmpeg_exe())
    except RuntimeError as error:
        raise NotConfigured("There is no ffmpeg: install one or name it in PIGWAV_FFMPEG.") from error
    program = shutil.which(name)
    if program is None:
        raise NotConfigured(f"PIGWAV_FFMPEG names no program: {name}.")
    return str(Path(program).absolute())  # it is started in another folder


def decoder_argv(program: str, wav: WavFormat, pcm: PcmFormat, *, cpu_limit_s: int) -> list[str]:
    """WAV on standard input (`clean_header`, then the data), PCM on standard output."""
    source = ffmpeg.input(
        "pipe:0",
        format="wav",
        acodec=wav.codec,
        codec_whitelist=wav.codec,
        format_whitelist="wav",
        protocol_whitelist="pipe",
        threads=1,
        probesize=32,
        analyzeduration=0,
        ignore_length=1,
    )
    sink = ffmpeg.output(
        source,
        "pipe:1",
        format="s16le",
        acodec="pcm_s16le",
        map="0:a:0",
        map_metadata=-1,
        ar=pcm.sample_rate_hz,
        ac=pcm.channels,
        **_filters(wav, pcm),
    )
    # ffmpeg ignores global options behind the output, where ffmpeg-python puts them.
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
        # In integers, a sum that rounding takes past full scale would wrap around.
        chain += ["aformat=sample_fmts=fltp", pan_to_stereo(wav.channels, wav.speakers)]
    if wav.sample_rate_hz != pcm.sample_rate_hz:
        # The resampler's memory grows with the frame, so frames are small. Silence behind the last one pushes the last
        # real samples out of it; what comes out beyond is cut off by us.
        silence = _FILTER_SAMPLES * max(1, wav.sample_rate_hz // pcm.sample_rate_hz)
        frame_samples = min(4096, max(1, _RESAMPLED_SAMPLES * wav.sample_rate_hz // pcm.sample_rate_hz))
        chain += [f"apad=pad_len={silence}", f"asetnsamples=n={frame_samples}:p=0"]
    return {"af": ",".join(chain)} if chain else {}


def clean_header(wav: WavFormat) -> bytes:
    """A header of the same format and of unknown length, with nothing of the client's in it."""
    tag = FORMAT_TAGS[wav.codec]
    bytes_per_s = min(wav.sample_rate_hz * wav.block_bytes // wav.block_samples, 0xFFFFFFFF)
    fmt = struct.pack(
        "<HHIIHH", tag, wav.channels, wav.sample_rate_hz, bytes_per_s, wav.block_bytes, wav.bits
    )
    if wav.block_samples > 1:
        fmt += struct.pack("<HH", 2, wav.block_samples)
    endless = b"\xff\xff\xff\xff"
    return b"".join((b"RIFF", endless, b"WAVEfmt ", len(fmt).to_bytes(4, "little"), fmt, b"data", endless))
