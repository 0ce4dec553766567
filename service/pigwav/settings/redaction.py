"""Values of settings in messages and listings, without their secrets."""

import re
from typing import Final

from pydantic import SecretStr

HIDDEN: Final = "***"

_CREDENTIALS: Final = re.compile(r"^(.*?//)?.*@", re.DOTALL)
"""Greedy: better to hide too much than to show part of a password."""

_LONGEST: Final = 70
"""Characters of a value in a sentence."""


def shown(value: object) -> str:
    """The value in the form of the environment, with `***` for a secret and for the credentials in a URL."""
    if value is None:
        return ""
    if isinstance(value, SecretStr):
        return HIDDEN
    if isinstance(value, float):
        return f"{value:.15g}"
    return _CREDENTIALS.sub(lambda found: f"{found[1] or ''}{HIDDEN}@", str(value))


def quoted(value: object) -> str:
    """The same in quotation marks and shortened, for a sentence. A URL's query may hold a token and is left out."""
    text = re.sub(r"(?<=://)([^?#]*[?#]).*", r"\1...", shown(value))
    return repr(text if len(text) <= _LONGEST else f"{text[:_LONGEST]}...")
