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
└── Refused                     the service said no, and why
    ├── NotAuthenticated        401
    ├── NotFound                404
    ├── NameTaken               409
    ├── BadInput                400, 413, 415, 422: this WAV, or this field, never
    └── TryLater                429, 503, 507: too often, or it is overloaded, or stopping, or lacks a part or room;
                                409: an earlier try goes on
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
    """The service answered with a problem document (RFC 9457). `code` is stable; README lists them.

    `status`: HTTP. `title`: what the code means. `detail`: about this request, where there is more to say.
    `retry_after_s`: when to ask again, in seconds, where the service says so.
    """

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


class NotFound(Refused):
    """There is no such recording (404)."""


class NameTaken(Refused):
    """A user of this name exists (409)."""


class BadInput(Refused):
    """The service cannot take this WAV, or this field (400, 413, 415, 422); `code` says what is wrong with it."""


class TryLater(Refused):
    """The service cannot take this now (429, 503, 507; 409 while it still receives an earlier try of the same upload).

    `retry_after_s` is when to try again, where it says so.
    """
