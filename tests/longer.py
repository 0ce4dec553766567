"""Parameters of tests that only `--long` tries."""

from typing import Any

import pytest


def long(*parameters: Any) -> list[Any]:
    """Each as a parameter for `pytest.mark.parametrize` that is left out unless pytest runs with `--long`."""
    return [pytest.param(parameter, marks=pytest.mark.long) for parameter in parameters]
