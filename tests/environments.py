"""Settings from an environment."""

import os

import pytest

from pigwav.settings import Settings, read_settings


def with_environment(monkeypatch: pytest.MonkeyPatch, **environment: str) -> Settings:
    """The settings if the environment has only these variables of PigWav."""
    for name in [name for name in os.environ if name.startswith(("PIGWAV_", "POSTGTRES_", "API_"))]:
        monkeypatch.delenv(name)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return read_settings()
