"""Everything that a call can end with instead of an answer.

ClientError
├── CredentialsMissing          the call needs a user id and a token
├── WavChanged                  the file became shorter while it was being sent
├── Unreachable                 no answer came: no connection, a broken one, or silence
│   ├── NotConnected            there was no connection: the service got nothing of the request
│   └── InvalidAddress          there is nothing to connect to in such an address
├── UnexpectedAnswer            what answered does not speak PigWav's contract
├── DownloadBroken              the bytes that came are not those that were promised
│   └── DownloadInterrupted     there are fewer of them: the next download goes on where this one ended
├── OutputUnusable              a download cannot be written there
└── Refused                     the service said no, and why: `code` decides which of these it is
    ├── NotAuthenticated        user and token are missing, or do not match
    ├── NotFound                there is no such recording
    ├── NameTaken               another user has this name
    ├── BadInput                this WAV, or this field, will never be taken
    └── TryLater                too many requests, an overloaded or stopping service, a full disk; or an earlier try of
                                the same upload is still being received
"""


class ClientError(Exception):
    """A call to PigWav did not succeed. The text is one sentence for people."""


class CredentialsMissing(ClientError):
    """This call needs a user id and a token."""


class WavChanged(ClientError):
    """The file became shorter while it was being sent. Nothing was kept of it."""


class Unreachable(ClientError):
    """No answer came. Whether the request took effect is not known."""


class NotConnected(Unreachable):
    """There was no connection. The request certainly had no effect."""


class InvalidAddress(Unreachable):
    """The address is not one of an HTTP service."""


class UnexpectedAnswer(ClientError):
    """The answer does not fit PigWav's HTTP contract: a proxy's page, or another service's.

    `status`: the HTTP status, None where there was no whole answer.
    """

    def __init__(self, text: str, status: int | None = None) -> None:
        super().__init__(text)
        self.status = status


class DownloadBroken(ClientError):
    """The SHA-256 of the downloaded bytes is another than the service says. They were thrown away."""


class DownloadInterrupted(DownloadBroken):
    """The connection broke in the middle of a download. A partial file is kept, and the next call resumes it."""


class OutputUnusable(ClientError):
    """The output is no regular file, or another download writes it."""


class Refused(ClientError):
    """The service answered with a problem document (RFC 9457). `code` is stable; service/docs/errors.md lists them.

    `status`: HTTP. `title`: what the code means. `detail`: about this request, if there is more to say.
    `retry_after_s`: when to ask again, in seconds, if the service says so. `limit`: which of the service's limits was
    reached ("encoder", "uploads", "memory" ...), if it was one.
    """

    def __init__(
        self,
        status: int,
        code: str,
        title: str,
        *,
        detail: str | None,
        retry_after_s: int | None,
        limit: str | None = None,
    ) -> None:
        super().__init__(f"{detail or title} ({code if limit is None else f'{code}, limit: {limit}'})")
        self.status = status
        self.code = code
        self.title = title
        self.detail = detail
        self.retry_after_s = retry_after_s
        self.limit = limit


class NotAuthenticated(Refused):
    """User and token are missing or do not match."""


class NotFound(Refused):
    """There is no such recording."""


class NameTaken(Refused):
    """A user of this name exists."""


class BadInput(Refused):
    """The service cannot take this WAV, or this field, now or later; `code` says what is wrong with it."""


class TryLater(Refused):
    """The service cannot take this now; or, of an upload, it still receives an earlier try of the same.

    `retry_after_s` is when to try again, if it says so.
    """
