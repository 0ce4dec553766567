"""Every setting, read once from the environment (prefix PIGWAV_), frozen, and handed down in the piece needed."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final, TypeAlias

from pydantic import AfterValidator, AliasChoices, Field, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, SettingsConfigDict

from pigwav.allowances import read_rates
from pigwav.errors import NotConfigured

MIB = 1024 * 1024


class Registration(StrEnum):
    OPEN = "open"
    CLOSED = "closed"


class LogFormat(StrEnum):
    JSON = "json"
    CONSOLE = "console"


class LogLevel(StrEnum):
    DEBUG = "DEBUG"
    INFO = "INFO"
    WARNING = "WARNING"
    ERROR = "ERROR"


def _named(*names: str) -> AliasChoices:
    return AliasChoices(*names)


def _prefix(path: str) -> str:
    """However it was written: empty, or with a slash at its beginning and none at its end."""
    bare = path.strip().strip("/")
    return f"/{bare}" if bare else ""


def _readable(rates: str) -> str:
    try:
        read_rates(rates)
    except ValueError as error:
        raise PydanticCustomError("rates", "{reason}", {"reason": str(error)}) from error
    return rates


Rates: TypeAlias = Annotated[str, AfterValidator(_readable)]
"""`60/minute`, or several: `10/second;300/minute`. Empty: no bound."""


DEFAULT_EMBEDDED_PORTS: Final = "20000-31999"
"""Below the ports that Linux and macOS use for outgoing connections: a restart finds its ports free again."""


def read_port_range(text: str) -> range:
    """`20000-31999`, both included. Raises ValueError."""
    first, _, last = (part.strip() for part in text.partition("-"))
    if not (first.isdecimal() and last.isdecimal() and 0 < int(first) <= int(last) < 65_536):
        raise ValueError(f"{text!r} is no range of ports such as {DEFAULT_EMBEDDED_PORTS}")
    return range(int(first), int(last) + 1)


def _is_port_range(text: str) -> str:
    try:
        read_port_range(text)
    except ValueError as error:
        raise PydanticCustomError("ports", "{reason}", {"reason": str(error)}) from error
    return text


class _Section(BaseSettings):
    model_config = SettingsConfigDict(
        env_prefix="PIGWAV_", env_ignore_empty=True, frozen=True, extra="ignore", populate_by_name=True
    )


class _NamedSection(_Section):
    """Each of its settings names its variable. By their own names they are no variables: PIGWAV_URL is the client's."""

    model_config = SettingsConfigDict(env_prefix="=")  # which the name of no variable has


class DatabaseSettings(_NamedSection):
    url: SecretStr | None = Field(
        None,
        validation_alias=_named("PIGWAV_DATABASE_URL", "POSTGTRES_SQL_URI"),
        description="Postgres, as postgresql://user:password@host:port/database.",
    )
    pool_size: int = Field(
        8,
        ge=2,
        validation_alias="PIGWAV_DATABASE_POOL",
        description="Database connections per process, and threads that wait on them.",
    )
    timeout_s: float = Field(
        10,
        gt=0,
        validation_alias="PIGWAV_DATABASE_TIMEOUT_S",
        description="Seconds to wait for a database connection or answer.",
    )


class StoreSettings(_NamedSection):
    """Configured means: the bucket is named."""

    endpoint: str | None = Field(
        None, validation_alias="PIGWAV_S3_ENDPOINT", description="URL of the S3 server; empty means AWS."
    )
    public_endpoint: str | None = Field(
        None,
        validation_alias="PIGWAV_S3_PUBLIC_ENDPOINT",
        description="URL under which people and S3 tools reach the same server.",
    )
    region: str = Field("us-east-1", validation_alias="PIGWAV_S3_REGION", description="S3 region.")
    bucket: str | None = Field(
        None, validation_alias="PIGWAV_S3_BUCKET", description="Bucket that holds the recordings."
    )
    access_key: str | None = Field(
        None, validation_alias="PIGWAV_S3_ACCESS_KEY", description="S3 access key."
    )
    secret_key: SecretStr | None = Field(
        None, validation_alias="PIGWAV_S3_SECRET_KEY", description="S3 secret key."
    )
    concurrency: int = Field(
        16,
        ge=1,
        validation_alias="PIGWAV_S3_CONCURRENCY",
        description="Blocking calls to the object store at a time, per process.",
    )
    timeout_s: float = Field(
        30,
        gt=0,
        validation_alias="PIGWAV_S3_TIMEOUT_S",
        description="Seconds to wait for the object store to connect or to answer.",
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


class ProvisionSettings(_NamedSection):
    """The operator's key. Nothing but `pigwav provision` reads it; the service's container does not have it."""

    access_key: str | None = Field(
        None,
        validation_alias="PIGWAV_PROVISION_ACCESS_KEY",
        description="The object store's root key, for `pigwav provision` alone; keep it from the service.",
    )
    secret_key: SecretStr | None = Field(
        None, validation_alias="PIGWAV_PROVISION_SECRET_KEY", description="Secret of that key."
    )


class UploadLimits(_Section):
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


class RateSettings(_NamedSection):
    """Each process counts for itself: with N of them, an allowance is up to N times as much."""

    requests_per_address: Rates = Field(
        "",
        validation_alias="PIGWAV_RATE_REQUESTS_PER_ADDRESS",
        description="Requests of one address (IPv6: /64), per process, as `10/second;300/minute`; empty: any number.",
    )
    requests_per_user: Rates = Field(
        "",
        validation_alias="PIGWAV_RATE_REQUESTS_PER_USER",
        description="Requests of one user, uploads included, per process; empty: any number.",
    )
    uploads_per_user: Rates = Field(
        "",
        validation_alias="PIGWAV_RATE_UPLOADS_PER_USER",
        description="Uploads of one user, per process, as `60/minute`; empty: any number.",
    )
    registrations_per_address: Rates = Field(
        "",
        validation_alias="PIGWAV_RATE_REGISTRATIONS_PER_ADDRESS",
        description="`POST /users` of one address, per process, as `20/hour`; empty: any number.",
    )


class DiskSettings(_NamedSection):
    folders: str = Field(
        "",
        validation_alias="PIGWAV_DISK_FOLDERS",
        description="Folders on this machine whose disks are watched, separated as in PATH; `pigwav up` watches its "
        "data folder.",
    )
    min_free_bytes: int = Field(
        1024 * MIB,
        ge=0,
        validation_alias="PIGWAV_MIN_FREE_BYTES",
        description="Bytes free on each of those disks, below which uploads are refused (507); 0: never.",
    )

    def paths(self) -> tuple[Path, ...]:
        """Raises NotConfigured for a folder that is not there."""
        paths = tuple(Path(folder) for folder in self.folders.split(os.pathsep) if folder)
        if missing := next((path for path in paths if not path.is_dir()), None):
            raise NotConfigured(f"PIGWAV_DISK_FOLDERS: there is no folder {missing}.")
        return paths


class EncoderSettings(_Section):
    bitrate_stereo_kbps: int = Field(
        128, description="MP3 bit rate of stereo, in kb/s, where the upload asks for none."
    )
    bitrate_mono_kbps: int = Field(64, description="MP3 bit rate of mono, in kb/s.")
    bitrate_low_stereo_kbps: int = Field(48, description="MP3 bit rate of stereo at 8 to 12 kHz, in kb/s.")
    bitrate_low_mono_kbps: int = Field(24, description="MP3 bit rate of mono at 8 to 12 kHz, in kb/s.")
    lame_quality: int = Field(3, ge=0, le=9, description="LAME's quality: 0 is best, 9 is fastest.")
    ffmpeg: Path | None = Field(
        None, description="ffmpeg program to decode with; empty means the bundled one."
    )


class HttpSettings(_Section):
    public_url: str | None = Field(
        None, description="Address that links begin with, such as https://voice.example.org."
    )
    api_hostname: str | None = Field(
        None,
        validation_alias="API_HOSTNAME",
        description="Host of the links, where PIGWAV_PUBLIC_URL is not set.",
    )
    api_port: int | None = Field(
        None, validation_alias="API_PORT", description="Port of the links, with API_HOSTNAME."
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
        description="Connections open at a time, per process; fewer where the limit of open files is low.",
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


class Settings(_Section):
    """The whole configuration. Sections are read from the same environment."""

    registration: Registration = Field(
        Registration.OPEN, description="open: POST /users registers anybody; closed: it answers 403."
    )
    sweep_every_s: float = Field(
        60, gt=0, description="Seconds between two sweeps of what failed uploads and deletions left."
    )
    retention_days: float | None = Field(
        None, gt=0, le=36_500, description="Days after which `sweep` removes a recording; empty: never."
    )
    idempotency_key_hours: float = Field(
        24, gt=0, le=876_000, description="Hours for which an upload's Idempotency-Key is remembered."
    )
    log_format: LogFormat = Field(LogFormat.JSON, description="json or console.")
    log_level: LogLevel = Field(LogLevel.INFO, description="DEBUG, INFO, WARNING or ERROR.")
    cpu_threads: int = Field(
        default_factory=lambda: os.cpu_count() or 1,
        gt=0,
        description="Blocks in the encoder at a time, per process; as many as cores.",
    )
    lane_wait_s: float = Field(
        10,
        gt=0,
        description="Seconds that a request waits for its turn at the database or the object store (503); where blocks "
        "wait longer for the encoder, no further upload is taken.",
    )
    embedded_ports: Annotated[str, AfterValidator(_is_port_range)] = Field(
        DEFAULT_EMBEDDED_PORTS,
        description="TCP ports of 127.0.0.1 of which the embedded S3 server takes ten that are free.",
    )
    database: DatabaseSettings = Field(default_factory=DatabaseSettings)
    store: StoreSettings = Field(default_factory=StoreSettings)
    provision: ProvisionSettings = Field(default_factory=ProvisionSettings)
    limits: UploadLimits = Field(default_factory=UploadLimits)
    rates: RateSettings = Field(default_factory=RateSettings)
    disk: DiskSettings = Field(default_factory=DiskSettings)
    encoder: EncoderSettings = Field(default_factory=EncoderSettings)
    http: HttpSettings = Field(default_factory=HttpSettings)

    def configured(self) -> bool:
        """Whether database and store come from outside; False where neither does. Raises NotConfigured for a half."""
        store = self.store
        given = (self.database.url, store.bucket, store.endpoint, store.access_key, store.secret_key)
        needed = {"PIGWAV_DATABASE_URL": self.database.url, "PIGWAV_S3_BUCKET": store.bucket}
        missing = [name for name, value in needed.items() if not value]
        if missing and any(given):
            raise NotConfigured(
                f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not set: configure both a database"
                " and an object store, or nothing of either to have both embedded."
            )
        store.key_pair()
        return not missing


def read_settings() -> Settings:
    """The environment's settings. Raises NotConfigured, which names the setting that is wrong."""
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        name = str(first["loc"][0])
        variable = name if name.isupper() else f"PIGWAV_{name.upper()}"
        raise NotConfigured(f"{variable}: {first['msg']}.") from error


HIDDEN: Final = "***"
_CREDENTIALS: Final = re.compile(r"(?<=//).*@")  # greedy: better too much than half a password


@dataclass(frozen=True)
class Effective:
    """A setting as it holds now. `value` and `default` are as one writes them into the environment, "" is "not set";
    a secret is `***`.
    """

    variables: tuple[str, ...]
    value: str
    default: str
    description: str


def effective(section: _Section) -> Iterator[Effective]:
    """Every setting of `section` and of the sections in it."""
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        if isinstance(value, _Section):
            yield from effective(value)
        else:
            default = field.get_default(call_default_factory=True)
            yield Effective(
                variables_of(name, field), _shown(value), _shown(default), field.description or ""
            )


def variables_of(name: str, field: FieldInfo) -> tuple[str, ...]:
    """The environment variables that set a field, the one that wins first."""
    alias = field.validation_alias
    if isinstance(alias, AliasChoices):
        return tuple(map(str, alias.choices))
    return (str(alias or f"PIGWAV_{name.upper()}"),)


def _shown(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, SecretStr):
        return HIDDEN
    return f"{value:.15g}" if isinstance(value, float) else _CREDENTIALS.sub(f"{HIDDEN}@", str(value))
