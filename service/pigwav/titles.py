"""A recording's title, and which source it comes from."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from pigwav.domain import MAX_TITLE_CHARS, Tags, plain_name
from pigwav.errors import InvalidField


def title_from(text: str | None) -> str | None:
    """The title in the form of `plain_name`; None if it is empty. Raises InvalidField if it is too long."""
    return _plain("A title", text)


def searched(text: str | None) -> str | None:
    """The text of a search for titles, in the form of titles. Raises InvalidField if it is longer than a title."""
    return _plain("A search", text)


def _plain(what: str, text: str | None) -> str | None:
    # NFC takes quadratic time on combining marks, and combines at most four characters into one.
    plain = plain_name(text[: 4 * MAX_TITLE_CHARS + 1]) if text else ""
    if len(plain) > MAX_TITLE_CHARS:
        raise InvalidField(f"{what} has at most {MAX_TITLE_CHARS} characters.")
    return plain or None


def _nothing() -> None:
    return None


@dataclass(frozen=True)
class Titles:
    """The sources of a title, in order of precedence: the request, the WAV's own title, the file's name.

    `late`: returns the title from a form field after the WAV; None until that field has arrived. It precedes `given`.
    """

    given: str | None = None
    of_file: str | None = None
    late: Callable[[], str | None] = _nothing

    def title(self, tags: Tags) -> str | None:
        return self.shown(tags).title or self.of_file

    def shown(self, tags: Tags) -> Tags:
        """The tags for the MP3, with the title in effect. The file's name is not used: players show it anyway."""
        return replace(tags, title=self.late() or self.given or tags.title)
