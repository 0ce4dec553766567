"""What a kind of test needs of the machine: skipped with a reason, or a failure where PIGWAV_REQUIRE names the kind."""

import os
from typing import NoReturn

import pytest


def miss(kind: str, reason: str) -> NoReturn:
    """This machine lacks what tests of this kind need. PIGWAV_REQUIRE is a comma-separated list of kinds."""
    required = {name.strip() for name in os.environ.get("PIGWAV_REQUIRE", "").split(",")}
    if kind in required:
        pytest.fail(f"PIGWAV_REQUIRE names {kind}, but {reason}", pytrace=False)
    pytest.skip(f"{kind}: {reason}")
