"""The environment is read once and validated; secrets are not shown."""

import os
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
from pigwav.errors import NotConfigured
from pigwav.settings import Settings, effective, read_settings
from pigwav.settings.section import Section, section_of, variables_of


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
PARSED = {"PIGWAV_EMBEDDED_PORTS"}
"""Settings with their own syntax; test_bounds_settings.py tests wrong values."""
FREE_TEXT = sorted({name for name, _ in declared()} - {name for name, _, _ in CHECKED} - PARSED)


@pytest.mark.parametrize(("name", "value", "must"), CHECKED, ids=lambda text: text[:40])
def test_a_wrong_value_is_refused_by_a_sentence_that_names_its_variable(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, must: str
) -> None:
    with pytest.raises(NotConfigured, match=rf"^{name} must be {re.escape(must)}, but is '.*'\.$") as raised:
        with_environment(monkeypatch, **{name: value})
    assert len(str(raised.value)) < 150


@pytest.mark.parametrize("name", FREE_TEXT)
def test_every_other_setting_takes_what_its_variable_says(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    by_variable = {
        variable: one
        for one in effective(with_environment(monkeypatch, **{name: "60/minute"}))
        for variable in one.variables
    }

    assert by_variable[name].value in ("60/minute", "/60/minute", "***")
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
