"""The sections of the settings: each is handed to the part of the service that needs it."""

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
        8, ge=2, description="Database connections per process, and threads that wait on them."
    )
    timeout_s: float = Field(10, gt=0, description="Seconds to wait for a database connection or answer.")


class StoreSettings(Section):
    """Configured means: the bucket is named."""

    model_config = SettingsConfigDict(env_prefix="PIGWAV_S3_")

    endpoint: str | None = Field(None, description="URL of the S3 server; empty means AWS.")
    public_endpoint: str | None = Field(
        None, description="URL under which people and S3 tools reach the same server."
    )
    region: str = Field("us-east-1", description="S3 region.")
    bucket: str | None = Field(None, description="Bucket that holds the recordings.")
    access_key: str | None = Field(None, description="S3 access key.")
    secret_key: SecretStr | None = Field(None, description="S3 secret key.")
    concurrency: int = Field(
        16, ge=1, description="Blocking calls to the object store at a time, per process."
    )
    timeout_s: float = Field(
        30, gt=0, description="Seconds to wait for the object store to connect or to answer."
    )

    def with_keys_of(self, operator: "ProvisionSettings") -> "StoreSettings":
        """The same store, as its operator."""
        return self.model_copy(update={"access_key": operator.access_key, "secret_key": operator.secret_key})

    def key_pair(self) -> tuple[str, str] | None:
        """Access key and secret key; None where neither is set. Raises NotConfigured for a half."""
        access_key, secret = self.access_key, self.secret_key
        if (access_key is None) != (secret is None):
            raise NotConfigured("Set both of PIGWAV_S3_ACCESS_KEY and PIGWAV_S3_SECRET_KEY, or neither.")
        return (access_key, secret.get_secret_value()) if access_key and secret else None


class ProvisionSettings(Section):
    """The operator's key. Nothing but `pigwav provision` reads it; the service's container does not have it."""

    model_config = SettingsConfigDict(env_prefix="PIGWAV_PROVISION_")

    access_key: str | None = Field(
        None,
        description="The object store's root key, for `pigwav provision` alone; keep it from the service.",
    )
    secret_key: SecretStr | None = Field(None, description="Secret of that key.")


class UploadLimits(Section):
    max_upload_bytes: int = Field(4 * 1024 * MIB, gt=0, description="Largest WAV, in bytes.")
    max_duration_s: int = Field(12 * 3600, gt=0, description="Longest audio, in seconds.")
    max_open_uploads: int = Field(
        default_factory=lambda: min(1000, 250 * (os.cpu_count() or 1)),  # tests/bench/load.py
        gt=0,
        description="Uploads open at a time, per process; 250 for each core, at most 1000.",
    )
    max_open_uploads_per_user: int | None = Field(
        None, gt=0, description="Of these, uploads of one user (429); empty: any number."
    )
    max_buffered_bytes: int = Field(
        1024 * MIB,
        ge=16 * MIB,
        description="Bytes of MP3 that open uploads may hold, per process, before another one is refused.",
    )
    max_decoders: int = Field(
        32,
        gt=0,
        description="ffmpeg processes at a time, per process (for ADPCM, GSM, more than two channels, other rates than "
        "MP3's).",
    )
    idle_timeout_s: float = Field(
        30, gt=0, description="Seconds without a byte after which an upload is refused (408)."
    )
    quota_recordings: int | None = Field(
        None, gt=0, description="Recordings that one user may have, open uploads included; empty: any number."
    )
    quota_bytes: int | None = Field(
        None, gt=0, description="Bytes of MP3 that one user may have; empty: any number."
    )
    lease_s: float = Field(
        60, gt=0, description="Seconds after which an upload whose process vanished is given up and cleaned."
    )


def _checked_rates(rates: str) -> str:
    """Raises ValueError."""
    read_rates(rates)
    return rates


Rates: TypeAlias = Annotated[str, AfterValidator(_checked_rates)]
"""`60/minute`, or several: `10/second;300/minute`. Empty: no bound."""


class RateSettings(Section):
    """Each process counts for itself: with N of them, an allowance is up to N times as much."""

    model_config = SettingsConfigDict(env_prefix="PIGWAV_RATE_")

    requests_per_address: Rates = Field(
        "",
        description="Requests of one address (IPv6: /64), per process, as `10/second;300/minute`; empty: any number.",
    )
    requests_per_user: Rates = Field(
        "", description="Requests of one user, uploads included, per process; empty: any number."
    )
    uploads_per_user: Rates = Field(
        "", description="Uploads of one user, per process, as `60/minute`; empty: any number."
    )
    registrations_per_address: Rates = Field(
        "", description="`POST /users` of one address, per process, as `20/hour`; empty: any number."
    )


class DiskSettings(Section):
    model_config = SettingsConfigDict(env_prefix="PIGWAV_DISK_")

    folders: str = Field(
        "",
        description="Folders on this machine whose disks are watched, separated as in PATH; `pigwav up` watches its "
        "data folder.",
    )
    min_free_bytes: int = Field(
        1024 * MIB,
        ge=0,
        description="Bytes free on each of those disks, below which uploads are refused (507); 0: never.",
    )

    def paths(self) -> tuple[Path, ...]:
        """Raises NotConfigured for a folder that is not there."""
        paths = tuple(Path(folder) for folder in self.folders.split(os.pathsep) if folder)
        if missing := next((path for path in paths if not path.is_dir()), None):
            raise NotConfigured(f"PIGWAV_DISK_FOLDERS: there is no folder {missing}.")
        return paths


class EncoderSettings(Section):
    bitrate_stereo_kbps: int = Field(
        128, description="MP3 bit rate of stereo, in kb/s, if the upload names none."
    )
    bitrate_mono_kbps: int = Field(64, description="MP3 bit rate of mono, in kb/s.")
    bitrate_low_stereo_kbps: int = Field(48, description="MP3 bit rate of stereo at 8 to 12 kHz, in kb/s.")
    bitrate_low_mono_kbps: int = Field(24, description="MP3 bit rate of mono at 8 to 12 kHz, in kb/s.")
    lame_quality: int = Field(3, ge=0, le=9, description="LAME's quality: 0 is best, 9 is fastest.")
    ffmpeg: Path | None = Field(
        None, description="ffmpeg program to decode with; empty means the bundled one."
    )


class AddressSettings(Section):
    """The address that links use if PIGWAV_PUBLIC_URL is not set. The names are older than the prefix PIGWAV_."""

    model_config = SettingsConfigDict(env_prefix="API_")

    hostname: str | None = Field(None, description="Host of the links if PIGWAV_PUBLIC_URL is not set.")
    port: int | None = Field(None, description="Port of the links, with API_HOSTNAME.")


def _prefix(path: str) -> str:
    """However it was written: empty, or with a slash at its beginning and none at its end."""
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
        description="Addresses and networks whose X-Forwarded-For, -Proto, -Host are believed, comma-separated.",
    )
    cors_origins: Annotated[
        str, Field(description="Origins that browsers may call from, comma-separated; empty: none.")
    ] = ""
    grace_s: float = Field(
        30, ge=0, description="Seconds that open uploads get to finish when the service stops."
    )
    drain_s: float = Field(
        1,
        ge=0,
        description="Seconds between the signal to stop, from which on `/readyz` says 503 and no new upload is taken, "
        "and the end of listening; `pigwav up` does not wait.",
    )
    max_connections: int = Field(
        10_000,
        gt=0,
        description="Connections open at a time, per process; fewer if the limit of open files is low.",
    )
    max_header_bytes: int = Field(
        32 * 1024,
        ge=1024,
        description="Largest head of a request, in bytes (431); as much may surround a body (chunk extensions, "
        "trailers).",
    )
    header_timeout_s: float = Field(
        10, gt=0, description="Seconds in which a request's head must have come (408)."
    )
    keep_alive_s: int = Field(
        65, gt=0, description="Seconds that a connection is kept open between two requests."
    )
    max_open_downloads: int = Field(1000, gt=0, description="Downloads open at a time, per process.")
    listener_idle_s: float = Field(
        300, gt=0, description="Seconds without taking a byte after which a listener's connection is closed."
    )
