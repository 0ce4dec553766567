"""What `pigwav doctor` found and did, for people and for programs; and how fast it may read."""

import re
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final

from pigwav.cli.display import printable

if TYPE_CHECKING:
    from pigwav.usecases.check_agreement import Agreement
    from pigwav.usecases.quarantine import Quarantined
    from pigwav.usecases.scrub import ReadBack

AGREE: Final = 0
DISAGREE: Final = 1
COULD_NOT_CHECK: Final = 2

_RATE: Final = re.compile(r"([0-9]+)([KMG]?)", re.IGNORECASE)
_UNITS: Final = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9}
_LEAST_BYTES_PER_S: Final = 64_000
"""Slower, a store would take the reader for dead."""


def bytes_per_s(text: str) -> int:
    """`50M` is 50,000,000. Raises ValueError."""
    match = _RATE.fullmatch(text)
    rate = int(match[1]) * _UNITS[match[2].upper()] if match else 0
    if rate < _LEAST_BYTES_PER_S:
        raise ValueError(f"{text!r} is no number of bytes such as 50M, or is less than 64K.")
    return rate


@dataclass
class Scrubbed:
    """Recordings that were read back so far, and those of them that are not what they should be."""

    recordings: int = 0
    bytes: int = 0
    damaged: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)

    def add(self, one: "ReadBack") -> None:
        if one.condition == "gone":
            return
        self.recordings += 1
        self.bytes += one.size_bytes
        if one.condition == "damaged":
            self.damaged.append(one.key)
        elif one.condition == "unreadable":
            self.unreadable.append(one.key)

    def __str__(self) -> str:
        return f"{self.recordings} recordings, {self.bytes / 10**6:,.1f} MB read back"


@dataclass
class Findings:
    """Of one doctor; what it did not get to is None. `broken_off`: why it could not go on."""

    agreement: "Agreement | None" = None
    fixed: "Quarantined | None" = None
    scrubbed: Scrubbed | None = None
    broken_off: str | None = None

    def exit_status(self) -> int:
        if self.broken_off or self.agreement is None:
            return COULD_NOT_CHECK
        whole = self.scrubbed is None or not (self.scrubbed.damaged or self.scrubbed.unreadable)
        return AGREE if self.agreement.agreed and whole else DISAGREE

    def as_json(self) -> dict[str, Any]:
        found = {} if self.agreement is None else asdict(self.agreement)
        if self.fixed:
            found["fixed"] = {name: value for name, value in asdict(self.fixed).items() if name != "left"}
        if self.scrubbed:
            found["scrubbed"] = asdict(self.scrubbed)
        return found

    def as_text(self) -> str:
        lines = _fixed(self.fixed) if self.fixed else []
        if self.agreement:
            lines += _disagreements(self.agreement)
        if self.scrubbed:
            lines += _damages(self.scrubbed)
        if self.agreement and self.agreement.quarantined:
            lines.append(f"{self.agreement.quarantined} objects in quarantine/ (only you remove them).")
        if self.scrubbed:
            lines.append(f"{self.scrubbed}.")
        if self.agreement:
            end = "Rows and objects agree" if self.agreement.agreed else "Rows and objects do not agree"
            lines.append(f"{end}: {self.agreement.checked} recordings checked.")
        return "\n".join(lines)


_RESTORE: Final = "(put back under this key what your backup has)"


def _disagreements(agreement: "Agreement") -> list[str]:
    return _each(
        (f"a ready recording without its object, or with one of another size {_RESTORE}", agreement.missing),
        ("an object without its recording (--fix moves it to quarantine/)", agreement.orphans),
        ("an upload whose process vanished (pigwav sweep removes it)", agreement.pending),
        ("an open multipart upload of no live upload (--fix puts it aside)", agreement.open_uploads),
    )


def _damages(scrubbed: Scrubbed) -> list[str]:
    return _each(
        (f"not the bytes that were acknowledged {_RESTORE}", scrubbed.damaged),
        ("the object store has it, but does not give it", scrubbed.unreadable),
    )


def _fixed(fixed: "Quarantined") -> list[str]:
    lines = [f"{printable(old)}: moved to {printable(new)}" for old, new in fixed.moved.items()]
    lines += _each(("an open multipart upload without any part, aborted", fixed.aborted))
    lines += [f"{printable(key)}: left as it is: {why}" for key, why in fixed.kept.items()]
    return lines


def _each(*findings: tuple[str, Any]) -> list[str]:
    return [f"{printable(key)}: {what}" for what, keys in findings for key in keys]
