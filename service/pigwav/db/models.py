"""The tables. Constraints reject invalid rows; every constraint has a name."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    DateTime,
    Dialect,
    ForeignKey,
    Identity,
    Index,
    LargeBinary,
    MetaData,
    Text,
    TypeDecorator,
    UniqueConstraint,
    false,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

NAMES = {
    "pk": "%(table_name)s_pkey",
    "uq": "%(table_name)s_%(column_0_name)s_key",
    "fk": "%(table_name)s_%(column_0_name)s_fkey",
    "ck": "%(table_name)s_%(constraint_name)s_check",
    "ix": "%(table_name)s_%(column_0_name)s_idx",
}


class UtcTime(TypeDecorator[datetime]):
    """A time that is read in UTC, whatever the time zone of the server or of the session is."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        return None if value is None else value.astimezone(UTC)


class Row(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMES)
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy's own way to declare it
        datetime: UtcTime,
        bytes: LargeBinary,
        str: Text,
        int: BigInteger,
    }


class UserRow(Row):
    __tablename__ = "users"

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    name: Mapped[str]
    token_sha256: Mapped[bytes]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (
        UniqueConstraint("name"),
        UniqueConstraint("token_sha256"),
        CheckConstraint("name <> ''", name="name_given"),
        CheckConstraint("octet_length(token_sha256) = 32", name="token_is_sha256"),
    )


class RecordingRow(Row):
    """A recording, from the start of its upload until its bytes are deleted. Facts are null until it is ready.

    - `lease_id`, `lease_until`: the process that receives the upload renews the lease; when it has expired, any process
      may abort the upload.
    - `upload_id`: the multipart upload that is open at the object store, if any.
    - `user_id`: null only if the user was deleted and the bytes still have to be deleted.
    """

    __tablename__ = "recordings"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    state: Mapped[str]
    object_key: Mapped[str] = mapped_column(Text(collation="C"))  # sorts by bytes, as S3 lists keys
    title: Mapped[str | None]
    created_at: Mapped[datetime]
    ready_at: Mapped[datetime | None]
    lease_id: Mapped[UUID | None]
    lease_until: Mapped[datetime | None]
    upload_id: Mapped[str | None]

    size_bytes: Mapped[int | None]
    sha256: Mapped[bytes | None]
    wav_size_bytes: Mapped[int | None]
    wav_sha256: Mapped[bytes | None]
    samples: Mapped[int | None]
    duration_ms: Mapped[int | None]
    declared_duration_ms: Mapped[int | None]
    truncated: Mapped[bool | None]
    sample_rate_hz: Mapped[int | None]
    channels: Mapped[int | None]
    bitrate_kbps: Mapped[int | None]
    source_codec: Mapped[str | None]
    source_sample_rate_hz: Mapped[int | None]
    source_channels: Mapped[int | None]
    source_bits: Mapped[int | None]
    peak_dbfs: Mapped[float | None]
    tags: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))  # null: the WAV has none
    warnings: Mapped[list[dict[str, Any]] | None] = mapped_column(
        JSONB(none_as_null=True)
    )  # null: an older row
    levels: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))  # null: an older row
    scrubbed_at: Mapped[datetime | None]  # when the object was last read back and matched

    __table_args__ = (
        UniqueConstraint("object_key"),
        CheckConstraint("state IN ('pending', 'ready', 'deleted')", name="state_known"),
        CheckConstraint("state = 'deleted' OR user_id IS NOT NULL", name="owned"),
        CheckConstraint(
            "state <> 'pending' OR (lease_id IS NOT NULL AND lease_until IS NOT NULL)",
            name="pending_is_leased",
        ),
        CheckConstraint(  # as in migration 0001; columns that were added later are null in older rows
            "state <> 'ready' OR (ready_at IS NOT NULL AND lease_id IS NULL AND num_nulls("
            "size_bytes, sha256, wav_size_bytes, wav_sha256, samples, duration_ms, truncated, sample_rate_hz, channels,"
            " bitrate_kbps, source_codec, source_sample_rate_hz, source_channels, source_bits) = 0)",
            name="ready_is_complete",
        ),
        CheckConstraint("size_bytes > 0", name="size_positive"),
        CheckConstraint(
            "octet_length(sha256) = 32 AND octet_length(wav_sha256) = 32", name="checksums_are_sha256"
        ),
        CheckConstraint("jsonb_typeof(tags) = 'object'", name="tags_are_an_object"),
        CheckConstraint("jsonb_typeof(warnings) = 'array'", name="warnings_are_an_array"),
        CheckConstraint("jsonb_typeof(levels) = 'object'", name="levels_are_an_object"),
        Index("recordings_newest_idx", "user_id", "ready_at", "id", postgresql_where="state = 'ready'"),
        Index("recordings_unfinished_idx", "state", "lease_until", postgresql_where="state <> 'ready'"),
        Index("recordings_lease_id_idx", "lease_id", postgresql_where="state = 'pending'"),
        Index("recordings_oldest_idx", "ready_at", postgresql_where="state = 'ready'"),
        Index(
            "recordings_scrub_idx", text("scrubbed_at NULLS FIRST"), "id", postgresql_where="state = 'ready'"
        ),
        Index(  # the function is in migration 0008
            "recordings_title_words_idx",
            text("array_to_tsvector(search_words(user_id, title))"),
            postgresql_using="gin",
            postgresql_with={"fastupdate": "off"},  # a search would read the whole list of pending entries
            postgresql_concurrently=True,
            postgresql_where="state = 'ready'",
        ),
    )


class WaveformRow(Row):
    """A ready recording's waveform, in a table of its own: it is larger than all other facts, and rarely read.

    - `dat`: a file of audiowaveform. `overview`: up to 96 magnitudes, 0 to 128.
    """

    __tablename__ = "waveforms"

    recording_id: Mapped[UUID] = mapped_column(
        ForeignKey("recordings.id", ondelete="CASCADE"), primary_key=True
    )
    dat: Mapped[bytes]
    overview: Mapped[bytes]

    __table_args__ = (CheckConstraint("octet_length(overview) <= 96", name="overview_short"),)


class IdempotencyKeyRow(Row):
    """An Idempotency-Key and the recording that it refers to. The recording's row may no longer exist: its upload
    failed, and the key may be used again; or it was deleted after it was acknowledged.
    """

    __tablename__ = "idempotency_keys"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    fingerprint: Mapped[bytes]
    recording_id: Mapped[UUID]
    acknowledged: Mapped[bool] = mapped_column(server_default=false())
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (
        CheckConstraint("octet_length(fingerprint) = 32", name="fingerprint_is_sha256"),
        Index("idempotency_keys_created_at_idx", "created_at"),
    )


class JobLeaseRow(Row):
    """The lease of a job that one process at a time does. When it has expired, any process may take it."""

    __tablename__ = "job_leases"

    job: Mapped[str] = mapped_column(primary_key=True)
    lease_id: Mapped[UUID]
    lease_until: Mapped[datetime]
