"""The machine's jemalloc, or the one that PIGWAV_JEMALLOC names."""

import os

from needs import skip_or_fail
from pigwav.allocator import find_jemalloc


def jemalloc() -> str:
    """The path of the library. Skips the test if there is none."""
    found = find_jemalloc(os.environ.get("PIGWAV_JEMALLOC", "auto"))
    return found or skip_or_fail("jemalloc", "it is not installed (Debian: libjemalloc2)")
