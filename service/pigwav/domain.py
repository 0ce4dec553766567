"""Plain values that all layers share. They do not depend on a database session or a driver."""

import re
import unicodedata
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final, NewType
from uuid import UUID

from pigwav.bidi import BIDI_EMBEDDINGS

UserId = NewType("UserId", int)
LARGEST_USER_ID: Final = 2**63 - 1  # a bigint
RecordingId = NewType("RecordingId", UUID)
LeaseId = NewType("LeaseId", UUID)
ObjectKey = NewType("ObjectKey", str)

MAX_TITLE_CHARS: Final = 200
SILENCE_DBFS: Final = -120.0
"""Stands for minus infinity, which JSON does not have. One step of 16 bits is -90.31 dBFS."""
_DROPPED: Final = re.compile(
    f"[{BIDI_EMBEDDINGS}"
    "\u00ad\u200b\u2060-\u2064\u206a-\u206f\ufff9-\ufffb\U000e0001"  # invisible
    "\ufeff\ufffe"  # some readers take them for byte order marks, at any position
    "]"
)
"""Format characters that no script needs. Joiners (Persian, emoji) and direction marks (Hebrew) stay."""


class RecordingState(StrEnum):
    """pending -> ready -> deleted, or pending -> deleted if the upload failed. Never backwards."""

    PENDING = "pending"
    READY = "ready"
    DELETED = "deleted"


@dataclass(frozen=True)
class User:
    id: UserId
    name: str


@dataclass(frozen=True)
class UserSummary:
    """A user in an operator's list. `recordings`: how many are ready."""

    user: User
    registered_at: datetime
    recordings: int


@dataclass(frozen=True)
class IdempotencyKey:
    """A client's name for one upload, the same in every try: `draft-ietf-httpapi-idempotency-key-header`.

    `fingerprint`: a SHA-256 of facts about the upload that are known before its body and are the same in every try.
    """

    key: str = field(repr=False)
    fingerprint: bytes = field(repr=False)


@dataclass(frozen=True)
class RegisteredUser:
    """A user and the access token, which is shown only now: the database stores its SHA-256."""

    user: User
    token: UUID = field(repr=False)


@dataclass(frozen=True)
class WavSource:
    """The WAV's audio, by its header. `bits` is per sample as stored, 0 if the codec has no such number."""

    codec: str
    sample_rate_hz: int
    channels: int
    bits: int


@dataclass(frozen=True)
class Tags:
    """The WAV's tags, in printable text; None if the WAV does not have the tag.

    `date`: as written, or ISO 8601 if the WAV stores its parts separately. `track`: 3 or 3/12.
    `time_reference_samples`: samples from midnight to the first one (EBU Tech 3285).
    """

    title: str | None = None
    artist: str | None = None
    album: str | None = None
    date: str | None = None
    comment: str | None = None
    track: str | None = None
    originator: str | None = None
    time_reference_samples: int | None = None


class WarningCode(StrEnum):
    """What was wrong with a WAV that was converted nevertheless, what of it was left out, or what is probably wrong
    with its sound. Codes never change.
    """

    TRUNCATED = "truncated"
    SIZE_FIELD_WRONG = "size-field-wrong"
    BLOCK_ALIGN_CORRECTED = "block-align-corrected"
    SECOND_FMT_CHUNK_IGNORED = "second-fmt-chunk-ignored"
    SECOND_DATA_CHUNK_IGNORED = "second-data-chunk-ignored"
    SECOND_FILE_IGNORED = "second-file-ignored"
    BYTES_AFTER_AUDIO_IGNORED = "bytes-after-audio-ignored"
    DAMAGED_AUDIO_LEFT_OUT = "damaged-audio-left-out"
    CLIPPED = "clipped"
    SILENT = "silent"
    VERY_QUIET = "very-quiet"
    CHANNEL_SILENT = "channel-silent"
    CHANNELS_IDENTICAL = "channels-identical"
    CHANNELS_INVERTED = "channels-inverted"
    DC_OFFSET = "dc-offset"


SOUND_WARNINGS: Final = frozenset(
    {
        WarningCode.CLIPPED,
        WarningCode.SILENT,
        WarningCode.VERY_QUIET,
        WarningCode.CHANNEL_SILENT,
        WarningCode.CHANNELS_IDENTICAL,
        WarningCode.CHANNELS_INVERTED,
        WarningCode.DC_OFFSET,
    }
)
"""About the sound; the others are about the file."""


@dataclass(frozen=True)
class AudioWarning:
    """One warning about a WAV. `detail`: a sentence for people. `value`: the number in it, in `unit`."""

    code: str
    detail: str
    value: float | None = None
    unit: str | None = None


class MeasuredFrom(StrEnum):
    """The sound that levels were measured from."""

    WAV = "wav"
    """The encoder's input, during the upload."""
    MP3 = "mp3"
    """The stored MP3, later: what the encoder changes cannot be measured."""


@dataclass(frozen=True)
class ChannelLevels:
    """Levels of one channel of the encoded audio.

    - `peak_dbfs`, `rms_dbfs`: SILENCE_DBFS for silence.
    - `dc_offset`: the mean of all samples, as a part of full scale (-1 to 1).
    - `clipped_samples`: those in runs of at least three at full scale; None if measured from the MP3.
    """

    peak_dbfs: float
    rms_dbfs: float
    dc_offset: float
    clipped_samples: int | None


@dataclass(frozen=True)
class Levels:
    """Levels of the encoded audio.

    - `loudness_lufs`: integrated (EBU R 128). None if no 0.4 s are louder than -70 LUFS.
    - `loudness_range_lu`: EBU Tech 3342. None if no 3 s are louder than -70 LUFS.
    - `rms_dbfs`: of all samples of all channels.
    - `silent_share`, `longest_silence_ms`: of frames of 0.1 s with no sample above -60 dBFS; the share is 0 to 1.
    - `channels`: one or two. `correlation` (-1 to 1) and `identical`: how two channels relate; None for one channel.
      `correlation` is also None if a channel is silent. Both are None if measured from the MP3.
    """

    loudness_lufs: float | None
    loudness_range_lu: float | None
    rms_dbfs: float
    silent_share: float
    longest_silence_ms: int
    channels: tuple[ChannelLevels, ...]
    correlation: float | None = None
    identical: bool | None = None
    measured_from: MeasuredFrom = MeasuredFrom.WAV

    @property
    def peak_dbfs(self) -> float:
        return max(channel.peak_dbfs for channel in self.channels)


@dataclass(frozen=True)
class AudioFacts:
    """Facts about the WAV and its audio from the conversion. Each field but `source` has a column of the same name.

    - `samples` (per channel), `sample_rate_hz`, `channels` and `bitrate_kbps` describe the MP3.
    - `duration_ms`: of the audio that was received and converted.
    - `declared_duration_ms`: as the WAV's header declares; None if it declares no length, or one that cannot be right.
    - `truncated`: the header declares more audio than the WAV holds.
    - `peak_dbfs`: the sample peak of the encoded audio; SILENCE_DBFS for silence, None if it was not computed.
    - `tags`: those of the whole WAV.
    - `warnings`: None in rows that are older than this field.
    """

    wav_size_bytes: int
    wav_sha256: bytes
    samples: int
    duration_ms: int
    declared_duration_ms: int | None
    truncated: bool
    sample_rate_hz: int
    channels: int
    bitrate_kbps: int
    source: WavSource
    peak_dbfs: float | None = None
    tags: Tags = Tags()
    warnings: tuple[AudioWarning, ...] | None = None
    levels: Levels | None = None


@dataclass(frozen=True)
class RecordingFacts:
    """Facts about a stored MP3: size and SHA-256 of the object, and its audio."""

    size_bytes: int
    sha256: bytes
    audio: AudioFacts


@dataclass(frozen=True)
class Recording:
    """A ready recording."""

    id: RecordingId
    user_id: UserId
    title: str | None
    object_key: ObjectKey
    ready_at: datetime
    facts: RecordingFacts


@dataclass(frozen=True)
class StoredMp3:
    """What a link needs to know of a ready recording."""

    recording: RecordingId
    title: str | None
    object_key: ObjectKey
    ready_at: datetime
    size_bytes: int
    sha256: bytes

    @property
    def download_name(self) -> str:
        """The file name that a browser uses for the download."""
        return mp3_name(self.title, self.recording)


def mp3_name(title: str | None, recording: RecordingId) -> str:
    return f"{title or recording}.mp3"


def object_key(user: UserId, recording: RecordingId, created_at: datetime) -> ObjectKey:
    """`recordings/<user id>/<yyyy>/<mm>/<recording id>.mp3`: readable in a console, never reused."""
    return ObjectKey(f"recordings/{user}/{created_at:%Y/%m}/{recording}.mp3")


def plain_name(text: str) -> str:
    """The form in which user names, titles and tags are compared and stored: NFC, without outer white space and without
    characters that are controls, reorder text or are invisible. Empty if nothing visible is left.
    """
    printable = "".join(" " if unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") else c for c in text)
    name = unicodedata.normalize("NFC", _DROPPED.sub("", printable)).strip()
    return name if any(unicodedata.category(c)[0] not in "CZ" for c in name) else ""
