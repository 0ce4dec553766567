"""All errors that PigWav reports. A class's docstring is its message; its `code` never changes.

PigWavError
├── BadAudio                    the WAV cannot become an MP3
│   ├── ForeignBody             it is not a WAV
│   │   └── NotAWav  UnsupportedContainer
│   ├── NoFmtChunk  NoDataChunk  NoAudio
│   ├── BrokenFmtChunk          its `fmt ` chunk is invalid
│   │   └── FmtChunkTooShort  SampleRateZero  ChannelsZero  BitsInvalid  BlockSizeInvalid
│   ├── UnsupportedCodec  UnsupportedSampleRate  UnsupportedChannels
│   └── HeaderTooLong  AudioTooLong  OutputTooLarge  UndecodableAudio
├── BadRequest                  the client can correct the request
│   ├── MalformedHttp  MalformedMultipart  CredentialsFirst  FieldsFirst  FileMissing
│   ├── InvalidIdempotencyKey  IdempotencyKeyReused
│   ├── UnsupportedMediaType  UnsupportedContentEncoding  LengthRequired
│   └── InvalidRequest  InvalidField  UnsupportedBitRate
├── Refused                     the request is well-formed, but refused
│   ├── NotAuthenticated  RegistrationClosed  NameTaken  RecordingNotFound  WaveformMissing  SoundRefused
│   ├── PreconditionFailed  RangeNotSatisfiable
│   ├── HeadTooLarge  HeadTooSlow
│   ├── UploadTooLarge  UploadIdle  UploadBroken  UploadSuperseded
│   ├── UploadInProgress  QuotaExceeded
│   └── Overloaded  RateLimited  ShuttingDown
├── Unavailable                 the database or the object store cannot serve the request
│   ├── DatabaseUnavailable  StoreUnavailable
│   │   └── StorageFull         a subclass of both
│   └── ObjectMissing  ObjectChanged
└── CannotStart                 the operator can correct the set-up
    └── NotConfigured  NotProvisioned  AddressInUse  FolderInUse  FolderUnusable  ChildProcessFailed
"""

from collections.abc import Sequence
from enum import StrEnum
from inspect import cleandoc
from typing import ClassVar, Final


class PigWavError(Exception):
    """The base class of all errors that PigWav reports."""

    code: ClassVar[str] = "error"

    def __init__(self, detail: str | None = None) -> None:
        super().__init__(detail or self.title())

    @classmethod
    def title(cls) -> str:
        """The docstring's first line: the same for every error of this class."""
        return cleandoc(cls.__doc__ or "").partition("\n")[0]


class BadAudio(PigWavError):
    """The WAV cannot be converted."""


class ForeignBody(BadAudio):
    """The body is not a WAV.

    `found`: the stable name of what it is instead (`audio.foreign_formats.Found`).
    """

    def __init__(self, detail: str | None = None, *, found: str | None = None) -> None:
        super().__init__(detail)
        self.found: Final = found


class NotAWav(ForeignBody):
    """The body is not a RIFF/WAVE file."""

    code = "not-a-wav"


class UnsupportedContainer(ForeignBody):
    """The file is a variant of WAV that is not supported."""

    code = "unsupported-container"


class NoFmtChunk(BadAudio):
    """The WAV has no `fmt ` chunk before its audio."""

    code = "no-fmt-chunk"


class BrokenFmtChunk(BadAudio):
    """The WAV's `fmt ` chunk is invalid."""


class FmtChunkTooShort(BrokenFmtChunk):
    """The WAV's `fmt ` chunk is too short."""

    code = "fmt-chunk-too-short"


class SampleRateZero(BrokenFmtChunk):
    """The WAV's `fmt ` chunk states a sample rate of 0 Hz."""

    code = "sample-rate-zero"


class ChannelsZero(BrokenFmtChunk):
    """The WAV's `fmt ` chunk states 0 channels."""

    code = "channels-zero"


class BitsInvalid(BrokenFmtChunk):
    """The WAV's `fmt ` chunk states an invalid number of bits per sample."""

    code = "bits-per-sample-invalid"


class BlockSizeInvalid(BrokenFmtChunk):
    """The WAV's `fmt ` chunk states a block size that its codec does not have."""

    code = "block-size-invalid"


class NoDataChunk(BadAudio):
    """The WAV has no `data` chunk."""

    code = "no-data-chunk"


class NoAudio(BadAudio):
    """The WAV has no complete sample."""

    code = "no-audio"


class UnsupportedCodec(BadAudio):
    """The WAV's codec is not supported."""

    code = "unsupported-codec"


class UnsupportedSampleRate(BadAudio):
    """The WAV's sample rate is not supported."""

    code = "unsupported-sample-rate"


class UnsupportedChannels(BadAudio):
    """The WAV's number of channels is not supported."""

    code = "unsupported-channels"


class HeaderTooLong(BadAudio):
    """The WAV has too many bytes before its audio."""

    code = "header-too-long"


class AudioTooLong(BadAudio):
    """The WAV is longer than this service allows."""

    code = "audio-too-long"


class OutputTooLarge(BadAudio):
    """The MP3 would be much larger than the WAV."""

    code = "output-too-large"


class UndecodableAudio(BadAudio):
    """The WAV's audio could not be decoded."""

    code = "undecodable-audio"


class BadRequest(PigWavError):
    """The request is wrong."""


class MalformedHttp(BadRequest):
    """The request is not well-formed HTTP."""

    code = "malformed-http"


class MalformedMultipart(BadRequest):
    """The multipart body is malformed."""

    code = "malformed-multipart"


class CredentialsFirst(BadRequest):
    """Put the fields user_id and token before a file of more than 1 MiB."""

    code = "credentials-first"


class FieldsFirst(BadRequest):
    """Put this field before the file: its conversion has begun."""

    code = "fields-first"


class FileMissing(BadRequest):
    """The form has no file field named `file`."""

    code = "file-missing"


class InvalidIdempotencyKey(BadRequest):
    """The Idempotency-Key is not a string of 1 to 255 printable ASCII characters."""

    code = "invalid-idempotency-key"


class IdempotencyKeyReused(BadRequest):
    """This Idempotency-Key belongs to another upload: the body's length or the file's name differs."""

    code = "idempotency-key-reused"


class InvalidRequest(BadRequest):
    """The request does not match the API.

    `errors`: each fault with its place (`at`) and its description (`message`); None if there is only a `detail`.
    """

    code = "invalid-request"

    def __init__(self, detail: str | None = None, *, errors: list[dict[str, str]] | None = None) -> None:
        super().__init__(detail)
        self.errors: Final = errors


class InvalidField(BadRequest):
    """A field has an invalid value."""

    code = "invalid-field"


class UnsupportedBitRate(BadRequest):
    """MP3 does not have this bit rate at the recording's sample rate."""

    code = "unsupported-bitrate"


class UnsupportedMediaType(BadRequest):
    """The body's Content-Type is not supported here.

    `found`: the stable name of what the body is (`audio.foreign_formats.Found`), if it was looked at.
    """

    code = "unsupported-media-type"

    def __init__(self, detail: str | None = None, *, found: str | None = None) -> None:
        super().__init__(detail)
        self.found: Final = found


class UnsupportedContentEncoding(BadRequest):
    """The body has a Content-Encoding. Send its bytes as they are."""

    code = "unsupported-content-encoding"


class LengthRequired(BadRequest):
    """The request has a body without a length. Send Content-Length, or Transfer-Encoding: chunked."""

    code = "length-required"


class Refused(PigWavError):
    """The request is well-formed, but refused."""


class NotAuthenticated(Refused):
    """User and token are missing or do not match."""

    code = "not-authenticated"


class RegistrationClosed(Refused):
    """The operator registers users; registration over HTTP is closed."""

    code = "registration-closed"


class NameTaken(Refused):
    """A user of this name exists."""

    code = "name-taken"


class RecordingNotFound(Refused):
    """There is no such recording of this user."""

    code = "recording-not-found"


class WaveformMissing(Refused):
    """The recording has no waveform: it is older than waveforms."""

    code = "waveform-missing"


class SoundRefused(Refused):
    """The recording has a warning that this upload does not accept (`strict`). Nothing of it was stored.

    `warnings`: the codes of these warnings.
    """

    code = "sound-refused"

    def __init__(self, detail: str, *, warnings: Sequence[str]) -> None:
        super().__init__(detail)
        self.warnings: Final = list(warnings)


class PreconditionFailed(Refused):
    """The recording does not match the request's conditions."""

    code = "precondition-failed"


class RangeNotSatisfiable(Refused):
    """The range begins after the recording's end."""

    code = "range-not-satisfiable"

    def __init__(self, *, size_bytes: int) -> None:
        super().__init__()
        self.size_bytes: Final = size_bytes


class HeadTooLarge(Refused):
    """The request's header, or the framing of its body, is larger than this service allows."""

    code = "head-too-large"


class HeadTooSlow(Refused):
    """The request's header did not arrive in time."""

    code = "head-too-slow"


class UploadTooLarge(Refused):
    """The upload is larger than this service allows."""

    code = "upload-too-large"


class UploadIdle(Refused):
    """The upload sent no data for too long."""

    code = "upload-idle"


class UploadBroken(Refused):
    """The upload ended before its body was complete."""

    code = "upload-broken"


class UploadSuperseded(Refused):
    """The upload was superseded: its user was deleted or its lease expired. Nothing was kept."""

    code = "upload-superseded"


class UploadInProgress(Refused):
    """An upload with this Idempotency-Key is still being received. Try again soon."""

    code = "upload-in-progress"


class QuotaExceeded(Refused):
    """The user has as many recordings as this service keeps for one user."""

    code = "quota-exceeded"


class Limit(StrEnum):
    """The limit that an Overloaded request exceeds. service/docs/operations.md explains each and how to raise it."""

    UPLOADS = "uploads"
    UPLOADS_SHARE = "uploads-share"
    MEMORY = "memory"
    UNAUTHENTICATED_MEMORY = "unauthenticated-memory"
    ENCODER = "encoder"
    DECODERS = "decoders"
    DECODERS_SHARE = "decoders-share"
    PROCESSES = "processes"
    DATABASE = "database"
    STORE = "store"
    DOWNLOADS = "downloads"
    DOWNLOADS_SHARE = "downloads-share"
    CONNECTIONS = "connections"
    CONNECTIONS_SHARE = "connections-share"
    PIPELINED_REQUESTS = "pipelined-requests"
    CARDS = "cards"


class Overloaded(Refused):
    """The service is at capacity. Try again soon.

    `limit`: the limit that is reached.
    """

    code = "overloaded"

    def __init__(self, limit: Limit) -> None:
        super().__init__()
        self.limit: Final = limit


class RateLimited(Refused):
    """You send more requests than this service allows. Try again later."""

    code = "rate-limited"

    def __init__(self, detail: str | None = None, *, retry_after_s: int = 1) -> None:
        super().__init__(detail)
        self.retry_after_s = retry_after_s


class ShuttingDown(Refused):
    """The service is stopping. Nothing was kept; try again."""

    code = "shutting-down"


class Unavailable(PigWavError):
    """The database or the object store does not answer."""


class DatabaseUnavailable(Unavailable):
    """The database does not answer. Try again soon."""

    code = "database-unavailable"


class StoreUnavailable(Unavailable):
    """The object store does not answer. Try again soon."""

    code = "store-unavailable"

    def __init__(self, detail: str | None = None, *, advice: str | None = None) -> None:
        """`advice`: a sentence for the operator, which setting to change. It ends the message."""
        super().__init__(f"{detail.rstrip('.')}. {advice}" if detail and advice else detail)
        self.advice: Final = advice


class StorageFull(DatabaseUnavailable, StoreUnavailable):
    """A disk that recordings need is full. Try again later.

    A disk of the database or of the store. It is a subclass of both errors, so that code which retries or cleans up
    after one of them also handles a full disk.
    """

    code = "storage-full"


class ObjectMissing(Unavailable):
    """The object store does not have the recording's bytes."""

    code = "object-missing"


class ObjectChanged(Unavailable):
    """The object in the store differs from what was stored."""

    code = "object-changed"


class CannotStart(PigWavError):
    """PigWav cannot start."""

    code = "cannot-start"


class NotConfigured(CannotStart):
    """A setting is missing or wrong."""

    code = "not-configured"


class NotProvisioned(CannotStart):
    """The database or the object store is not set up as the service needs it."""

    code = "not-provisioned"


class AddressInUse(CannotStart):
    """The address to listen on is not available."""

    code = "address-in-use"


class FolderInUse(CannotStart):
    """Another PigWav runs on this data folder."""

    code = "folder-in-use"


class FolderUnusable(CannotStart):
    """The data folder cannot be used."""

    code = "folder-unusable"


class ChildProcessFailed(CannotStart):
    """A child process of the embedded stack did not start or keeps dying."""

    code = "child-process-failed"
