"""What `pigwav doctor` found and did, for people and for programs."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from pigwav.cli.display import printable
from pigwav.cli.scrubbing import Scrubbed

if TYPE_CHECKING:
    from pigwav.usecases.check_agreement import Agreement
    from pigwav.usecases.quarantine import Quarantined

AGREE: Final = 0
DISAGREE: Final = 1
COULD_NOT_CHECK: Final = 2

_RESTORE: Final = "(put back under this key what your backup has)"


@dataclass
class AgreementReport:
    """The report of one run. What the run did not get to is None. `broken_off`: why it could not go on."""

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
        """A line for each object or row, then the sums."""
        lines = [f"{printable(key)}: {what}" for what, keys in self._findings() for key in keys]
        if self.agreement and self.agreement.quarantined:
            lines.append(f"{self.agreement.quarantined} objects in quarantine/ (only you remove them).")
        if self.scrubbed:
            lines.append(f"{self.scrubbed}.")
        if self.agreement:
            end = "Rows and objects agree" if self.agreement.agreed else "Rows and objects do not agree"
            lines.append(f"{end}: {self.agreement.checked} recordings checked.")
        return "\n".join(lines)

    def _findings(self) -> Iterator[tuple[str, list[Any]]]:
        """What is to say of which keys."""
        if fixed := self.fixed:
            yield from ((f"moved to {printable(new)}", [old]) for old, new in fixed.moved.items())
            yield "an open multipart upload without any part, aborted", fixed.aborted
            yield from ((f"left as it is: {why}", [key]) for key, why in fixed.kept.items())
        if found := self.agreement:
            yield (
                f"a ready recording without its object, or with one of another size {_RESTORE}",
                found.missing,
            )
            yield "an object without its recording (--fix moves it to quarantine/)", found.orphans
            yield "an upload whose process vanished (pigwav sweep removes it)", found.pending
            yield "an open multipart upload of no live upload (--fix puts it aside)", found.open_uploads
        if read := self.scrubbed:
            yield f"not the bytes that were acknowledged {_RESTORE}", read.damaged
            yield "the object store has it, but does not give it", read.unreadable
