"""Test parameters that run only with `--long`."""

from typing import Any

import pytest


def long(*parameters: Any) -> list[Any]:
    """Wraps each for `pytest.mark.parametrize`, so that it runs only with `--long`."""
    return [pytest.param(parameter, marks=pytest.mark.long) for parameter in parameters]
