"""The limit of open files is raised, and the number of connections fits into it."""

import resource

from pigwav.cli.file_descriptors import fit_connections, raise_limit
from pigwav.settings import HttpSettings, Settings


def test_the_limit_is_raised_to_what_the_process_may_have() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    low = soft - 1
    resource.setrlimit(resource.RLIMIT_NOFILE, (low, hard))
    try:
        answered = raise_limit()
        assert answered == resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        assert answered > low or answered >= 65_536
        assert raise_limit() == answered
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_connections_leave_the_files_that_uploads_and_downloads_need() -> None:
    settings = Settings(http=HttpSettings(max_connections=10_000, max_open_downloads=1000))

    assert fit_connections(settings, 65_536).http.max_connections == 10_000
    assert 6000 < fit_connections(settings, 8000).http.max_connections < 7000
    assert fit_connections(settings, 256).http.max_connections == 128
