"""Environment variables that look like a setting but are none."""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Final

from pigwav.settings.section import Section, section_of, variables_of
from pigwav.settings.settings import Settings

_OF_THE_CLIENT: Final = ("PIGWAV_URL", "PIGWAV_USER", "PIGWAV_TOKEN")
_OF_COMPOSE: Final = ("PIGWAV_DATA_FOLDER", "API_PUBLISHED_PORT")
_BEGINNINGS: Final = ("PIGWAV_", "API_", "POSTG")
_SIMILARITY: Final = 0.8
"""Enough to leave alone the variables that Kubernetes sets for a service of the name `pigwav`."""


def misspelled(environment: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Every variable whose name is almost that of a setting, with the setting's name."""
    settings = [*setting_variables(Settings)]
    known = {*settings, *_OF_THE_CLIENT, *_OF_COMPOSE}
    for name in sorted(environment):
        if name.upper() not in known and name.upper().startswith(_BEGINNINGS):
            for nearest in get_close_matches(name.upper(), settings, n=1, cutoff=_SIMILARITY):
                yield name, nearest


def setting_variables(section: type[Section]) -> Iterator[str]:
    """The variables of every setting in `section` and in the sections within it."""
    for name, field in section.model_fields.items():
        inner = section_of(field)
        yield from setting_variables(inner) if inner else variables_of(section, name)
