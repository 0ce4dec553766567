"""The settings as they hold now, without their secrets."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from pydantic import SecretStr

from pigwav.settings.section import Section, variables_of

HIDDEN: Final = "***"
_CREDENTIALS: Final = re.compile(r"(?<=//).*@")  # greedy: better too much than half a password


@dataclass(frozen=True)
class Effective:
    """A setting as it holds now. `value` and `default` are as one writes them into the environment, "" is "not set";
    a secret is `***`.
    """

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
    """The value as one writes it into the environment, without secrets and without the credentials of a URL."""
    if value is None:
        return ""
    if isinstance(value, SecretStr):
        return HIDDEN
    return f"{value:.15g}" if isinstance(value, float) else _CREDENTIALS.sub(f"{HIDDEN}@", str(value))
