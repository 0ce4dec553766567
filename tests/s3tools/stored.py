"""The location of a stored recording."""

from dataclasses import dataclass, field
from typing import Any

TITLE = "голос №1"


@dataclass(frozen=True)
class Stored:
    """`recording`: the API's document."""

    endpoint: str
    bucket: str
    key: str
    recording: dict[str, Any] = field(repr=False)

    @property
    def address(self) -> str:
        return f"{self.bucket}/{self.key}"
