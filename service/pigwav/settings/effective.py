"""The settings in effect, without their secrets."""

from collections.abc import Iterator
from dataclasses import dataclass

from pigwav.settings.redaction import shown
from pigwav.settings.section import Section, variables_of


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
