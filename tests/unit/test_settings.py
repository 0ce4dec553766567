"""The environment is read once and validated; secrets are not shown."""

import re
import subprocess
import sys
from collections.abc import Iterator
from enum import StrEnum
from typing import get_args

import pytest
from annotated_types import Ge, Gt, Le
from pydantic.fields import FieldInfo

from docs.tables import settings_table
from environments import with_environment
from pigwav.errors import NotConfigured
from pigwav.settings import Settings, effective
from pigwav.settings.section import Section, section_of, variables_of


def test_the_documented_name_of_the_database_url_works_too(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = with_environment(monkeypatch, POSTGTRES_SQL_URI="postgresql://u:p@h/d")

    assert settings.database.url is not None
    assert settings.database.url.get_secret_value() == "postgresql://u:p@h/d"


def test_nothing_configured_and_all_configured_are_both_fine(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not with_environment(monkeypatch).configured()
    assert with_environment(
        monkeypatch, PIGWAV_DATABASE_URL="postgresql://h/d", PIGWAV_S3_BUCKET="bucket"
    ).configured()


def test_an_empty_variable_is_one_that_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """`${X:-}` in a compose file gives an empty variable."""
    bare = with_environment(monkeypatch)
    names = re.findall(r"`([A-Z][A-Z0-9_]+)`", settings_table())
    assert len(names) > 30

    assert with_environment(monkeypatch, **dict.fromkeys(names, "")) == bare

    named = with_environment(monkeypatch, PIGWAV_DATABASE_URL="", POSTGTRES_SQL_URI="postgresql://h/d")
    assert named.database.url is not None


def test_no_variable_but_the_documented_ones_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user of the client may have PIGWAV_URL in the environment and must still be able to start a service."""
    sections = [inner for field in Settings.model_fields.values() if (inner := section_of(field))]
    names = {name for section in (Settings, *sections) for name in section.model_fields}
    documented = {name for one in effective(Settings()) for name in one.variables}
    others = {f"PIGWAV_{name.upper()}" for name in names} | {"PIGWAV_URL", "PIGWAV_USER", "PIGWAV_TOKEN"}
    others -= documented
    assert {"PIGWAV_BUCKET", "PIGWAV_STORE", "PIGWAV_HOSTNAME", "PIGWAV_URL"} < others

    assert with_environment(monkeypatch, **dict.fromkeys(others, "x")) == with_environment(monkeypatch)


BOTH = {"PIGWAV_DATABASE_URL": "postgresql://h/d", "PIGWAV_S3_BUCKET": "bucket"}


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        ({"PIGWAV_DATABASE_URL": "postgresql://h/d"}, "PIGWAV_S3_BUCKET"),
        ({"PIGWAV_S3_BUCKET": "bucket"}, "PIGWAV_DATABASE_URL"),
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


def declared(section: type[Section] = Settings) -> Iterator[tuple[str, FieldInfo]]:
    """Every variable and its field."""
    for name, field in section.model_fields.items():
        if inner := section_of(field):
            yield from declared(inner)
        else:
            yield from ((variable, field) for variable in variables_of(section, name))


def wrong_values(field: FieldInfo) -> Iterator[tuple[str, str]]:
    """Invalid values, each with the expected description of valid ones."""
    kinds = get_args(field.annotation) or (field.annotation,)
    if int in kinds:
        yield "many", "a whole number"
        yield "1.5", "a whole number"
        yield "9" * 5000, "a smaller number"
    if float in kinds:
        yield "30s", "a number"
        yield "inf", "a finite number"
    for bound in field.metadata:
        if isinstance(bound, Gt):
            yield f"{bound.gt}", f"greater than {bound.gt}"
        if isinstance(bound, Ge):
            yield f"{bound.ge - 1}", f"at least {bound.ge}"
        if isinstance(bound, Le):
            yield f"{bound.le + 1}", f"at most {bound.le}"
    if isinstance(field.default, StrEnum):
        *most, last = [repr(str(choice)) for choice in type(field.default)]
        yield "maybe", f"{', '.join(most)} or {last}"


CHECKED = [(name, value, must) for name, field in declared() for value, must in wrong_values(field)]
VALID = {
    "API_HOSTNAME": "voice.example.org",
    "PIGWAV_CORS_ORIGINS": "https://app.example.org",
    "PIGWAV_DATABASE_URL": "postgresql://h/d",
    "PIGWAV_DISK_FOLDERS": "/srv",
    "PIGWAV_EMBEDDED_PORTS": "20000-20100",
    "PIGWAV_FFMPEG": "/usr/bin/ffmpeg",
    "PIGWAV_JEMALLOC": "off",
    "PIGWAV_MIGRATE_DATABASE_PASSWORD": "s3cret",
    "PIGWAV_MIGRATE_DATABASE_URL": "postgresql://owner@h/d",
    "PIGWAV_OPERATOR_BIND": "127.0.0.1:9100",
    "PIGWAV_POSTGRES_BIN": "/usr/lib/postgresql/17/bin",
    "PIGWAV_PROVISION_ACCESS_KEY": "root",
    "PIGWAV_PROVISION_SECRET_KEY": "s3cret",
    "PIGWAV_PUBLIC_URL": "https://voice.example.org",
    "PIGWAV_RATE_REGISTRATIONS_PER_ADDRESS": "60/minute",
    "PIGWAV_RATE_REQUESTS_PER_ADDRESS": "60/minute",
    "PIGWAV_RATE_REQUESTS_PER_USER": "60/minute",
    "PIGWAV_RATE_UPLOADS_PER_USER": "60/minute",
    "PIGWAV_ROOT_PATH": "/voice",
    "PIGWAV_S3_ACCESS_KEY": "service",
    "PIGWAV_S3_BUCKET": "recordings",
    "PIGWAV_S3_ENDPOINT": "http://minio:9000",
    "PIGWAV_S3_PUBLIC_ENDPOINT": "https://s3.example.org",
    "PIGWAV_S3_REGION": "eu-central-1",
    "PIGWAV_S3_SECRET_KEY": "s3cret",
    "PIGWAV_TRUSTED_PROXIES": "10.0.0.0/8",
    "POSTGTRES_SQL_URI": "postgresql://h/d",
}
"""A valid value of every setting that is neither a number nor a choice. test_wrong_settings.py has invalid ones."""


@pytest.mark.parametrize(("name", "value", "must"), CHECKED, ids=lambda text: text[:40])
def test_a_wrong_value_is_refused_by_a_sentence_that_names_its_variable(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, must: str
) -> None:
    with pytest.raises(
        NotConfigured, match=rf"^{name} must be {re.escape(must)}( of [\w/]+)?, but is '.*'\.$"
    ) as raised:
        with_environment(monkeypatch, **{name: value})
    assert len(str(raised.value)) < 150


def test_every_setting_has_a_wrong_or_a_valid_value_here() -> None:
    assert {name for name, _ in declared()} == {name for name, _, _ in CHECKED} | VALID.keys()


@pytest.mark.parametrize("name", VALID)
def test_every_other_setting_takes_what_its_variable_says(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    by_variable = {
        variable: one
        for one in effective(with_environment(monkeypatch, **{name: VALID[name]}))
        for variable in one.variables
    }

    assert by_variable[name].value in (VALID[name], "***")
    assert [one.variables for one in by_variable.values() if one.value != one.default] == [
        by_variable[name].variables
    ] * len(by_variable[name].variables)


def test_a_wrong_value_is_quoted_without_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NotConfigured, match=r"^PIGWAV_S3_CONCURRENCY must be a whole number") as raised:
        with_environment(monkeypatch, PIGWAV_S3_CONCURRENCY="http://u:hush@h")

    assert "hush" not in str(raised.value)


def test_secrets_are_not_in_the_repr(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = with_environment(
        monkeypatch,
        PIGWAV_DATABASE_URL="postgresql://u:hush1@h/d",
        PIGWAV_S3_BUCKET="bucket",
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
