"""Runs one decoder process: writes audio to its standard input while reading PCM from its standard output."""

import asyncio
import os
import re
import signal
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress
from typing import Final

from pigwav.audio.confine import NOT_STARTED
from pigwav.errors import Limit, Overloaded, UndecodableAudio
from pigwav.executors import run_to_completion
from pigwav.telemetry.logs import log

_PIPE_BYTES: Final = 64 * 1024
_READ_BYTES: Final = 128 * 1024
_STDERR_BYTES: Final = 4096
_CANNOT_START: Final = frozenset({NOT_STARTED, 127})
"""127: the loader does not find a library."""
_SIGNAL_CAUGHT: Final = 255
"""ffmpeg's exit status after a signal that it handles. `confine` blocks all of these signals but SIGXCPU."""


def uncounted(how: str) -> None:
    """An `on_end` that does nothing."""


async def decode(
    argv: list[str],
    header: bytes,
    data: AsyncGenerator[bytes, None],
    *,
    on_end: Callable[[str], None] = uncounted,
) -> AsyncGenerator[bytes, None]:
    """PCM in blocks of 128 KiB (the last is shorter), while `data` is read to its end; then `data` is closed.

    Raises what `data` raises, UndecodableAudio if ffmpeg fails or is killed, and Overloaded if no process can be
    started. When this iterator ends, for whatever reason, the process has ended, and `on_end` has been called once,
    with "ok", "refused" (ffmpeg failed), "stopped" (the caller wanted no more output), "not-started", or the name of a
    signal, such as SIGSEGV.
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
            feeding.result()  # if it failed, that is why the process ended
        how, said = _how_it_ended(status, await complaints)
        if how != "ok":
            raise _error(how, said)
        await feeding
    finally:
        on_end(how)
        feeding.cancel()
        _kill(process)
        await run_to_completion(_reap(process, feeding, complaints))


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
    """Writes as long as ffmpeg reads; when ffmpeg stops reading, still reads `data` to its end."""
    listening = True
    async with aclosing(data):
        # A write to a closed transport: asyncio drops it, uvloop raises RuntimeError.
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
    """Exactly _READ_BYTES; fewer only at the end of the output."""
    block = bytearray()
    while len(block) < _READ_BYTES:
        piece = await stdout.read(_READ_BYTES - len(block))
        if not piece:
            break
        block += piece
    return bytes(block)


async def _first_bytes(stderr: asyncio.StreamReader) -> bytes:
    """The first _STDERR_BYTES. Reads up to the end, because ffmpeg would wait if the pipe were full."""
    kept = b""
    while block := await stderr.read(_STDERR_BYTES):
        kept = (kept + block)[:_STDERR_BYTES]
    return kept


def _kill(process: Process) -> None:
    if process.returncode is None:
        with suppress(ProcessLookupError, PermissionError):  # it has ended; macOS: EPERM for zombies
            os.killpg(process.pid, signal.SIGKILL)


async def _reap(process: Process, *tasks: asyncio.Task[None] | asyncio.Task[bytes]) -> None:
    """Waits for a process that has ended or was killed. Reads its pipes to the end: asyncio closes them only then."""
    stdin, stdout = process.stdin, process.stdout
    if stdin:
        stdin.close()
    while stdout and await stdout.read(_PIPE_BYTES):
        pass
    await asyncio.gather(*tasks, return_exceptions=True)
    await process.wait()


def _how_it_ended(status: int, complaints: bytes) -> tuple[str, str]:
    """The word for `on_end`, and what ffmpeg wrote on standard error."""
    said = complaints.decode("ascii", "replace").strip()
    if status < 0:
        try:
            return signal.Signals(-status).name, said
        except ValueError:  # most of the real-time signals have none
            return "SIGRT", said
    if status == _SIGNAL_CAUGHT and not said:
        return signal.SIGXCPU.name, said
    if status in _CANNOT_START:
        return "not-started", said
    return ("refused" if status else "ok"), said


def _error(how: str, said: str) -> UndecodableAudio | Overloaded:
    if how == "not-started":
        log.error("decoder_not_started", said=said)
        return Overloaded(Limit.PROCESSES)
    if how == "refused":
        # ffmpeg's first message, without its component names, addresses and paths.
        plain = re.sub(r"/\S+", "...", re.sub(r"\[[^\]\n]*\] *", "", said))
        first = next(filter(None, map(str.strip, plain.splitlines())), "no reason given")
        return UndecodableAudio(f"The audio could not be decoded: {first[:200].rstrip('.')}.")
    log.warning("decoder_killed", signal=how)
    why = ": it used too much CPU time" if how == signal.SIGXCPU.name else ""
    return UndecodableAudio(f"The decoder was stopped by {how}{why}.")
