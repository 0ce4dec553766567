"""Starts decoders through `confine`, with all means that the machine supports and the program runs with."""

import os
import re
import struct
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from pigwav.audio import confine

_CONFINE: Final = "import sys; sys.path.append(sys.argv.pop(1)); import confine; confine.main(sys.argv[1:])"
"""Imports `confine` as a module, which is cached as bytecode. A script would be compiled for every decoder, which is a
quarter of the time that the start takes.
"""
_TRIAL_S: Final = 30
_LOADER_FILES: Final = ("/etc/ld.so.cache",)
_CLEAN: Final = {"LC_ALL": "C"}
_PT_INTERP: Final = 3
_ELF_HEADER_BYTES: Final = 64
_HELD_BY: Final = {
    "limits": {"limits"},
    "privileges": {"capabilities"},
    "files": {"landlock"},
    "network": {"seccomp", "namespace"},
    "processes": {"seccomp"},
    "lifetime": {"lifetime"},
}
_LIBRARY: Final = re.compile(r"(/\S.*) \(0x")


@dataclass(frozen=True)
class Confinement:
    """`means`: a subset of confine.MEANS. `readable`: the program's own files. `works`: whether the trial succeeded."""

    means: tuple[str, ...]
    readable: tuple[str, ...] = ()
    works: bool = True

    def argv(self, argv: Sequence[str], *, cpu_limit_s: int) -> list[str]:
        """The command to start in place of `argv`. `argv[0]` is an absolute path.

        This process must start it: the program is killed when this process ends.
        """
        if not self.means:
            return list(argv)
        order = (str(os.getpid()), str(cpu_limit_s), ",".join(self.means), *self.readable)
        return [*_launcher(), *order, "--", *argv]

    @property
    def gaps(self) -> tuple[str, ...]:
        """Protections that are missing, keys of _HELD_BY: what a compromised decoder could still reach or do."""
        return tuple(what for what, by in _HELD_BY.items() if by.isdisjoint(self.means))


@cache
def confinement_of(argv: tuple[str, ...], trial: bytes) -> Confinement:
    """The strictest confinement in which `argv` produces output from the input `trial`.

    Runs `argv`; the result is cached for the life of this process. If `argv` produces no output in any confinement:
    the strictest that the machine supports, with `works` False.
    """
    had = _means_here()
    readable = _files_of(argv[0]) if had else ()
    for means in _stricter_first(had):
        confinement = Confinement(means, readable)
        if _output(confinement.argv(argv, cpu_limit_s=_TRIAL_S), trial):
            return confinement
    return Confinement(had, readable, works=False)


def _launcher() -> list[str]:
    return [sys.executable, "-I", "-S", "-c", _CONFINE, str(Path(confine.__file__).parent)]


def _means_here() -> tuple[str, ...]:
    """The means that this machine supports. Empty if there is no Python executable to start (an embedded Python).

    A network namespace costs a millisecond and kernel work afterwards; it is used only if `seccomp`, which forbids
    sockets, is not available.
    """
    said = _output(_launcher()) if sys.executable else b""
    means = tuple(said.decode("ascii", "replace").split())
    if not set(means) <= set(confine.MEANS):
        return ()
    return tuple(each for each in means if each != "namespace" or "seccomp" not in means)


def _stricter_first(had: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """All of `had` first, then without means that the program may not run with:

    - `landlock`: a wrapper script needs a shell;
    - `seccomp`: another libc may use calls that we do not expect;
    - `capabilities`: root may need them to reach the program.
    """
    yield had
    yield had  # again: a transient failure must not weaken the confinement for the life of the server
    for one in (delicate := [each for each in ("landlock", "seccomp", "capabilities") if each in had]):
        yield tuple(means for means in had if means != one)
    yield tuple(means for means in had if means not in delicate)


def _files_of(program: str) -> tuple[str, ...]:
    """The program, its loader and its libraries, as the loader finds them; the program alone if it is static."""
    try:
        loader = _loader_of(program)
    except (OSError, ValueError, struct.error):
        loader = None
    if loader is None:
        return (program,)
    listed = _output([loader, "--list", program]).decode(errors="replace")
    return tuple(dict.fromkeys((program, loader, *_LIBRARY.findall(listed), *_LOADER_FILES)))


def _loader_of(program: str) -> str | None:
    """The loader that the PT_INTERP segment names (elf(5)).

    None if `program` is not a dynamically linked 64-bit ELF of this byte order.
    """
    with Path(program).open("rb") as file:
        header = file.read(_ELF_HEADER_BYTES)
        if len(header) < _ELF_HEADER_BYTES or header[:5] != b"\x7fELF\x02":
            return None
        (table_at,) = struct.unpack_from("=Q", header, 32)
        entry_bytes, entries = struct.unpack_from("=HH", header, 54)
        file.seek(table_at)
        table = file.read(entry_bytes * entries)
        for at in range(0, len(table), entry_bytes):
            kind, _, offset, _, _, size_bytes = struct.unpack_from("=IIQQQQ", table, at)
            if kind == _PT_INTERP:
                file.seek(offset)
                return file.read(size_bytes).rstrip(b"\0").decode()
    return None


def _output(argv: Sequence[str], stdin: bytes = b"") -> bytes:
    """Standard output; empty if the command fails."""
    try:
        done = subprocess.run(  # noqa: S603 - the operator's ffmpeg, the loader that it names, ourselves
            argv, input=stdin, capture_output=True, check=False, cwd="/", env=_CLEAN, timeout=_TRIAL_S
        )
    except (OSError, subprocess.TimeoutExpired):
        return b""
    return done.stdout if done.returncode == 0 else b""
