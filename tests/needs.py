"""Skips tests if the machine lacks what they need; fails them if PIGWAV_REQUIRE names their kind."""

import os
from typing import NoReturn

import pytest


def skip_or_fail(kind: str, reason: str) -> NoReturn:
    """Skips the test, or fails it if its kind is in PIGWAV_REQUIRE (a comma-separated list)."""
    required = {name.strip() for name in os.environ.get("PIGWAV_REQUIRE", "").split(",")}
    if kind in required:
        pytest.fail(f"PIGWAV_REQUIRE names {kind}, but {reason}", pytrace=False)
    pytest.skip(f"{kind}: {reason}")


def without_pgbouncer(reason: str) -> pytest.MarkDecorator:
    """Skips a test that a PgBouncer between the service and Postgres would change."""
    return pytest.mark.skipif(bool(os.environ.get("PIGWAV_PGBOUNCER")), reason=f"PgBouncer: {reason}")
