"""Reads the settings from the environment, and describes in a sentence which one is wrong."""

import os
import reprlib
from collections.abc import Mapping
from typing import Any, Final, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from pigwav.errors import NotConfigured
from pigwav.settings.effective import shown
from pigwav.settings.section import Section, section_of, variables_of
from pigwav.settings.settings import Settings

AnySection = TypeVar("AnySection", bound=Section)

_REQUIREMENTS: Final[Mapping[str, str]] = {
    "int_parsing": "a whole number",
    "int_parsing_size": "a smaller number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "greater_than": "greater than {gt:.15g}",
    "greater_than_equal": "at least {ge:.15g}",
    "less_than_equal": "at most {le:.15g}",
    "enum": "{expected}",
}
"""The requirement for a setting, by the type of pydantic's error."""


def read_settings() -> Settings:
    """The settings in the environment. Raises NotConfigured with the name of the variable that is wrong."""
    kinds = {name: section_of(field) for name, field in Settings.model_fields.items()}
    return _read(Settings, **{name: _read(kind) for name, kind in kinds.items() if kind})


def _read(kind: type[AnySection], **sections: Any) -> AnySection:
    try:
        return kind(**sections)
    except ValidationError as error:
        first = error.errors()[0]
        variables = variables_of(kind, str(first["loc"][0]))
        written = next(filter(os.environ.get, variables), variables[0])
        raise NotConfigured(_sentence(written, first)) from error


def _sentence(variable: str, error: ErrorDetails) -> str:
    context = error.get("ctx", {})
    if requirement := _REQUIREMENTS.get(error["type"]):
        found = reprlib.repr(shown(error["input"]))
        return f"{variable} must be {requirement.format(**context)}, but is {found}."
    return f"{variable}: {context.get('error', error['msg'])}."
