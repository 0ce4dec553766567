"""Everything that a call can end with instead of an answer.

ClientError
├── CredentialsMissing  the call needs a user id and a token
├── Unreachable         no answer came: no connection, a broken one, or silence
├── UnexpectedAnswer    what answered does not speak PigWav's contract
├── DownloadBroken      the bytes that came are not those that were promised
└── Refused             the service said no, and why
    ├── NotAuthenticated
    └── TryLater        it is overloaded or stopping
"""


class ClientError(Exception):
    """A call to PigWav did not succeed. The text is one sentence for people."""


class CredentialsMissing(ClientError):
    """This call needs a user id and a token."""


class Unreachable(ClientError):
    """No answer came. Whether the request took effect is not known."""


class UnexpectedAnswer(ClientError):
    """The answer does not fit PigWav's HTTP contract: a proxy's page, or another service's."""


class DownloadBroken(ClientError):
    """The download is short, or its SHA-256 is another."""


class Refused(ClientError):
    """The service answered with a problem document (RFC 9457). `code` is stable; README lists them."""

    def __init__(
        self, status: int, code: str, title: str, *, detail: str | None, retry_after_s: int | None
    ) -> None:
        super().__init__(f"{detail or title} ({code})")
        self.status = status
        self.code = code
        self.title = title
        self.detail = detail
        self.retry_after_s = retry_after_s


class NotAuthenticated(Refused):
    """User and token are missing or do not belong together (401)."""


class TryLater(Refused):
    """The service cannot take this now (429, 503); `retry_after_s` is when to try again, where it says so."""
