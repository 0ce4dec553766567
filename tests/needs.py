"""Skips tests if the machine lacks what they need; fails them if PIGWAV_REQUIRE names their kind."""

import os
from typing import NoReturn

import pytest


def skip_unless_required(kind: str) -> None:
    """Skips a test that takes minutes unless PIGWAV_REQUIRE names its kind, even if the machine has what it needs."""
    if not _is_required(kind):
        pytest.skip(f"{kind}: runs only if PIGWAV_REQUIRE names it")


def skip_or_fail(kind: str, reason: str) -> NoReturn:
    """Skips the test, or fails it if its kind is in PIGWAV_REQUIRE (a comma-separated list)."""
    if _is_required(kind):
        pytest.fail(f"PIGWAV_REQUIRE names {kind}, but {reason}", pytrace=False)
    pytest.skip(f"{kind}: {reason}")


def _is_required(kind: str) -> bool:
    return kind in {name.strip() for name in os.environ.get("PIGWAV_REQUIRE", "").split(",")}


def without_pgbouncer(reason: str) -> pytest.MarkDecorator:
    """Skips a test that a PgBouncer between the service and Postgres would change."""
    return pytest.mark.skipif(bool(os.environ.get("PIGWAV_PGBOUNCER")), reason=f"PgBouncer: {reason}")
