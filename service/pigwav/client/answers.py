"""The service's JSON as typed values. Each field is declared here; JSON is read and written by the declarations."""

from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from dataclasses import Field, dataclass, field, fields
from datetime import datetime
from types import NoneType
from typing import Any, Final, Self, get_args, get_origin
from uuid import UUID

from pigwav.client.errors import UnexpectedAnswer

_READERS: Final[Mapping[type, Callable[[Any], Any]]] = {
    bool: bool,
    int: int,
    float: float,
    str: str,
    bytes: lambda text: b64decode(text, validate=True),
    UUID: UUID,
    datetime: datetime.fromisoformat,
}
"""Conversions from JSON to the types that a field may have. A field may also be an Answer or a tuple of them, and
may allow None.
"""


@dataclass(frozen=True)
class Answer:
    """A JSON object. A field has the same name in JSON, unless its metadata has another name under `json`."""

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """Ignores unknown fields. A field that allows None may be missing, as in the answer of an older service.

        Raises ValueError, TypeError or AttributeError if the document does not match the declaration.
        """
        found: dict[str, Any] = {}
        for fact in fields(cls):
            value = document.get(_json_name(fact))
            if value is not None:
                found[fact.name] = _read(fact, value)
            elif NoneType in get_args(fact.type):
                found[fact.name] = None
        return cls(**found)

    def as_json(self) -> dict[str, Any]:
        """The object in JSON's types, with the names and in the order of the HTTP API."""
        return {_json_name(fact): _written(getattr(self, fact.name)) for fact in fields(self)}


@dataclass(frozen=True)
class Registered(Answer):
    """A new user. The service cannot show the token again."""

    id: int
    name: str
    token: UUID = field(repr=False)


@dataclass(frozen=True)
class User(Answer):
    """The user that a token belongs to."""

    id: int
    name: str


@dataclass(frozen=True)
class Source(Answer):
    """The WAV's audio as its header describes it. `bits`: bits per sample; 0 if the codec has none."""

    codec: str
    sample_rate_hz: int
    channels: int
    bits: int


@dataclass(frozen=True)
class Tags(Answer):
    """The WAV's tags (INFO, id3, bext); None if a tag is missing."""

    title: str | None = None
    artist: str | None = None
    album: str | None = None
    date: str | None = None
    comment: str | None = None
    track: str | None = None
    originator: str | None = None
    time_reference_samples: int | None = None  # since midnight, at the WAV's sample rate (EBU Tech 3285)


@dataclass(frozen=True)
class AudioWarning(Answer):
    """The WAV was converted although its header is wrong, not all of it is audio, or its sound is probably wrong.

    `value`: in `unit`.
    """

    code: str  # it never changes; service/docs/formats.md lists all codes
    detail: str
    value: float | None = None
    unit: str | None = None


@dataclass(frozen=True)
class ChannelLevels(Answer):
    """Levels of one channel; -120.0 dBFS stands for silence."""

    peak_dbfs: float
    rms_dbfs: float
    dc_offset: float  # mean of all samples, as a part of full scale
    clipped_samples: int | None  # in runs of at least three at full scale; None: measured from the MP3


@dataclass(frozen=True)
class Levels(Answer):
    """Levels of the MP3's input or of the MP3; service/docs/formats.md says how each is measured."""

    loudness_lufs: float | None  # integrated (EBU R 128); None: too quiet or too short
    loudness_range_lu: float | None  # EBU Tech 3342; None: too quiet or too short
    rms_dbfs: float
    silent_share: float  # 0 to 1
    longest_silence_ms: int
    channels: tuple[ChannelLevels, ...]
    correlation: float | None = None  # of two channels, -1 to 1; None: there is one, or measured from the MP3
    identical: bool | None = None  # both channels are the same; None: as for `correlation`
    measured_from: str = "wav"  # during the upload; "mp3": later, from the stored MP3


@dataclass(frozen=True)
class Recording(Answer):
    """A recording that can be played. Fields describe the MP3, unless they say that they describe the WAV.

    SHA-256 is in hex.
    """

    id: UUID
    user_id: int = field(metadata={"json": "user"})
    url: str  # the public link
    page_url: str | None = field(default=None, kw_only=True)  # for people; None: no page, or an older service
    title: str | None
    created_at: datetime  # when it became playable; aware
    duration_ms: int  # of the audio that was received
    declared_duration_ms: int | None  # what the WAV's header declared; None: nothing
    truncated: bool  # the WAV's header declared more audio than the WAV held
    size_bytes: int = field(metadata={"json": "bytes"})
    sha256: str
    wav_size_bytes: int = field(metadata={"json": "wav_bytes"})
    wav_sha256: str
    sample_rate_hz: int
    channels: int
    bitrate_kbps: int
    peak_dbfs: float | None  # sample peak of the MP3's input, -120.0 for silence; None: not computed
    source: Source  # of the WAV
    tags: Tags = field(default_factory=Tags)  # of the WAV
    warnings: tuple[AudioWarning, ...] | None = None  # about the WAV and its sound; None: an older recording
    levels: Levels | None = None  # None: not measured, as in older recordings
    peaks: bytes | None = None  # up to 96 magnitudes, 0 to 128; only in lists that ask for them


@dataclass(frozen=True)
class Limits(Answer):
    """What the service accepts."""

    max_upload_bytes: int
    max_duration_s: int
    registration: str  # "open", or "closed": only the operator registers users


@dataclass(frozen=True)
class Page:
    """Recordings, newest first. `next`: the cursor of the next page; None on the last page."""

    items: tuple[Recording, ...]
    next: str | None

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """Raises the errors of `Answer.from_json`, and KeyError."""
        return cls(tuple(map(Recording.from_json, document["items"])), document["next"])

    def next_after(self, seen: set[str]) -> str | None:
        """`next`, and adds it to `seen`, the cursors of the pages so far. Raises UnexpectedAnswer if it leads back."""
        if self.next is None:
            return None
        if not self.items or self.next in seen:
            raise UnexpectedAnswer("The service's list of recordings has no end: a page leads back.")
        seen.add(self.next)
        return self.next


def _json_name(fact: Field[Any]) -> str:
    return str(fact.metadata.get("json", fact.name))


def _read(fact: Field[Any], value: Any) -> Any:
    options = (fact.type,) if get_origin(fact.type) is tuple else (*get_args(fact.type), fact.type)
    kind = next(one for one in options if one is not NoneType)
    if get_origin(kind) is tuple:
        return tuple(map(get_args(kind)[0].from_json, value))
    return kind.from_json(value) if issubclass(kind, Answer) else _READERS[kind](value)


def _written(value: Any) -> Any:
    match value:
        case Answer():
            return value.as_json()
        case UUID():
            return str(value)
        case datetime():
            return value.isoformat()
        case bytes():
            return b64encode(value).decode()
        case tuple():
            return [_written(one) for one in value]
    return value
