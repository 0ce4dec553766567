"""What a recording is called, and who says so."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from pigwav.domain import MAX_TITLE_CHARS, Tags, plain_name
from pigwav.errors import InvalidField


def title_from(text: str | None) -> str | None:
    """A usable title, or None where nothing printable is left. Raises InvalidField."""
    # NFC takes quadratic time over combining marks, and makes at most four characters one.
    title = plain_name(text[: 4 * MAX_TITLE_CHARS + 1]) if text else ""
    if len(title) > MAX_TITLE_CHARS:
        raise InvalidField(f"A title has at most {MAX_TITLE_CHARS} characters.")
    return title or None


def _nothing() -> None:
    return None


@dataclass(frozen=True)
class Titles:
    """The sender's word counts most, then the WAV's own title, then the file's name.

    `late`: what the sender says behind the WAV, known once that has ended; None before.
    """

    given: str | None = None
    of_file: str | None = None
    late: Callable[[], str | None] = _nothing

    def title(self, tags: Tags) -> str | None:
        return self.shown(tags).title or self.of_file

    def shown(self, tags: Tags) -> Tags:
        """What players show: the tags under the title that counts, but for a file's name, which they see anyway."""
        return replace(tags, title=self.late() or self.given or tags.title)
