"""The settings in effect, without their secrets."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from pydantic import SecretStr

from pigwav.settings.section import Section, variables_of

HIDDEN: Final = "***"
_CREDENTIALS: Final = re.compile(
    r"(?<=//).*@"
)  # greedy: better to hide too much than to show part of a password


@dataclass(frozen=True)
class Effective:
    """A setting in effect. `value` and `default`: as in the environment; "" means not set, and a secret is `***`."""

    variables: tuple[str, ...]
    value: str
    default: str
    description: str


def effective(section: Section) -> Iterator[Effective]:
    """Every setting of `section` and of the sections in it."""
    kind = type(section)
    for name, field in kind.model_fields.items():
        value = getattr(section, name)
        if isinstance(value, Section):
            yield from effective(value)
        else:
            default = field.get_default(call_default_factory=True)
            yield Effective(variables_of(kind, name), shown(value), shown(default), field.description or "")


def shown(value: object) -> str:
    """The value in the form of the environment, with `***` for a secret and for the credentials in a URL."""
    if value is None:
        return ""
    if isinstance(value, SecretStr):
        return HIDDEN
    return f"{value:.15g}" if isinstance(value, float) else _CREDENTIALS.sub(f"{HIDDEN}@", str(value))
