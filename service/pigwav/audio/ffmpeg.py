"""ffmpeg as a decoder of what `unpack` cannot do, confined: it sees a pipe with audio, and writes PCM into another.

It never sees the client's file: our header walk has read that, and ffmpeg gets a header that we wrote, followed by the
bytes of the `data` chunk. So it can neither guess another format nor be led to open a file or an address.
"""

import asyncio
import os
import re
import resource
import shutil
import signal
import struct
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from pathlib import Path
from typing import Final

import ffmpeg
import imageio_ffmpeg

from pigwav.audio.downmix import pan_to_stereo
from pigwav.audio.fmt import FORMAT_TAGS, WavFormat
from pigwav.audio.pcm import PcmFormat
from pigwav.errors import NotConfigured, Overloaded, UndecodableAudio
from pigwav.lanes import to_the_end

_PIPE_BYTES: Final = 64 * 1024
_READ_BYTES: Final = 128 * 1024
_STDERR_BYTES: Final = 4096
_MEMORY_BYTES: Final = 1024 * 1024 * 1024
_LARGEST_ALLOCATION_BYTES: Final = 64 * 1024 * 1024
_OPEN_FILES: Final = 64
_FILTER_SAMPLES: Final = 64
"""Twice what the resampler's filter spans, in samples of the lower rate."""
_RESAMPLED_SAMPLES: Final = 64 * 1024
"""What one frame may become: at 1 Hz, ffmpeg's usual 4096 samples would be an hour."""


class Decoders:
    """The ffmpeg to run, and how many more may be started. For one event loop."""

    def __init__(self, program: str, *, total: int) -> None:
        self.program: Final = program
        self.free = total

    def take(self) -> None:
        """Raises Overloaded: who comes late had better try again than wait with an open upload."""
        if self.free == 0:
            raise Overloaded("All decoders are busy. Try again soon.")
        self.free -= 1

    def give_back(self) -> None:
        self.free += 1


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
        chain += _in_small_frames(wav.sample_rate_hz, pcm.sample_rate_hz)
    return {"af": ",".join(chain)} if chain else {}


def _in_small_frames(from_hz: int, to_hz: int) -> list[str]:
    """Before the resampler, whose memory grows with the frame; with silence behind the last, which pushes the last real
    samples out of it. What comes out beyond is cut off by us.
    """
    silence = _FILTER_SAMPLES * max(1, from_hz // to_hz)
    most = min(4096, max(1, _RESAMPLED_SAMPLES * from_hz // to_hz))
    return [f"apad=pad_len={silence}", f"asetnsamples=n={most}:p=0"]


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


async def decode(
    argv: list[str], header: bytes, data: AsyncGenerator[bytes, None], *, cpu_limit_s: int
) -> AsyncGenerator[bytes, None]:
    """PCM in blocks of 128 KiB (the last is shorter) while `data` flows in. `data` is read to its end and closed.

    Raises what `data` raises, UndecodableAudio when ffmpeg gives up, and Overloaded when no process can be had.
    However this ends, the process is gone when it has ended.
    """
    process = await _start(argv, cpu_limit_s)
    stdin, stdout, stderr = process.stdin, process.stdout, process.stderr
    assert stdin is not None and stdout is not None and stderr is not None  # noqa: S101, PT018 - PIPE was asked for
    complaints = asyncio.create_task(_first_bytes(stderr))
    feeding = asyncio.create_task(_feed(stdin, header, data))
    feeding.add_done_callback(lambda fed: _kill(process) if fed.cancelled() or fed.exception() else None)
    try:
        while block := await _read(stdout):
            yield block
        if feeding.done():
            feeding.result()
        if await process.wait() != 0:
            raise UndecodableAudio(_reason(await complaints, process.returncode))
        await feeding
    finally:
        feeding.cancel()
        _kill(process)
        await to_the_end(_reap(process, feeding, complaints))


async def _start(argv: list[str], cpu_limit_s: int) -> Process:
    try:
        process = await asyncio.create_subprocess_exec(
            *argv,
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            limit=_PIPE_BYTES,
            cwd="/",
            env={"LC_ALL": "C"},
            start_new_session=True,
        )
    except OSError as error:
        raise Overloaded("No decoder process can be started. Try again soon.") from error
    _confine(process.pid, cpu_limit_s)
    return process


def _confine(pid: int, cpu_limit_s: int) -> None:
    """Limits by the kernel, where it lets us set another process's: CPU time, memory, no file written, no core dump."""
    if sys.platform != "linux":
        return
    limits = {
        resource.RLIMIT_CPU: (
            cpu_limit_s,
            cpu_limit_s + 1,
        ),  # as -timelimit sets it, which must not fail afterwards
        resource.RLIMIT_AS: (_MEMORY_BYTES, _MEMORY_BYTES),
        resource.RLIMIT_NOFILE: (_OPEN_FILES, _OPEN_FILES),
        resource.RLIMIT_FSIZE: (0, 0),
        resource.RLIMIT_CORE: (0, 0),
    }
    with suppress(ProcessLookupError):  # it has ended already
        for kind, most in limits.items():
            resource.prlimit(pid, kind, most)


async def _feed(stdin: asyncio.StreamWriter, header: bytes, data: AsyncGenerator[bytes, None]) -> None:
    """Write while ffmpeg reads; once it reads no more, read `data` to its end all the same."""
    listening = True
    async with aclosing(data):
        stdin.write(header)
        async for block in data:
            if listening:
                try:
                    stdin.write(block)
                    await stdin.drain()
                except (BrokenPipeError, ConnectionResetError):
                    listening = False
    stdin.close()


async def _read(stdout: asyncio.StreamReader) -> bytes:
    """As much as there is, up to _READ_BYTES; less only at the end."""
    block = bytearray()
    while len(block) < _READ_BYTES:
        piece = await stdout.read(_READ_BYTES - len(block))
        if not piece:
            break
        block += piece
    return bytes(block)


async def _first_bytes(stderr: asyncio.StreamReader) -> bytes:
    """Read to the end, lest ffmpeg should wait, and keep the beginning."""
    kept = b""
    while block := await stderr.read(_STDERR_BYTES):
        kept = (kept + block)[:_STDERR_BYTES]
    return kept


def _kill(process: Process) -> None:
    if process.returncode is None:
        with suppress(ProcessLookupError, PermissionError):  # gone; macOS says EPERM of a group of zombies
            os.killpg(process.pid, signal.SIGKILL)


async def _reap(process: Process, *tasks: asyncio.Task[None] | asyncio.Task[bytes]) -> None:
    """Wait for a process that is dead or dying. Its pipes are read out, else asyncio would never close them."""
    stdin, stdout = process.stdin, process.stdout
    if stdin:
        stdin.close()
    while stdout and await stdout.read(_PIPE_BYTES):
        pass
    await asyncio.gather(*tasks, return_exceptions=True)
    await process.wait()


def _reason(complaints: bytes, status: int | None) -> str:
    """What ffmpeg said first, without its component names and addresses, and without any path."""
    if status is not None and status < 0:
        return f"The decoder was stopped by {signal.Signals(-status).name}."
    text = complaints.decode("ascii", "replace")
    said = (re.sub(r"/\S+", "...", re.sub(r"\[[^\]]*\] *", "", line)).strip() for line in text.splitlines())
    first = next(filter(None, said), "no reason given")
    return f"The audio could not be decoded: {first[:200].rstrip('.')}."
