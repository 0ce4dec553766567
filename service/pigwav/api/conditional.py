"""Conditional requests for bytes that never change: RFC 9110 section 13, in the order of 13.2.2."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import Enum, auto
from typing import Final

_ENTITY_TAG: Final = re.compile(r'(?:W/)?"[^"]*"')
_HTTP_DATE: Final = re.compile(
    r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT"  # IMF-fixdate
    r"|(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day, \d\d-[A-Z][a-z]{2}-\d\d \d\d:\d\d:\d\d GMT"  # RFC 850
    r"|(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4}",  # asctime
    re.ASCII,
)


class Answer(Enum):
    """The answer that the preconditions require. RANGE: apply the Range header. WHOLE: ignore it."""

    WHOLE = auto()
    RANGE = auto()
    NOT_MODIFIED = auto()
    PRECONDITION_FAILED = auto()


@dataclass(frozen=True)
class Conditions:
    """The preconditions of a GET or HEAD of a representation that exists.

    `etag` is strong and quoted. `last_modified` has a time zone. `headers` are the request's, by lower-case name.
    """

    method: str
    headers: Mapping[str, str]
    etag: str
    last_modified: datetime

    def answer(self) -> Answer:
        if not self._unchanged():
            return Answer.PRECONDITION_FAILED
        if not self._news():
            return Answer.NOT_MODIFIED
        return Answer.RANGE if self._range_counts() else Answer.WHOLE

    def _unchanged(self) -> bool:
        """If-Match by strong comparison, else If-Unmodified-Since."""
        if (tags := self.headers.get("if-match")) is not None:
            return _is_any(tags) or self.etag in _ENTITY_TAG.findall(tags)
        since = _http_date(self.headers.get("if-unmodified-since"))
        return since is None or self._modified_s() <= since

    def _news(self) -> bool:
        """If-None-Match by weak comparison, else If-Modified-Since."""
        if (tags := self.headers.get("if-none-match")) is not None:
            weak = {tag.removeprefix("W/") for tag in _ENTITY_TAG.findall(tags)}
            return not _is_any(tags) and self.etag not in weak
        since = _http_date(self.headers.get("if-modified-since"))
        return since is None or self._modified_s() > since

    def _range_counts(self) -> bool:
        """Range applies to GET only (14.2), and only if If-Range is absent or matches exactly these bytes."""
        if self.method != "GET" or "range" not in self.headers:
            return False
        validator = self.headers.get("if-range")
        return (
            validator is None
            or validator.strip(" \t") == self.etag
            or _http_date(validator) == self._modified_s()
        )

    def _modified_s(self) -> datetime:
        """HTTP dates have no fractions of a second."""
        return self.last_modified.astimezone(UTC).replace(microsecond=0)


def _is_any(tags: str) -> bool:
    return tags.strip(" \t") == "*"


def _http_date(text: str | None) -> datetime | None:
    """Parses an HTTP-date in any of its three formats (5.6.7). None if `text` is None or no valid date."""
    text = (text or "").strip(" \t")
    if not _HTTP_DATE.fullmatch(text):
        return None
    try:
        return parsedate_to_datetime(text).replace(tzinfo=UTC)
    except ValueError:  # such as 30 Feb
        return None
