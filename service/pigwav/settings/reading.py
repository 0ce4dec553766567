"""Reads the settings from the environment, and describes in a sentence which one is wrong."""

import os
from collections.abc import Mapping
from typing import Any, Final, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from pigwav.errors import NotConfigured
from pigwav.settings.redaction import quoted
from pigwav.settings.section import Section, section_of, variables_of
from pigwav.settings.settings import Settings

AnySection = TypeVar("AnySection", bound=Section)

_REQUIREMENTS: Final[Mapping[str, str]] = {
    "int_parsing": "a whole number{unit}",
    "int_parsing_size": "a smaller number",
    "float_parsing": "a number{unit}",
    "finite_number": "a finite number{unit}",
    "greater_than": "greater than {gt}",
    "greater_than_equal": "at least {ge}",
    "less_than_equal": "at most {le}",
    "int_from_float": "a whole number{unit}",
    "enum": "{expected}",
}
"""The requirement for a setting, by the type of pydantic's error."""

_UNITS: Final[Mapping[str, str]] = {
    "_BYTES": " of bytes",
    "_S": " of seconds",
    "_HOURS": " of hours",
    "_DAYS": " of days",
    "_KBPS": " of kb/s",
}
"""The unit of a setting, by the end of its name."""


def read_settings() -> Settings:
    """The settings in the environment. Raises NotConfigured with the name of the variable that is wrong."""
    kinds = {name: section_of(field) for name, field in Settings.model_fields.items()}
    return _read(Settings, **{name: _read(kind) for name, kind in kinds.items() if kind})


def _read(kind: type[AnySection], **sections: Any) -> AnySection:
    try:
        return kind(**sections)
    except ValidationError as error:
        first = error.errors()[0]
        if not first["loc"]:  # a contradiction between settings, whose sentence names them
            raise NotConfigured(f"{first['ctx']['error']}.") from error
        variables = variables_of(kind, str(first["loc"][0]))
        written = next(filter(os.environ.get, variables), variables[0])
        raise NotConfigured(_sentence(written, first)) from error


def _sentence(variable: str, error: ErrorDetails) -> str:
    context = {name: _decimal(value) for name, value in error.get("ctx", {}).items()}
    if requirement := _REQUIREMENTS.get(error["type"]):
        unit = next((unit for end, unit in _UNITS.items() if variable.endswith(end)), "")
        required = requirement.format(unit=unit, **context)
        return f"{variable} must be {required}, but is {quoted(error['input'])}."
    return f"{variable}: {context.get('error', error['msg'])}."


def _decimal(value: object) -> object:
    return f"{value:.15g}" if isinstance(value, float) else value
