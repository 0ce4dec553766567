"""The output of `pigwav upload` on standard output: links, a table, or JSON."""

from dataclasses import dataclass, field
from typing import Protocol

from pigwav.cli.display import json_text, length, print_table, printable, say, size
from pigwav.cli.failures import LocalFailure, code, reason
from pigwav.client import Recording, Refused


class NotSent(LocalFailure):
    """The command ended before the file was sent."""

    code = "not-sent"


class Report(Protocol):
    """Gets the result of every WAV, in the order in which they were given."""

    def uploaded(self, name: str, recording: Recording) -> None: ...
    def failed(self, name: str, error: Exception) -> None: ...
    def end(self) -> None: ...


class Links:
    """Prints each link as soon as it is known. Failures go to standard error."""

    def uploaded(self, name: str, recording: Recording) -> None:  # noqa: ARG002 - the link is all
        say(printable(recording.url))

    def failed(self, name: str, error: Exception) -> None:
        """Nothing to print: the failure is on standard error."""

    def end(self) -> None:
        """Nothing is held back."""


class JsonLines:
    """Prints one object per line: {"file", "recording"} or {"file", "error": {"code", "detail"}}. The error also has
    `found` if the service says what the file is instead of a WAV.
    """

    def uploaded(self, name: str, recording: Recording) -> None:
        say(json_text({"file": name, "recording": recording.as_json()}))

    def failed(self, name: str, error: Exception) -> None:
        found = {"found": error.found} if isinstance(error, Refused) and error.found else {}
        say(json_text({"file": name, "error": {"code": code(error), "detail": reason(error)} | found}))

    def end(self) -> None:
        """Nothing is held back."""


@dataclass
class Summary:
    """Printed for people after the progress display has ended.

    For several WAVs: a table of file, length, size, and the link or the reason for its absence. For a single WAV: its
    link. Prints nothing if no upload succeeded, because the errors are already on standard error.
    """

    several: bool
    rows: list[tuple[str, ...]] = field(default_factory=list)
    links: list[str] = field(default_factory=list)

    def uploaded(self, name: str, recording: Recording) -> None:
        self.links.append(printable(recording.url))
        sizes = (length(recording.duration_ms), size(recording.size_bytes))
        self.rows.append((printable(name), *sizes, self.links[-1]))

    def failed(self, name: str, error: Exception) -> None:
        why = "not sent" if isinstance(error, NotSent) else f"failed: {printable(code(error))}"
        self.rows.append((printable(name), "", "", why))

    def end(self) -> None:
        if not self.links:
            return
        if self.several:
            print_table(("FILE", "LENGTH", "SIZE", "LINK"), self.rows)
        else:
            say(self.links[0])
