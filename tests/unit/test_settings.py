"""The environment is read once, checked, and its secrets are not shown."""

import os
import re
import subprocess
import sys

import pytest

from docs.tables import settings_table
from pigwav.errors import NotConfigured
from pigwav.settings import Settings, read_settings


def with_environment(monkeypatch: pytest.MonkeyPatch, **environment: str) -> Settings:
    for name in [name for name in os.environ if name.startswith(("PIGWAV_", "POSTGTRES_", "API_"))]:
        monkeypatch.delenv(name)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return read_settings()


def test_the_documented_name_of_the_database_url_works_too(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = with_environment(monkeypatch, POSTGTRES_SQL_URI="postgresql://u:p@h/d")

    assert settings.database.url is not None
    assert settings.database.url.get_secret_value() == "postgresql://u:p@h/d"


def test_nothing_configured_and_all_configured_are_both_fine(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not with_environment(monkeypatch).configured()
    assert with_environment(
        monkeypatch, PIGWAV_DATABASE_URL="postgresql://h/d", PIGWAV_S3_BUCKET="b"
    ).configured()


def test_an_empty_variable_is_one_that_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """As `${X:-}` in a compose file gives it."""
    bare = with_environment(monkeypatch)
    names = re.findall(r"`([A-Z][A-Z0-9_]+)`", settings_table())
    assert len(names) > 30

    assert with_environment(monkeypatch, **dict.fromkeys(names, "")) == bare

    named = with_environment(monkeypatch, PIGWAV_DATABASE_URL="", POSTGTRES_SQL_URI="postgresql://h/d")
    assert named.database.url is not None


@pytest.mark.parametrize("name", ["PIGWAV_URL", "PIGWAV_BUCKET", "PIGWAV_ENDPOINT"])
def test_what_a_section_calls_its_settings_is_no_variable(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Who works with the client has PIGWAV_URL in the environment, and may start a service all the same."""
    assert with_environment(monkeypatch, **{name: "http://h"}) == with_environment(monkeypatch)


BOTH = {"PIGWAV_DATABASE_URL": "postgresql://h/d", "PIGWAV_S3_BUCKET": "b"}


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        ({"PIGWAV_DATABASE_URL": "postgresql://h/d"}, "PIGWAV_S3_BUCKET"),
        ({"PIGWAV_S3_BUCKET": "b"}, "PIGWAV_DATABASE_URL"),
        ({"PIGWAV_S3_ENDPOINT": "http://h"}, "PIGWAV_S3_BUCKET"),
        ({"PIGWAV_S3_SECRET_KEY": "s"}, "PIGWAV_S3_BUCKET"),
        (BOTH | {"PIGWAV_S3_SECRET_KEY": "s"}, "PIGWAV_S3_ACCESS_KEY"),
        (BOTH | {"PIGWAV_S3_ACCESS_KEY": "a", "PIGWAV_S3_SECRET_KEY": ""}, "PIGWAV_S3_SECRET_KEY"),
    ],
)
def test_half_a_configuration_is_refused_by_naming_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str], missing: str
) -> None:
    with pytest.raises(NotConfigured, match=rf"\b{missing}\b.*\.$"):
        with_environment(monkeypatch, **given).configured()


@pytest.mark.parametrize(
    ("name", "value"),
    [("PIGWAV_LEASE_S", "0"), ("PIGWAV_REGISTRATION", "maybe"), ("PIGWAV_MAX_UPLOAD_BYTES", "many")],
)
def test_a_wrong_value_is_refused_by_naming_the_setting(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    with pytest.raises(NotConfigured, match=name):
        with_environment(monkeypatch, **{name: value})


def test_secrets_are_not_in_the_repr(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = with_environment(
        monkeypatch,
        PIGWAV_DATABASE_URL="postgresql://u:hush1@h/d",
        PIGWAV_S3_BUCKET="b",
        PIGWAV_S3_SECRET_KEY="hush2",
    )

    assert "hush" not in repr(settings)


def test_every_module_can_be_imported_with_an_empty_environment_and_nothing_happens() -> None:
    program = (
        "import pkgutil, importlib, pigwav, threading\n"
        "names = [m.name for m in pkgutil.walk_packages(pigwav.__path__, 'pigwav.')]\n"
        "[importlib.import_module(n) for n in names if '__main__' not in n and '.migrations.' not in n]\n"
        "assert threading.active_count() == 1\n"
        "print(len(names))\n"
    )
    run = subprocess.run([sys.executable, "-c", program], env={}, capture_output=True, text=True, check=False)

    assert run.returncode == 0, run.stderr
    assert int(run.stdout) > 50
