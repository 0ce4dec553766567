"""What `provision` and `migrate` report: one line for each thing that was in place, was made or was tested."""

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    KEPT = "ok"
    MADE = "made"
    PROVEN = "proven"
    TO_DO = "to do"
    WRONG = "WRONG"
    WARNING = "warning"


@dataclass(frozen=True)
class Step:
    state: State
    what: str

    def __str__(self) -> str:
        return f"{self.state:8}{self.what}"
