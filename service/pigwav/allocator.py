"""The memory allocator of `pigwav serve`: jemalloc if the machine has it, else glibc's with a timer (decision 16).

Audio comes in large blocks. A freed block should stay for the next one, because the kernel clears each page that it
gives, but not for long. jemalloc keeps it for a second. glibc keeps it for good, or, above a threshold, not at all.
"""

import ctypes
import os
import platform
import sys
import threading
import time
from collections.abc import MutableMapping
from pathlib import Path
from typing import Final, NoReturn

SETTING: Final = "PIGWAV_JEMALLOC"

CONFIGURATION: Final = (
    "background_thread:true,dirty_decay_ms:1000,muzzy_decay_ms:0,narenas:2,lg_tcache_max:13"
)
"""For MALLOC_CONF, unless it is set: tests/bench/memory.py."""

_RESTORED: Final = "PIGWAV_LD_PRELOAD"
"""The value of LD_PRELOAD to restore. If it is set, this process has been restarted with jemalloc."""

_FOLDERS: Final = (
    f"/usr/lib/{platform.machine()}-linux-gnu",  # Debian, Ubuntu
    "/usr/lib64",  # Fedora, Red Hat, SUSE
    "/usr/lib",  # Arch
    "/usr/local/lib",
)


def read_jemalloc(text: str) -> str:
    """The normal form of the setting: `auto`, `off` or the path of the library. Raises ValueError with the reason."""
    if text.casefold() in ("auto", "off"):
        return text.casefold()
    if not Path(text).is_absolute() or not Path(text).is_file():
        raise ValueError(
            f"{text!r} is not auto, off or the path of a file, such as /usr/lib/libjemalloc.so.2"
        )
    if ":" in text or " " in text:
        raise ValueError(f"{text!r} has a colon or a blank, which separate the entries of LD_PRELOAD")
    return text


def use_jemalloc() -> None:
    """Restarts this process with jemalloc, if there is one: an allocator can be chosen only when a program starts.

    Must be called first: the restart loses everything but the process id and inherited files. Child processes do not
    use jemalloc.
    """
    if _RESTORED in os.environ:
        _restore(os.environ)
    elif not _has("mallctl") and (library := find_jemalloc(os.environ.get(SETTING, "").strip())):
        os.execve(  # noqa: S606 - our own command line
            sys.executable, [sys.executable, *sys.orig_argv[1:]], with_jemalloc(library, os.environ)
        )


def allocator() -> str:
    """The name of this process's allocator."""
    if _has("mallctl"):
        return "jemalloc"
    return "glibc" if _has("gnu_get_libc_version") else "system"


def trim_every_second() -> None:
    """Makes glibc return the free pages of all its heaps to the kernel every second, as jemalloc does."""
    trim = ctypes.CDLL(None).malloc_trim

    def run() -> NoReturn:
        while True:
            time.sleep(1)
            trim(0)

    threading.Thread(target=run, name="pigwav-trim", daemon=True).start()


def find_jemalloc(setting: str) -> str | None:
    """The library that the setting names, else the system's. None if it is refused, wrong or not found.

    The system's is used only with glibc, with which it was tried.
    """
    try:
        wanted = read_jemalloc(setting or "auto")
    except ValueError:  # reported when the settings are read
        return None
    if wanted == "off" or sys.platform != "linux":
        return None
    if wanted != "auto":
        return wanted
    if not _has("gnu_get_libc_version"):
        return None
    found = (path for folder in _FOLDERS if (path := Path(folder, "libjemalloc.so.2")).exists())
    return next(map(str, found), None)


def with_jemalloc(library: str, environment: MutableMapping[str, str]) -> dict[str, str]:
    """The environment in which a program uses the library. `_restore` undoes it."""
    before = environment.get("LD_PRELOAD", "")
    return {
        "MALLOC_CONF": CONFIGURATION,
        **environment,
        "LD_PRELOAD": f"{library} {before}".strip(),
        _RESTORED: before,
    }


def _restore(environment: MutableMapping[str, str]) -> None:
    before = environment.pop(_RESTORED)
    if before:
        environment["LD_PRELOAD"] = before
    else:
        environment.pop("LD_PRELOAD", None)  # the loader may have removed it
    if environment.get("MALLOC_CONF") == CONFIGURATION:
        del environment["MALLOC_CONF"]


def _has(function: str) -> bool:
    """Whether a library of this process has the function."""
    return hasattr(ctypes.CDLL(None), function)
