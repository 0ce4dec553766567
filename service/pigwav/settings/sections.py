"""The sections of the settings: each part of the service gets only the section that it needs."""

import os
from pathlib import Path
from typing import Annotated, Final, Self, TypeAlias
from urllib.parse import urlsplit

from pydantic import AfterValidator, AliasChoices, Field, SecretStr, model_validator
from pydantic_settings import SettingsConfigDict

from pigwav.errors import NotConfigured
from pigwav.rates import read_rates
from pigwav.settings.addresses import Bind, Host, HttpUrl, Networks, Origins, PathPrefix, host_and_port
from pigwav.settings.quantities import (
    LARGEST_BYTES,
    LARGEST_COUNT,
    LARGEST_S,
    BitRate,
    ByteCount,
    Count,
    Seconds,
    SecondsOrNone,
    Threads,
)
from pigwav.settings.s3_names import AccessKey, BucketName, Region
from pigwav.settings.section import Section

MIB: Final = 1024 * 1024


class DatabaseSettings(Section):
    model_config = SettingsConfigDict(env_prefix="PIGWAV_DATABASE_")

    url: SecretStr | None = Field(
        None,
        validation_alias=AliasChoices("PIGWAV_DATABASE_URL", "POSTGTRES_SQL_URI"),
        description="Postgres, as libpq's URI postgresql://user:password@host:port/database. The database's encoding "
        "must be UTF8. PgBouncer may be in between.",
    )
    pool_size: int = Field(
        8,
        ge=2,
        le=10_000,
        description="Database connections per process: a quarter for links, the others for all else, each with a "
        "thread.",
    )
    timeout_s: Seconds = Field(10, description="Seconds to wait for a database connection or a response.")

    @property
    def lookup_connections(self) -> int:
        """The connections in `pool_size` that the event loop itself uses, without a thread."""
        return max(1, self.pool_size // 4)

    @property
    def thread_connections(self) -> int:
        """The other connections in `pool_size`, and as many threads."""
        return self.pool_size - self.lookup_connections


class StoreSettings(Section):
    """The object store is configured if `bucket` is set."""

    model_config = SettingsConfigDict(env_prefix="PIGWAV_S3_")

    endpoint: HttpUrl | None = Field(
        None, description="URL of the S3 server; empty: AWS_ENDPOINT_URL_S3, else AWS_ENDPOINT_URL, else AWS."
    )
    public_endpoint: HttpUrl | None = Field(
        None, description="URL at which people and S3 tools reach the same server."
    )
    region: Region | None = Field(
        None, description="S3 region; empty: AWS_REGION, else AWS_DEFAULT_REGION, else us-east-1."
    )
    bucket: BucketName | None = Field(None, description="Bucket that holds the recordings.")
    access_key: AccessKey | None = Field(None, description="S3 access key.")
    secret_key: SecretStr | None = Field(None, description="S3 secret key.")
    concurrency: Threads = Field(
        16, description="Simultaneous blocking calls to the object store, per process."
    )
    timeout_s: Seconds = Field(
        30, description="Seconds to wait for a connection to the object store or a response."
    )

    @model_validator(mode="after")
    def _names_the_bucket_once(self) -> Self:
        """Raises ValueError if the endpoint contains the bucket: requests would name it twice."""
        url = urlsplit(self.endpoint or "")
        in_path = url.path.rpartition("/")[2] == self.bucket
        in_host = (url.hostname or "").startswith(f"{self.bucket}.s3")  # virtual-hosted-style addresses of S3
        if self.bucket and (in_path or in_host):
            raise ValueError(
                f"PIGWAV_S3_ENDPOINT contains the bucket, which PIGWAV_S3_BUCKET names already: {self.endpoint}. "
                f"Remove {self.bucket} from PIGWAV_S3_ENDPOINT"
            )
        return self

    def with_keys_of(self, operator: "ProvisionSettings") -> "StoreSettings":
        """The same store with the operator's keys."""
        return self.model_copy(update={"access_key": operator.access_key, "secret_key": operator.secret_key})

    def key_pair(self) -> tuple[str, str] | None:
        """Access key and secret key; None if neither is set. Raises NotConfigured if only one is set."""
        access_key, secret = self.access_key, self.secret_key
        if (access_key is None) != (secret is None):
            raise NotConfigured("Set both PIGWAV_S3_ACCESS_KEY and PIGWAV_S3_SECRET_KEY, or neither.")
        return (access_key, secret.get_secret_value()) if access_key and secret else None


class ProvisionSettings(Section):
    """The operator's key. Only `pigwav provision` uses it; the service's container does not have it."""

    model_config = SettingsConfigDict(env_prefix="PIGWAV_PROVISION_")

    access_key: AccessKey | None = Field(
        None,
        description="The object store's root key, only for `pigwav provision`; do not give it to the service.",
    )
    secret_key: SecretStr | None = Field(None, description="Secret key for PIGWAV_PROVISION_ACCESS_KEY.")


class MigrateSettings(Section):
    """The owner of the database's schema. Only `pigwav migrate` uses it; the service's container does not have it."""

    model_config = SettingsConfigDict(env_prefix="PIGWAV_MIGRATE_")

    database_url: SecretStr | None = Field(
        None,
        description="The same database as PIGWAV_DATABASE_URL, as the role that owns the schema, only for `pigwav "
        "migrate`; do not give it to the service. `migrate` then makes the role in PIGWAV_DATABASE_URL and lets it do "
        "the service's work only. Empty: `migrate` uses PIGWAV_DATABASE_URL.",
    )
    database_password: SecretStr | None = Field(
        None,
        description="The password for PIGWAV_MIGRATE_DATABASE_URL if the URL has none. Unlike in a URL, it may contain "
        "any characters.",
    )


class UploadLimits(Section):
    max_upload_bytes: ByteCount = Field(4 * 1024 * MIB, description="Largest WAV, in bytes.")
    max_duration_s: int = Field(12 * 3600, gt=0, le=LARGEST_S, description="Longest audio, in seconds.")
    max_open_uploads: Count = Field(
        default_factory=lambda: min(1000, 250 * (os.cpu_count() or 1)),  # tests/bench/load.py
        description="Maximum of open uploads, per process; the default is 250 per core, at most 1000.",
    )
    max_open_uploads_per_user: int | None = Field(
        None,
        gt=0,
        le=LARGEST_COUNT,
        description="Maximum of open uploads of one user, per process (429); empty: no limit.",
    )
    max_buffered_bytes: int = Field(
        1024 * MIB,
        ge=16 * MIB,
        le=LARGEST_BYTES,
        description="Bytes of audio in memory for open uploads (MP3 for the store, PCM for idle cores), per process, "
        "above which a new upload is refused.",
    )
    max_decoders: Count = Field(
        32,
        description="Maximum of ffmpeg processes, per process (for ADPCM, GSM, more than two channels, and sample "
        "rates that MP3 does not have).",
    )
    idle_timeout_s: Seconds = Field(
        30, description="Seconds without a received byte after which an upload fails (408)."
    )
    quota_recordings: int | None = Field(
        None,
        gt=0,
        le=LARGEST_COUNT,
        description="Maximum of recordings of one user, open uploads included; empty: no limit.",
    )
    quota_bytes: int | None = Field(
        None, gt=0, le=LARGEST_BYTES, description="Maximum of MP3 bytes of one user; empty: no limit."
    )
    lease_s: Seconds = Field(
        60,
        description="Seconds after which the work of a process that vanished is taken over: its uploads are aborted "
        "and cleaned up, and another process sweeps.",
    )


def _checked_rates(rates: str) -> str:
    """Raises ValueError."""
    read_rates(rates)
    return rates


Rates: TypeAlias = Annotated[str, AfterValidator(_checked_rates)]
"""`60/minute`, or several: `10/second;300/minute`. Empty: no limit."""


class RateSettings(Section):
    """Each process counts separately: N processes together may allow up to N times the rate."""

    model_config = SettingsConfigDict(env_prefix="PIGWAV_RATE_")

    requests_per_address: Rates = Field(
        "",
        description="Requests of one address (IPv6: /64), per process, such as `10/second;300/minute`; "
        "empty: no limit.",
    )
    requests_per_user: Rates = Field(
        "", description="Requests of one user, uploads included, per process; empty: no limit."
    )
    uploads_per_user: Rates = Field(
        "", description="Uploads of one user, per process, such as `60/minute`; empty: no limit."
    )
    registrations_per_address: Rates = Field(
        "", description="`POST /users` of one address, per process, such as `20/hour`; empty: no limit."
    )


class DiskSettings(Section):
    model_config = SettingsConfigDict(env_prefix="PIGWAV_DISK_")

    folders: str = Field(
        "",
        description="Folders on this machine whose disks are checked for free space, separated as in PATH; `pigwav up` "
        "checks its data folder.",
    )
    min_free_bytes: int = Field(
        1024 * MIB,
        ge=0,
        le=LARGEST_BYTES,
        description="Uploads are refused (507) if one of those disks has fewer bytes free; 0: never.",
    )

    def paths(self) -> tuple[Path, ...]:
        """Raises NotConfigured if a folder does not exist."""
        folders = (folder.strip() for folder in self.folders.split(os.pathsep))
        paths = tuple(Path(folder) for folder in folders if folder)
        if missing := next((path for path in paths if not path.is_dir()), None):
            raise NotConfigured(f"PIGWAV_DISK_FOLDERS: there is no folder {missing}.")
        return paths


class EncoderSettings(Section):
    bitrate_stereo_kbps: BitRate = Field(
        128, description="MP3 bit rate for stereo, in kb/s, if the upload does not set one."
    )
    bitrate_mono_kbps: BitRate = Field(64, description="MP3 bit rate for mono, in kb/s.")
    bitrate_low_stereo_kbps: BitRate = Field(
        48, description="MP3 bit rate for stereo at 8 to 12 kHz, in kb/s."
    )
    bitrate_low_mono_kbps: BitRate = Field(24, description="MP3 bit rate for mono at 8 to 12 kHz, in kb/s.")
    lame_quality: int = Field(3, ge=0, le=9, description="LAME's quality: 0 is best, 9 is fastest.")
    ffmpeg: Path | None = Field(None, description="ffmpeg program for decoding; empty means the bundled one.")


class AddressSettings(Section):
    """The address in links if PIGWAV_PUBLIC_URL is not set. The names are older than the prefix PIGWAV_."""

    model_config = SettingsConfigDict(env_prefix="API_")

    hostname: Host | None = Field(None, description="Host in links if PIGWAV_PUBLIC_URL is not set.")
    port: int | None = Field(None, gt=0, le=65_535, description="Port in links, with API_HOSTNAME.")


class HttpSettings(Section):
    public_url: HttpUrl | None = Field(
        None, description="Address that links begin with, such as https://voice.example.org."
    )
    root_path: PathPrefix = Field("", description="Path prefix that a proxy strips, such as /voice.")
    trusted_proxies: Networks = Field(
        "",
        description="Addresses and networks of proxies whose X-Forwarded-For, -Proto and -Host are trusted, "
        "comma-separated. Without it, all clients behind a proxy count as one address.",
    )
    operator_bind: Bind | None = Field(
        None,
        description="Address and port of a listener for operators, such as 127.0.0.1:9100 or [::1]:9100. It answers "
        "`/metrics`, `/healthz` and `/readyz` with details; the service's own port no longer answers `/metrics`.",
    )
    cors_origins: Origins = Field(
        "",
        description="Origins that browsers may call from, comma-separated, such as https://app.example.org; `*`: all; "
        "empty: none.",
    )
    grace_s: SecondsOrNone = Field(
        30, description="Seconds that open uploads have to finish when the service stops."
    )
    drain_s: SecondsOrNone = Field(
        1,
        description="Seconds from the signal to stop until the service stops listening. During this time `/readyz` "
        "returns 503 and new uploads are refused. `pigwav up` does not wait.",
    )
    max_connections: Count = Field(
        10_000,
        description="Maximum of open connections, per process; fewer if the limit on open files is low.",
    )
    max_header_bytes: int = Field(
        32 * 1024,
        ge=1024,
        le=16 * MIB,
        description="Largest request header, in bytes (431). The same limit applies to the framing of a body (chunk "
        "extensions, trailers).",
    )
    header_timeout_s: Seconds = Field(
        10, description="Seconds within which a request's header must arrive (408)."
    )
    keep_alive_s: int = Field(
        65, gt=0, le=LARGEST_S, description="Seconds that an idle connection stays open between two requests."
    )
    max_open_downloads: Count = Field(1000, description="Maximum of open downloads, per process.")
    listener_idle_s: Seconds = Field(
        300,
        description="Seconds after which a connection is closed if the client reads nothing of a response.",
    )

    def operator_address(self) -> tuple[str, int] | None:
        """Host and port of `operator_bind`; None if it is not set."""
        return host_and_port(self.operator_bind) if self.operator_bind else None
