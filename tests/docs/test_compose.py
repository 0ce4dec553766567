"""compose.yaml and .env.example have all settings, and no unknown ones."""

import re

from docs.tables import README, settings_table

ROOT = README.parent
COMPOSE = (ROOT / "compose.yaml").read_text()
EXAMPLE = (ROOT / ".env.example").read_text()

BUILT_WITH = {
    "PYTHON_IMAGE",
    "PIP_INDEX_URL",
    "PIP_EXTRA_INDEX_URL",
    "PIP_TRUSTED_HOST",
    "PIP_DEFAULT_TIMEOUT",
}

OF_THE_EMBEDDED_STACK = {"PIGWAV_EMBEDDED_PORTS", "PIGWAV_POSTGRES_BIN"}
"""Not used with Compose, which has its own database and store."""


def used() -> set[str]:
    """Variables of .env that have a default in compose.yaml."""
    return {*re.findall(r"\$\{(\w+):-", COMPOSE)} | BUILT_WITH


def defaults() -> dict[str, str]:
    """The defaults, except those that refer to another variable."""
    return dict(re.findall(r"\$\{(\w+):-([^${}]+)\}", COMPOSE))


def example() -> dict[str, str]:
    return dict(re.findall(r"^#?([A-Z][A-Z0-9_]+)=(.*)$", EXAMPLE, re.MULTILINE))


def test_every_setting_of_the_service_can_be_set_in_env() -> None:
    variables = {
        name
        for row in settings_table().splitlines()[2:]
        for name in re.findall(r"`([A-Z][A-Z0-9_]+)`", row.split("|")[1])
    }
    passed_on = {*re.findall(r"^ +([A-Z][A-Z0-9_]+):", COMPOSE, re.MULTILINE), *used()}

    assert variables - passed_on == OF_THE_EMBEDDED_STACK


def test_the_example_names_every_variable_of_the_compose_file() -> None:
    assert set(example()) == used() | {"API_HOSTNAME"}


def test_the_example_shows_the_defaults() -> None:
    assert len(defaults()) > 15
    assert {name: example()[name] for name in defaults()} == defaults()


def test_the_image_is_built_from_where_the_example_says() -> None:
    assert f"ARG PYTHON_IMAGE={example()['PYTHON_IMAGE']}\n" in (ROOT / "Dockerfile").read_text()
