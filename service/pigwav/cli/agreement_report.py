"""The report of `pigwav doctor`, as text and as JSON."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from pigwav.cli.display import printable
from pigwav.cli.scrubbing import Scrubbed

if TYPE_CHECKING:
    from pigwav.usecases.check_agreement import Agreement
    from pigwav.usecases.count_kept import KeptInBucket
    from pigwav.usecases.quarantine import Quarantined

AGREE: Final = 0
DISAGREE: Final = 1
COULD_NOT_CHECK: Final = 2

_RESTORE: Final = "(restore this key from your backup)"


@dataclass
class AgreementReport:
    """The report of one run. A step that did not run is None. `broken_off`: why the run stopped early, if it did."""

    agreement: "Agreement | None" = None
    fixed: "Quarantined | None" = None
    scrubbed: Scrubbed | None = None
    kept: "KeptInBucket | None" = None
    bucket: str = ""
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
        if self.kept and (self.kept.is_versioned or not self.kept.counted):
            found["old_versions"] = self._old_versions()
        return found

    def _old_versions(self) -> dict[str, Any] | None:
        """Null if the access key may not list them."""
        kept = self.kept
        if kept is None or not kept.counted:
            return None
        return {"count": kept.versions, "bytes": kept.size_bytes, "delete_markers": kept.delete_markers}

    def as_text(self) -> str:
        """One line for each object or row, then the totals."""
        lines = [f"{printable(key)}: {what}" for what, keys in self._findings() for key in keys]
        if self.agreement and self.agreement.quarantined:
            lines.append(f"{self.agreement.quarantined} objects in quarantine/ (PigWav never deletes them).")
        if self.kept:
            lines.extend(self._about_old_versions(self.kept))
        if self.scrubbed:
            lines.append(f"{self.scrubbed}.")
        if self.agreement:
            end = "Rows and objects agree" if self.agreement.agreed else "Rows and objects do not agree"
            lines.append(f"{end}: {self.agreement.checked} recordings checked.")
        return "\n".join(lines)

    def _about_old_versions(self, kept: "KeptInBucket") -> Iterator[str]:
        if not kept.counted:
            yield "Older versions in the bucket: not known, because the access key may not list them."
        if not kept.is_versioned:
            return
        if kept.counted:
            yield (
                f"Older versions in the bucket: {kept.versions} with {kept.size_bytes} bytes,"
                f" and {kept.delete_markers} delete markers."
            )
        retention = replace(kept.retention, versioned=True)
        yield from (f"Warning: {warning}" for warning in retention.warnings(self.bucket))

    def _findings(self) -> Iterator[tuple[str, list[Any]]]:
        """Pairs of a finding and the keys that it applies to."""
        if fixed := self.fixed:
            yield from ((f"moved to {printable(new)}", [old]) for old, new in fixed.moved.items())
            yield "an open multipart upload without parts: aborted", fixed.aborted
            yield from ((f"left unchanged: {why}", [key]) for key, why in fixed.kept.items())
        if found := self.agreement:
            yield (
                f"a ready recording whose object is missing or has another size {_RESTORE}",
                found.missing,
            )
            yield "an object without a row (--fix moves it to quarantine/)", found.orphans
            yield "an unfinished upload whose lease has expired (pigwav sweep removes it)", found.pending
            yield "an open multipart upload without a live upload (--fix handles it)", found.open_uploads
        if read := self.scrubbed:
            yield f"the stored bytes differ from the acknowledged recording {_RESTORE}", read.damaged
            yield "the object store has this object but cannot read it", read.unreadable
