"""Checks the configured database and object store as an API process opens them, without connecting.

    python -P -m pigwav.devstack.configuration_check

If an API process could not open them: exit code 1, and the reason on standard output. It is a process of its own,
because the drivers would stay in the supervisor's memory (40 MiB) for as long as the service runs.
"""

import sys

from pigwav.db.session import Database
from pigwav.errors import PigWavError
from pigwav.settings import read_settings
from pigwav.store.s3 import open_s3


def main() -> None:
    settings = read_settings()
    try:
        Database.open(settings.database).close()
        open_s3(settings.store).close()
    except PigWavError as error:
        sys.stdout.write(str(error))
        sys.exit(1)


if __name__ == "__main__":
    main()
