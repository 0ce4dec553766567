"""The service's JSON as typed values. Fields that this client does not know yet are passed over."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self
from uuid import UUID


@dataclass(frozen=True)
class Registered:
    """A new user. The token is shown this once."""

    id: int
    name: str
    token: UUID = field(repr=False)

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Self:
        return cls(int(document["id"]), str(document["name"]), UUID(document["token"]))


@dataclass(frozen=True)
class User:
    """The user whose token it is."""

    id: int
    name: str

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Self:
        return cls(int(document["id"]), str(document["name"]))


@dataclass(frozen=True)
class Source:
    """The WAV's audio as its header described it. `bits` are per sample; 0 where the codec has none."""

    codec: str
    sample_rate_hz: int
    channels: int
    bits: int

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Self:
        return cls(
            codec=str(document["codec"]),
            sample_rate_hz=int(document["sample_rate_hz"]),
            channels=int(document["channels"]),
            bits=int(document["bits"]),
        )


@dataclass(frozen=True)
class Tags:
    """What the WAV says of itself (INFO, id3, bext); None where it says nothing.

    `time_reference_samples`: samples since midnight at the WAV's sample rate (EBU Tech 3285).
    """

    title: str | None = None
    artist: str | None = None
    album: str | None = None
    date: str | None = None
    comment: str | None = None
    track: str | None = None
    originator: str | None = None
    time_reference_samples: int | None = None

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Self:
        return cls(**{name: document.get(name) for name in cls.__dataclass_fields__})


@dataclass(frozen=True)
class Recording:
    """A recording that plays: `url` is its public link.

    Size, SHA-256 (hex), sample rate, channels and bit rate are of the MP3; `wav_*` and `source` are of the WAV.
    `duration_ms` is of the audio received, `declared_duration_ms` what the WAV's header promised (None: nothing);
    `truncated`: it promised more than the WAV held. `created_at` (aware): when it became playable.
    """

    id: UUID
    user_id: int
    url: str
    title: str | None
    created_at: datetime
    duration_ms: int
    declared_duration_ms: int | None
    truncated: bool
    size_bytes: int
    sha256: str
    wav_size_bytes: int
    wav_sha256: str
    sample_rate_hz: int
    channels: int
    bitrate_kbps: int
    source: Source
    tags: Tags

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Self:
        return cls(
            id=UUID(document["id"]),
            user_id=int(document["user"]),
            url=str(document["url"]),
            title=document["title"],
            created_at=datetime.fromisoformat(document["created_at"]),
            duration_ms=int(document["duration_ms"]),
            declared_duration_ms=document["declared_duration_ms"],
            truncated=bool(document["truncated"]),
            size_bytes=int(document["bytes"]),
            sha256=str(document["sha256"]),
            wav_size_bytes=int(document["wav_bytes"]),
            wav_sha256=str(document["wav_sha256"]),
            sample_rate_hz=int(document["sample_rate_hz"]),
            channels=int(document["channels"]),
            bitrate_kbps=int(document["bitrate_kbps"]),
            source=Source.from_json(document["source"]),
            tags=Tags.from_json(document.get("tags") or {}),
        )


@dataclass(frozen=True)
class Page:
    """Recordings, newest first. `next`: the cursor of the page behind it; None on the last."""

    items: tuple[Recording, ...]
    next: str | None

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Self:
        return cls(tuple(map(Recording.from_json, document["items"])), document["next"])
