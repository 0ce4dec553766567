"""ffmpeg as a decoder of what `unpack` cannot do, confined: it sees a pipe with audio, and writes PCM into another.

It never sees the client's file: our header walk has read that, and ffmpeg gets a header that we wrote, followed by the
bytes of the `data` chunk. So it can neither guess another format nor be led to open a file or an address. Should those
bytes take it over all the same, `confinement` is what they find themselves in.
"""

import asyncio
import os
import re
import shutil
import signal
import struct
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress
from pathlib import Path
from typing import Final

import ffmpeg
import imageio_ffmpeg

from pigwav.audio.confine import NOT_STARTED
from pigwav.audio.confinement import Confinement, confinement_of
from pigwav.audio.downmix import pan_to_stereo
from pigwav.audio.fmt import FORMAT_TAGS, WavFormat
from pigwav.audio.pcm import PcmFormat
from pigwav.errors import Limit, NotConfigured, Overloaded, UndecodableAudio
from pigwav.lanes import to_the_end
from pigwav.telemetry.logs import log

_PIPE_BYTES: Final = 64 * 1024
_READ_BYTES: Final = 128 * 1024
_STDERR_BYTES: Final = 4096
_LARGEST_ALLOCATION_BYTES: Final = 64 * 1024 * 1024
_FILTER_SAMPLES: Final = 64
"""Twice what the resampler's filter spans, in samples of the lower rate."""
_RESAMPLED_SAMPLES: Final = 64 * 1024
"""What one frame may become: at 1 Hz, ffmpeg's usual 4096 samples would be an hour."""
_TRIAL_FORMAT: Final = WavFormat("adpcm_ms", 22_050, 1, 4, block_bytes=512, block_samples=1_012)
_CANNOT_START: Final = frozenset({NOT_STARTED, 127})
"""127: the loader misses a library."""
_SIGNAL_CAUGHT: Final = 255
"""ffmpeg's status after a signal that it has a handler for. `confine` keeps all of these from it but SIGXCPU."""


def uncounted(how: str) -> None:
    """For whoever does not count how decoders end."""


class Decoders:
    """The ffmpeg to run, and how many more may be started. For one event loop. `on_end`: see `decode`."""

    def __init__(self, program: str, *, total: int, on_end: Callable[[str], None] = uncounted) -> None:
        self.program: Final = program
        self.on_end: Final = on_end
        self.free = total

    def confinement(self) -> Confinement:
        """What the program is run in. The first time, it is tried out: that takes some 100 ms."""
        pcm = PcmFormat.of(_TRIAL_FORMAT)
        argv = decoder_argv(self.program, _TRIAL_FORMAT, pcm, cpu_limit_s=60)
        return confinement_of(tuple(argv), clean_header(_TRIAL_FORMAT) + bytes(_TRIAL_FORMAT.block_bytes))

    def log_confinement(self) -> None:
        """What holds a decoder that has been taken over, and what does not."""
        found = self.confinement()
        say = log.warning if found.gaps or not found.works else log.info
        say("decoder_confined", by=list(found.means), not_held=list(found.gaps), works=found.works)

    def argv(self, wav: WavFormat, pcm: PcmFormat, *, cpu_limit_s: int) -> list[str]:
        """For `decode`, confined."""
        argv = decoder_argv(self.program, wav, pcm, cpu_limit_s=cpu_limit_s)
        return self.confinement().argv(argv, cpu_limit_s=cpu_limit_s)

    def take(self) -> None:
        """Raises Overloaded: who comes late had better try again than wait with an open upload."""
        if self.free == 0:
            raise Overloaded(Limit.DECODERS)
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
    argv: list[str],
    header: bytes,
    data: AsyncGenerator[bytes, None],
    *,
    on_end: Callable[[str], None] = uncounted,
) -> AsyncGenerator[bytes, None]:
    """PCM in blocks of 128 KiB (the last is shorter) while `data` flows in. `data` is read to its end and closed.

    Raises what `data` raises, UndecodableAudio when ffmpeg gives up or dies, and Overloaded when no process can be
    had. However this ends, the process is gone when it has ended, and `on_end` was told once how it did: "ok",
    "refused", "stopped" (its output was no longer wanted), "not-started", or a signal's name, such as SIGSEGV.
    """
    process = await _start(argv, on_end)
    stdin, stdout, stderr = process.stdin, process.stdout, process.stderr
    assert stdin is not None and stdout is not None and stderr is not None  # noqa: S101, PT018 - PIPE was asked for
    complaints = asyncio.create_task(_first_bytes(stderr))
    feeding = asyncio.create_task(_feed(stdin, header, data))
    feeding.add_done_callback(lambda fed: _kill(process) if fed.cancelled() or fed.exception() else None)
    how = "stopped"
    try:
        while block := await _read(stdout):
            yield block
        status = await process.wait()
        if feeding.done():
            feeding.result()  # its failure is why the process ended
        how, said = _how_it_ended(status, await complaints)
        if how != "ok":
            raise _error(how, said)
        await feeding
    finally:
        on_end(how)
        feeding.cancel()
        _kill(process)
        await to_the_end(_reap(process, feeding, complaints))


async def _start(argv: list[str], on_end: Callable[[str], None]) -> Process:
    try:
        return await asyncio.create_subprocess_exec(
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
        on_end("not-started")
        raise _error("not-started", str(error)) from error


async def _feed(stdin: asyncio.StreamWriter, header: bytes, data: AsyncGenerator[bytes, None]) -> None:
    """Write while ffmpeg reads; once it reads no more, read `data` to its end all the same."""
    listening = True
    async with aclosing(data):
        # To write after the end: asyncio's transport drops it, uvloop's raises RuntimeError.
        if not stdin.is_closing():
            stdin.write(header)
        async for block in data:
            listening = listening and not stdin.is_closing()
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


def _how_it_ended(status: int, complaints: bytes) -> tuple[str, str]:
    """As `on_end` is told it; and what ffmpeg said."""
    said = complaints.decode("ascii", "replace").strip()
    if status < 0:
        return _signal_name(-status), said
    if status == _SIGNAL_CAUGHT and not said:
        return signal.SIGXCPU.name, said
    if status in _CANNOT_START:
        return "not-started", said
    return ("refused" if status else "ok"), said


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # most of the real-time signals have none
        return "SIGRT"


def _error(how: str, said: str) -> UndecodableAudio | Overloaded:
    if how == "not-started":
        log.error("decoder_not_started", said=said)
        return Overloaded(Limit.PROCESSES)
    if how == "refused":
        return UndecodableAudio(_reason(said))
    log.warning("decoder_killed", signal=how)
    why = ": it took too much CPU time" if how == signal.SIGXCPU.name else ""
    return UndecodableAudio(f"The decoder was stopped by {how}{why}.")


def _reason(complaints: str) -> str:
    """What ffmpeg said first, without its component names and addresses, and without any path."""
    plain = re.sub(r"/\S+", "...", re.sub(r"\[[^\]\n]*\] *", "", complaints))
    first = next(filter(None, map(str.strip, plain.splitlines())), "no reason given")
    return f"The audio could not be decoded: {first[:200].rstrip('.')}."
