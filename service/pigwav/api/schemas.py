"""The JSON bodies of the HTTP API: `*In` of requests, `*Out` of answers."""

from datetime import datetime
from typing import Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from pigwav.audio.foreign_formats import Found
from pigwav.domain import MeasuredFrom, Recording, RegisteredUser
from pigwav.errors import Limit
from pigwav.settings import Registration

EXAMPLE_ID = "afadaeeb-2842-41de-987c-ae31169310b5"
EXAMPLE_TOKEN = "23e10bfa-ce68-4444-95dd-4af608f2bf47"  # noqa: S105 - for the documentation


class UserIn(BaseModel):
    model_config = ConfigDict(json_schema_extra={"example": {"name": "testuser"}})

    name: str = Field(
        description="Unique; compared after NFC normalisation and trimming. Without control characters.",
        max_length=1000,
    )


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


class WarningOut(BaseModel):
    """The WAV was converted although its header is wrong, not all of it is audio, or its sound is probably wrong."""

    code: str = Field(
        description="It never changes; service/docs/formats.md lists all codes. New ones may be added.",
        examples=["block-align-corrected"],
    )
    detail: str = Field(
        description="A sentence for people.",
        examples=[
            "The fmt chunk declares blocks of 4 bytes, but its other fields give 2 bytes, which were used."
        ],
    )
    value: int | float | None = Field(description="The number in `detail`, in `unit`.", examples=[4])
    unit: str | None = Field(examples=["bytes"])


class ChannelLevelsOut(BaseModel):
    peak_dbfs: float = Field(examples=[-1.32])
    rms_dbfs: float = Field(examples=[-20.4])
    dc_offset: float = Field(
        description="Mean of all samples, as a part of full scale (-1 to 1).", examples=[0.0002]
    )
    clipped_samples: int | None = Field(
        description="Samples in runs of at least three at full scale; null if measured from the MP3.",
        examples=[0],
    )


class LevelsOut(BaseModel):
    """Levels of the encoder's input, or of the stored MP3. -120 dBFS stands for silence."""

    loudness_lufs: float | None = Field(
        description="Integrated loudness (EBU R 128); null if no 0.4 s are louder than -70 LUFS.",
        examples=[-18.3],
    )
    loudness_range_lu: float | None = Field(
        description="Loudness range (EBU Tech 3342); null if no 3 s are louder than -70 LUFS.", examples=[6.1]
    )
    rms_dbfs: float = Field(examples=[-20.4])
    silent_share: float = Field(
        description="Share of silence, 0 to 1: of frames of 0.1 s without a sample above -60 dBFS.",
        examples=[0.07],
    )
    longest_silence_ms: int = Field(examples=[1300])
    channels: list[ChannelLevelsOut]
    correlation: float | None = Field(
        description="Correlation of two channels, -1 to 1; null for one channel, if a channel is silent, or if "
        "measured from the MP3.",
        examples=[0.75],
    )
    identical: bool | None = Field(
        description="Whether both channels are the same; null for one channel, or if measured from the MP3.",
        examples=[False],
    )
    measured_from: MeasuredFrom = Field(
        description="`wav`: the encoder's input, during the upload. `mp3`: the stored MP3, later.",
        examples=["wav"],
    )


class RecordingOut(BaseModel):
    id: UUID = Field(examples=[EXAMPLE_ID])
    user: int = Field(description="The owner's user id.", examples=[1])
    url: str = Field(
        description="The public link. Anyone who has it can play the recording, without a token.",
        examples=[f"http://localhost:8080/record?id={EXAMPLE_ID}&user=1"],
    )
    page_url: str | None = Field(
        description="The page that plays the recording in a browser, for people; null if the operator has switched "
        "the page off. Like `url`, it needs no token.",
        examples=[f"http://localhost:8080/listen?id={EXAMPLE_ID}&user=1"],
    )
    title: str | None = Field(examples=["Standup, Monday"])
    created_at: datetime = Field(description="The time at which the recording became playable.")
    duration_ms: int = Field(description="Duration of the audio that was received.", examples=[61000])
    declared_duration_ms: int | None = Field(
        description="Duration that the WAV's header declares; null if it declares none, or one that cannot be right.",
        examples=[61000],
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
    warnings: list[WarningOut] | None = Field(
        description="What was wrong with the WAV or with its sound, or was left out; null for older recordings.",
        examples=[[]],
    )

    levels: LevelsOut | None = Field(description="Null for older recordings: not measured.")
    peaks: str | None = Field(
        None,
        description="Only in lists with `peaks=1`: up to 96 mean magnitudes of equal parts, 0 to 128, as base64. "
        "Null if the recording has no waveform.",
        examples=["AAgQQIBAEAg="],
    )

    @classmethod
    def of(cls, recording: Recording, url: str, *, page_url: str | None, peaks: str | None = None) -> Self:
        """Copies fields that have the same name in AudioFacts; only the others are listed here."""
        facts, audio = recording.facts, recording.facts.audio
        named_otherwise = {
            "id": recording.id,
            "user": recording.user_id,
            "url": url,
            "page_url": page_url,
            "title": recording.title,
            "created_at": recording.ready_at,
            "bytes": facts.size_bytes,
            "sha256": facts.sha256.hex(),
            "wav_bytes": audio.wav_size_bytes,
            "wav_sha256": audio.wav_sha256.hex(),
            "peaks": peaks,
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
    detail: str | None = Field(
        None,
        examples=["The body is text, not a WAV. Look at it in an editor, and send the recording itself."],
    )
    errors: list[dict[str, str]] | None = Field(
        None,
        description="Only with `invalid-request`: each fault, with its place (`at`) and its description (`message`).",
    )
    found: Found | None = Field(
        None,
        description="Only if the body is not a WAV: what it is instead; see service/docs/formats.md.",
        examples=["text"],
    )
    warnings: list[str] | None = Field(
        None,
        description="Only with `sound-refused`: the codes of the warnings that `strict` does not accept.",
    )
    limit: Limit | None = Field(
        None,
        description="Only with `overloaded`: the capacity that is used up; see service/docs/operations.md.",
    )


class LimitsOut(BaseModel):
    max_upload_bytes: int = Field(description="Largest WAV, in bytes.", examples=[4294967296])
    max_duration_s: int = Field(description="Longest audio, in seconds.", examples=[43200])
    registration: Registration = Field(description="Whether anybody may register with `POST /users`.")


class StatusOut(BaseModel):
    status: str = Field(examples=["ok"])
