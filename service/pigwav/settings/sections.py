"""The sections of the settings: each part of the service gets only the section that it needs."""

import os
from pathlib import Path
from typing import Annotated, TypeAlias

from pydantic import AfterValidator, AliasChoices, Field, SecretStr
from pydantic_settings import SettingsConfigDict

from pigwav.errors import NotConfigured
from pigwav.rates import read_rates
from pigwav.settings.section import Section

MIB = 1024 * 1024


class DatabaseSettings(Section):
    model_config = SettingsConfigDict(env_prefix="PIGWAV_DATABASE_")

    url: SecretStr | None = Field(
        None,
        validation_alias=AliasChoices("PIGWAV_DATABASE_URL", "POSTGTRES_SQL_URI"),
        description="Postgres, as postgresql://user:password@host:port/database.",
    )
    pool_size: int = Field(
        8, ge=2, description="Database connections per process, and as many threads for queries."
    )
    timeout_s: float = Field(10, gt=0, description="Seconds to wait for a database connection or a response.")


class StoreSettings(Section):
    """The object store is configured if `bucket` is set."""

    model_config = SettingsConfigDict(env_prefix="PIGWAV_S3_")

    endpoint: str | None = Field(None, description="URL of the S3 server; empty means AWS.")
    public_endpoint: str | None = Field(
        None, description="URL at which people and S3 tools reach the same server."
    )
    region: str = Field("us-east-1", description="S3 region.")
    bucket: str | None = Field(None, description="Bucket that holds the recordings.")
    access_key: str | None = Field(None, description="S3 access key.")
    secret_key: SecretStr | None = Field(None, description="S3 secret key.")
    concurrency: int = Field(
        16, ge=1, description="Simultaneous blocking calls to the object store, per process."
    )
    timeout_s: float = Field(
        30, gt=0, description="Seconds to wait for a connection to the object store or a response."
    )

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

    access_key: str | None = Field(
        None,
        description="The object store's root key, only for `pigwav provision`; do not give it to the service.",
    )
    secret_key: SecretStr | None = Field(None, description="Secret key for PIGWAV_PROVISION_ACCESS_KEY.")


class UploadLimits(Section):
    max_upload_bytes: int = Field(4 * 1024 * MIB, gt=0, description="Largest WAV, in bytes.")
    max_duration_s: int = Field(12 * 3600, gt=0, description="Longest audio, in seconds.")
    max_open_uploads: int = Field(
        default_factory=lambda: min(1000, 250 * (os.cpu_count() or 1)),  # tests/bench/load.py
        gt=0,
        description="Maximum of open uploads, per process; the default is 250 per core, at most 1000.",
    )
    max_open_uploads_per_user: int | None = Field(
        None, gt=0, description="Maximum of open uploads of one user, per process (429); empty: no limit."
    )
    max_buffered_bytes: int = Field(
        1024 * MIB,
        ge=16 * MIB,
        description="Bytes of MP3 in memory for open uploads, per process, above which a new upload is refused.",
    )
    max_decoders: int = Field(
        32,
        gt=0,
        description="Maximum of ffmpeg processes, per process (for ADPCM, GSM, more than two channels, and sample "
        "rates that MP3 does not have).",
    )
    idle_timeout_s: float = Field(
        30, gt=0, description="Seconds without a received byte after which an upload fails (408)."
    )
    quota_recordings: int | None = Field(
        None, gt=0, description="Maximum of recordings of one user, open uploads included; empty: no limit."
    )
    quota_bytes: int | None = Field(
        None, gt=0, description="Maximum of MP3 bytes of one user; empty: no limit."
    )
    lease_s: float = Field(
        60,
        gt=0,
        description="Seconds after which an upload whose process vanished is aborted and cleaned up.",
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
        description="Uploads are refused (507) if one of those disks has fewer bytes free; 0: never.",
    )

    def paths(self) -> tuple[Path, ...]:
        """Raises NotConfigured if a folder does not exist."""
        paths = tuple(Path(folder) for folder in self.folders.split(os.pathsep) if folder)
        if missing := next((path for path in paths if not path.is_dir()), None):
            raise NotConfigured(f"PIGWAV_DISK_FOLDERS: there is no folder {missing}.")
        return paths


class EncoderSettings(Section):
    bitrate_stereo_kbps: int = Field(
        128, description="MP3 bit rate for stereo, in kb/s, if the upload does not set one."
    )
    bitrate_mono_kbps: int = Field(64, description="MP3 bit rate for mono, in kb/s.")
    bitrate_low_stereo_kbps: int = Field(48, description="MP3 bit rate for stereo at 8 to 12 kHz, in kb/s.")
    bitrate_low_mono_kbps: int = Field(24, description="MP3 bit rate for mono at 8 to 12 kHz, in kb/s.")
    lame_quality: int = Field(3, ge=0, le=9, description="LAME's quality: 0 is best, 9 is fastest.")
    ffmpeg: Path | None = Field(None, description="ffmpeg program for decoding; empty means the bundled one.")


class AddressSettings(Section):
    """The address in links if PIGWAV_PUBLIC_URL is not set. The names are older than the prefix PIGWAV_."""

    model_config = SettingsConfigDict(env_prefix="API_")

    hostname: str | None = Field(None, description="Host in links if PIGWAV_PUBLIC_URL is not set.")
    port: int | None = Field(None, description="Port in links, with API_HOSTNAME.")


def _prefix(path: str) -> str:
    """The normal form of a path prefix: empty, or with a slash at its beginning and none at its end."""
    bare = path.strip().strip("/")
    return f"/{bare}" if bare else ""


class HttpSettings(Section):
    public_url: str | None = Field(
        None, description="Address that links begin with, such as https://voice.example.org."
    )
    root_path: Annotated[str, AfterValidator(_prefix)] = Field(
        "", description="Path prefix that a proxy strips, such as /voice."
    )
    trusted_proxies: str = Field(
        "",
        description="Addresses and networks of proxies whose X-Forwarded-For, -Proto and -Host are trusted, "
        "comma-separated.",
    )
    cors_origins: Annotated[
        str, Field(description="Origins that browsers may call from, comma-separated; empty: none.")
    ] = ""
    grace_s: float = Field(
        30, ge=0, description="Seconds that open uploads have to finish when the service stops."
    )
    drain_s: float = Field(
        1,
        ge=0,
        description="Seconds from the signal to stop until the service stops listening. During this time `/readyz` "
        "returns 503 and new uploads are refused. `pigwav up` does not wait.",
    )
    max_connections: int = Field(
        10_000,
        gt=0,
        description="Maximum of open connections, per process; fewer if the limit on open files is low.",
    )
    max_header_bytes: int = Field(
        32 * 1024,
        ge=1024,
        description="Largest request header, in bytes (431). The same limit applies to the framing of a body (chunk "
        "extensions, trailers).",
    )
    header_timeout_s: float = Field(
        10, gt=0, description="Seconds within which a request's header must arrive (408)."
    )
    keep_alive_s: int = Field(
        65, gt=0, description="Seconds that an idle connection stays open between two requests."
    )
    max_open_downloads: int = Field(1000, gt=0, description="Maximum of open downloads, per process.")
    listener_idle_s: float = Field(
        300,
        gt=0,
        description="Seconds after which a connection is closed if the client reads nothing of a response.",
    )
