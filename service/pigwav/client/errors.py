"""The errors that a call can raise.

ClientError
├── CredentialsMissing          the call needs a user id and a token
├── InvalidProxy                a variable of the environment does not hold the URL of a proxy
├── WavChanged                  the file became shorter while it was being sent
├── Unreachable                 no answer: no connection, a broken connection, or a timeout
│   ├── NotConnected            there was no connection: the service received nothing of the request
│   └── InvalidAddress          the URL is not one of an HTTP service
├── UnexpectedAnswer            the answer does not match PigWav's HTTP API
├── DownloadBroken              the downloaded bytes have another SHA-256 than the service reports
│   └── DownloadInterrupted     the connection broke: the next download resumes
├── OutputUnusable              the output is not a regular file, or another download is writing it
└── Refused                     the service refused the request; `code` decides the subclass
    ├── NotAuthenticated        user and token are missing or do not match
    ├── NotFound                there is no such recording
    ├── NameTaken               another user has this name
    ├── BadInput                the service will never accept this WAV or this field
    └── TryLater                too many requests, an overloaded or stopping service, a full disk, or the service is
                                still receiving an earlier try of the same upload
"""


class ClientError(Exception):
    """A call to PigWav did not succeed. The text is one sentence for people."""


class CredentialsMissing(ClientError):
    """This call needs a user id and a token."""


class InvalidProxy(ClientError):
    """A variable of the environment (HTTP_PROXY, HTTPS_PROXY, ALL_PROXY) does not hold the URL of a proxy."""


class WavChanged(ClientError):
    """The file became shorter while it was being sent. The service has stored nothing."""


class Unreachable(ClientError):
    """There was no answer. It is not known whether the request took effect."""


class NotConnected(Unreachable):
    """There was no connection. The request had no effect."""


class InvalidAddress(Unreachable):
    """The URL is not one of an HTTP service."""


class UnexpectedAnswer(ClientError):
    """The answer does not match PigWav's HTTP API: it comes from a proxy or from another service.

    `status`: the HTTP status; None if the answer was incomplete.
    """

    def __init__(self, text: str, status: int | None = None) -> None:
        super().__init__(text)
        self.status = status


class DownloadBroken(ClientError):
    """The downloaded bytes have another SHA-256 than the service reports. They were discarded."""


class DownloadInterrupted(DownloadBroken):
    """The connection broke during a download. The partial file stays, and the next call resumes it."""


class OutputUnusable(ClientError):
    """The output is not a regular file, or another download is writing it."""


class Refused(ClientError):
    """The service answered with a problem document (RFC 9457). `code` is stable; service/docs/errors.md lists them.

    - `status`: the HTTP status
    - `title`: what the code means
    - `detail`: more about this request, or None
    - `retry_after_s`: seconds until the next try, or None
    - `limit`: the service's limit that was reached ("encoder", "uploads", "memory" ...), or None
    - `found`: if the body is not a WAV, what it is instead ("m4a", "html" ...; service/docs/formats.md), or None
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
        found: str | None = None,
    ) -> None:
        super().__init__(f"{detail or title} ({code if limit is None else f'{code}, limit: {limit}'})")
        self.status = status
        self.code = code
        self.title = title
        self.detail = detail
        self.retry_after_s = retry_after_s
        self.limit = limit
        self.found = found


class NotAuthenticated(Refused):
    """User and token are missing or do not match."""


class NotFound(Refused):
    """There is no such recording."""


class NameTaken(Refused):
    """A user of this name exists."""


class BadInput(Refused):
    """The service will never accept this WAV or this field; `code` says what is wrong."""


class TryLater(Refused):
    """The service cannot do this now, or it is still receiving an earlier try of the same upload.

    `retry_after_s`: seconds until the next try, or None.
    """
