"""The service's JSON as typed values. A fact is declared once, here; JSON is read and written by the declaration."""

from collections.abc import Callable, Mapping
from dataclasses import Field, dataclass, field, fields
from datetime import datetime
from types import NoneType
from typing import Any, Final, Self, get_args
from uuid import UUID

_READERS: Final[Mapping[type, Callable[[Any], Any]]] = {
    bool: bool,
    int: int,
    float: float,
    str: str,
    UUID: UUID,
    datetime: datetime.fromisoformat,
}
"""From JSON's types to those that a field may have; besides these, it may be an Answer, and any of them or None."""


@dataclass(frozen=True)
class Answer:
    """A JSON object. A field has the name that it has in JSON, unless its metadata says another under `json`."""

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """Fields that this client does not know are passed over; an older service may lack those that may be None.

        Raises ValueError, TypeError or AttributeError for a document that does not fit.
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
        """The same object in JSON's types, with the names and in the order of the HTTP contract."""
        return {_json_name(fact): _written(getattr(self, fact.name)) for fact in fields(self)}


@dataclass(frozen=True)
class Registered(Answer):
    """A new user. The token is shown this once."""

    id: int
    name: str
    token: UUID = field(repr=False)


@dataclass(frozen=True)
class User(Answer):
    """The user whose token it is."""

    id: int
    name: str


@dataclass(frozen=True)
class Source(Answer):
    """The WAV's audio as its header described it. `bits` are per sample; 0 if the codec has none."""

    codec: str
    sample_rate_hz: int
    channels: int
    bits: int


@dataclass(frozen=True)
class Tags(Answer):
    """What the WAV says of itself (INFO, id3, bext); None where it says nothing."""

    title: str | None = None
    artist: str | None = None
    album: str | None = None
    date: str | None = None
    comment: str | None = None
    track: str | None = None
    originator: str | None = None
    time_reference_samples: int | None = None  # since midnight, at the WAV's sample rate (EBU Tech 3285)


@dataclass(frozen=True)
class Recording(Answer):
    """A recording that plays, and its facts; a new one is a line here. SHA-256 is in hex.

    Unless it is said to be of the WAV, a fact is of the MP3.
    """

    id: UUID
    user_id: int = field(metadata={"json": "user"})
    url: str  # the public link
    title: str | None
    created_at: datetime  # when it became playable; aware
    duration_ms: int  # of the audio that was received
    declared_duration_ms: int | None  # what the WAV's header promised; None: nothing
    truncated: bool  # the WAV's header promised more than the WAV held
    size_bytes: int = field(metadata={"json": "bytes"})
    sha256: str
    wav_size_bytes: int = field(metadata={"json": "wav_bytes"})
    wav_sha256: str
    sample_rate_hz: int
    channels: int
    bitrate_kbps: int
    peak_dbfs: float | None  # sample peak of the MP3's input, -120.0 for silence; None: it was not computed
    source: Source  # of the WAV
    tags: Tags = field(default_factory=Tags)  # of the WAV


@dataclass(frozen=True)
class Page:
    """Recordings, newest first. `next`: the cursor of the page behind it; None on the last."""

    items: tuple[Recording, ...]
    next: str | None

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """Raises as `Answer.from_json`, and KeyError."""
        return cls(tuple(map(Recording.from_json, document["items"])), document["next"])


def _json_name(fact: Field[Any]) -> str:
    return str(fact.metadata.get("json", fact.name))


def _read(fact: Field[Any], value: Any) -> Any:
    kind = next(one for one in (*get_args(fact.type), fact.type) if one is not NoneType)
    return kind.from_json(value) if issubclass(kind, Answer) else _READERS[kind](value)


def _written(value: Any) -> Any:
    match value:
        case Answer():
            return value.as_json()
        case UUID():
            return str(value)
        case datetime():
            return value.isoformat()
    return value
