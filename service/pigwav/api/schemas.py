"""The JSON bodies of the HTTP API: `*In` of requests, `*Out` of answers."""

from datetime import datetime
from typing import Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from pigwav.domain import Recording, RegisteredUser
from pigwav.errors import Limit

EXAMPLE_ID = "afadaeeb-2842-41de-987c-ae31169310b5"
EXAMPLE_TOKEN = "23e10bfa-ce68-4444-95dd-4af608f2bf47"  # noqa: S105 - for the documentation


class UserIn(BaseModel):
    model_config = ConfigDict(json_schema_extra={"example": {"name": "testuser"}})

    name: str = Field(description="Unique; compared after NFC normalisation and trimming.", max_length=1000)


class UserOut(BaseModel):
    id: int = Field(examples=[1])
    name: str = Field(examples=["testuser"])
    token: UUID = Field(
        description="The access token. It is shown only once, in this answer.",
        examples=[EXAMPLE_TOKEN],
        repr=False,
    )

    @classmethod
    def of(cls, registered: RegisteredUser) -> Self:
        return cls(id=registered.user.id, name=registered.user.name, token=registered.token)


class MeOut(BaseModel):
    id: int = Field(examples=[1])
    name: str = Field(examples=["testuser"])


class TokenOut(BaseModel):
    token: UUID = Field(
        description="The new access token. It is shown only once, in this answer. The old token is no longer valid.",
        examples=[EXAMPLE_TOKEN],
        repr=False,
    )


class SourceOut(BaseModel):
    """The WAV's audio as its header describes it."""

    codec: str = Field(examples=["pcm_s16le"])
    sample_rate_hz: int = Field(examples=[44100])
    channels: int = Field(examples=[2])
    bits: int = Field(description="Bits per sample; 0 if the codec has no such number.", examples=[16])


class TagsOut(BaseModel):
    """The WAV's own tags (INFO, id3, bext). A tag that the WAV does not have is null."""

    title: str | None = Field(examples=["Утренняя планёрка"])
    artist: str | None = Field(examples=["Studio 1"])
    album: str | None = Field(examples=[None])
    date: str | None = Field(examples=["2026-11-24"])
    comment: str | None = Field(examples=[None])
    track: str | None = Field(examples=["1/12"])
    originator: str | None = Field(
        description="The person, organisation or device that made the file (bext).", examples=["Zoom F8"]
    )
    time_reference_samples: int | None = Field(
        description="Number of samples from midnight to the first sample, at the WAV's sample rate (bext).",
        examples=[None],
    )


class RecordingOut(BaseModel):
    id: UUID = Field(examples=[EXAMPLE_ID])
    user: int = Field(description="The owner's user id.", examples=[1])
    url: str = Field(
        description="The public link. Anyone who has it can play the recording, without a token.",
        examples=[f"http://localhost:8080/record?id={EXAMPLE_ID}&user=1"],
    )
    title: str | None = Field(examples=["Standup, Monday"])
    created_at: datetime = Field(description="The time at which the recording became playable.")
    duration_ms: int = Field(description="Duration of the audio that was received.", examples=[61000])
    declared_duration_ms: int | None = Field(
        description="Duration that the WAV's header declares; null if it declares none.", examples=[61000]
    )
    truncated: bool = Field(
        description="True if the WAV's header declares more audio than the WAV contained."
    )
    bytes: int = Field(description="Size of the MP3 in bytes.", examples=[976980])
    sha256: str = Field(description="SHA-256 of the MP3, in hex.", examples=["9f86d081884c7d65..."])
    wav_bytes: int = Field(description="Size of the WAV in bytes.", examples=[10760444])
    wav_sha256: str = Field(description="SHA-256 of the WAV, in hex.", examples=["2c26b46b68ffc68f..."])
    sample_rate_hz: int = Field(description="Sample rate of the MP3.", examples=[44100])
    channels: int = Field(description="Number of channels of the MP3.", examples=[2])
    bitrate_kbps: int = Field(description="Constant bit rate of the MP3.", examples=[128])
    peak_dbfs: float | None = Field(
        description="Sample peak of the encoder's input; -120 for silence, null for older recordings.",
        examples=[-1.32],
    )
    source: SourceOut
    tags: TagsOut

    @classmethod
    def of(cls, recording: Recording, url: str) -> Self:
        """Copies fields that have the same name in AudioFacts; only the others are listed here."""
        facts, audio = recording.facts, recording.facts.audio
        named_otherwise = {
            "id": recording.id,
            "user": recording.user_id,
            "url": url,
            "title": recording.title,
            "created_at": recording.ready_at,
            "bytes": facts.size_bytes,
            "sha256": facts.sha256.hex(),
            "wav_bytes": audio.wav_size_bytes,
            "wav_sha256": audio.wav_sha256.hex(),
        }
        return cls.model_validate(vars(audio) | named_otherwise, from_attributes=True)


class RecordingsOut(BaseModel):
    items: list[RecordingOut]
    next: str | None = Field(description="Pass it as `cursor` to get the next page; null on the last page.")


class TitleIn(BaseModel):
    model_config = ConfigDict(json_schema_extra={"example": {"title": "Standup, Monday"}})

    title: str | None = Field(description="The new title; null removes the title.", max_length=1000)


class ProblemOut(BaseModel):
    """An RFC 9457 problem document."""

    type: str = Field(examples=["urn:pigwav:problem:not-a-wav"])
    title: str = Field(examples=["The body is not a RIFF/WAVE file."])
    status: int = Field(examples=[415])
    code: str = Field(
        description="The error's code, which never changes; service/docs/errors.md lists all codes.",
        examples=["not-a-wav"],
    )
    detail: str | None = Field(None, examples=["The body begins with 'hell', not with 'RIFF'."])
    errors: list[dict[str, str]] | None = Field(
        None,
        description="Only with `invalid-request`: each fault, with its place (`at`) and its description (`message`).",
    )
    limit: Limit | None = Field(
        None,
        description="Only with `overloaded`: the capacity that is used up; see service/docs/operations.md.",
    )


class StatusOut(BaseModel):
    status: str = Field(examples=["ok"])
