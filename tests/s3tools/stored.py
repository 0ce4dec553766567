"""Where an operator finds a recording."""

from dataclasses import dataclass, field
from typing import Any

TITLE = "голос №1"


@dataclass(frozen=True)
class Stored:
    """`recording`: what the API said of it."""

    endpoint: str
    bucket: str
    key: str
    recording: dict[str, Any] = field(repr=False)

    @property
    def address(self) -> str:
        return f"{self.bucket}/{self.key}"
