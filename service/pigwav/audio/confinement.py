"""How a decoder is started: through `confine`, by all means that this machine has and the program can live with."""

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
"""As a module, which is compiled already: a script would be compiled for every decoder, a quarter of what it takes."""
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
    """`means`: of confine.MEANS. `readable`: the program's own files. `works`: whether a trial came to its end."""

    means: tuple[str, ...]
    readable: tuple[str, ...] = ()
    works: bool = True

    def argv(self, argv: Sequence[str], *, cpu_limit_s: int) -> list[str]:
        """What to start in place of `argv`, whose first is an absolute path; by this process, which it dies with."""
        if not self.means:
            return list(argv)
        order = (str(os.getpid()), str(cpu_limit_s), ",".join(self.means), *self.readable)
        return [*_launcher(), *order, "--", *argv]

    @property
    def gaps(self) -> tuple[str, ...]:
        """What a decoder that has been taken over could still reach, or do: a choice of _HELD_BY."""
        return tuple(what for what, by in _HELD_BY.items() if by.isdisjoint(self.means))


@cache
def confinement_of(argv: tuple[str, ...], trial: bytes) -> Confinement:
    """The strictest one in which `argv` makes something of `trial`. Runs it, once in this process's life.

    Where it makes nothing of it in any: the strictest that the machine has, which does not work.
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
    """None where there is no Python of its own to start: in a program that embeds it.

    A network namespace costs a millisecond and work of the kernel's afterwards; it is for where no filter keeps from
    sockets.
    """
    said = _output(_launcher()) if sys.executable else b""
    means = tuple(said.decode("ascii", "replace").split())
    if not set(means) <= set(confine.MEANS):
        return ()
    return tuple(each for each in means if each != "namespace" or "seccomp" not in means)


def _stricter_first(had: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """A wrapper script reads a shell; another libc may call what we do not expect; root's capabilities may be what
    opens the way to the program.
    """
    yield had
    yield had  # a moment's trouble shall cost nothing for as long as the server lives
    for one in (delicate := [each for each in ("landlock", "seccomp", "capabilities") if each in had]):
        yield tuple(means for means in had if means != one)
    yield tuple(means for means in had if means not in delicate)


def _files_of(program: str) -> tuple[str, ...]:
    """The program, its loader and its libraries, as the loader finds them; the program alone where it is static."""
    try:
        loader = _loader_of(program)
    except (OSError, ValueError, struct.error):
        loader = None
    if loader is None:
        return (program,)
    listed = _output([loader, "--list", program]).decode(errors="replace")
    return tuple(dict.fromkeys((program, loader, *_LIBRARY.findall(listed), *_LOADER_FILES)))


def _loader_of(program: str) -> str | None:
    """What the PT_INTERP segment names (elf(5)); None for what is no dynamic 64-bit ELF of this byte order."""
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
    """Nothing where it fails."""
    try:
        done = subprocess.run(  # noqa: S603 - the operator's ffmpeg, the loader that it names, ourselves
            argv, input=stdin, capture_output=True, check=False, cwd="/", env=_CLEAN, timeout=_TRIAL_S
        )
    except (OSError, subprocess.TimeoutExpired):
        return b""
    return done.stdout if done.returncode == 0 else b""
