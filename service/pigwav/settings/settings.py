"""The whole configuration, frozen. Each part of the service gets only the section that it needs."""

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Self, TypeAlias

from pydantic import AfterValidator, Field

from pigwav.allocator import read_jemalloc
from pigwav.errors import NotConfigured
from pigwav.port_range import DEFAULT_EMBEDDED_PORTS, EMBEDDED_PORTS, read_port_range
from pigwav.settings.quantities import Seconds, Threads
from pigwav.settings.section import Section
from pigwav.settings.sections import (
    AddressSettings,
    DatabaseSettings,
    DiskSettings,
    EncoderSettings,
    HttpSettings,
    MigrateSettings,
    ProvisionSettings,
    RateSettings,
    StoreSettings,
    UploadLimits,
)


class Choice(StrEnum):
    """One of several words, in upper or lower case."""

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        return next((one for one in cls if one.casefold() == str(value).casefold()), None)


class Registration(Choice):
    OPEN = "open"
    CLOSED = "closed"


class Page(Choice):
    ON = "on"
    OFF = "off"


class LogFormat(Choice):
    JSON = "json"
    CONSOLE = "console"


class LogLevel(Choice):
    DEBUG = "DEBUG"
    INFO = "INFO"
    WARNING = "WARNING"
    ERROR = "ERROR"


def _large_enough(text: str) -> str:
    if len(read_port_range(text)) < EMBEDDED_PORTS:
        raise ValueError(f"{text!r} has fewer than the {EMBEDDED_PORTS} ports of the embedded S3 server")
    return text


PortRange: TypeAlias = Annotated[str, AfterValidator(_large_enough)]
Jemalloc: TypeAlias = Annotated[str, AfterValidator(read_jemalloc)]


class Settings(Section):
    """The whole configuration. Sections are read from the same environment."""

    registration: Registration = Field(
        Registration.OPEN, description="open: anybody may register with POST /users; closed: it returns 403."
    )
    page: Page = Field(
        Page.ON, description="on: browsers get a page at the service's address; off: only the API answers."
    )
    sweep_every_s: Seconds = Field(
        60, description="Seconds between two sweeps, which clean up after failed uploads and deletions."
    )
    retention_days: float | None = Field(
        None, gt=0, le=36_500, description="Days after which `sweep` deletes a recording; empty: never."
    )
    idempotency_key_hours: float = Field(
        24, gt=0, le=876_000, description="Hours for which an upload's Idempotency-Key is stored."
    )
    log_format: LogFormat = Field(LogFormat.JSON, description="json or console.")
    log_level: LogLevel = Field(LogLevel.INFO, description="DEBUG, INFO, WARNING or ERROR.")
    cpu_threads: Threads = Field(
        default_factory=lambda: os.cpu_count() or 1,
        description="Threads that encode, per process; the default is the number of cores.",
    )
    queue_timeout_s: Seconds = Field(
        10,
        description="Seconds that a request may wait in the queue for the database or the object store; then it gets "
        "503. If audio waits longer than this for the encoder, no further upload is accepted.",
    )
    postgres_bin: Path | None = Field(
        None,
        description="Folder with the programs (postgres, initdb) that `pigwav up` runs: Postgres 17 or later, of the "
        "same major version that created the data folder; empty means the embedded Postgres.",
    )
    embedded_ports: PortRange = Field(
        DEFAULT_EMBEDDED_PORTS,
        description="Range of TCP ports on 127.0.0.1; the embedded S3 server uses ten free ones.",
    )
    jemalloc: Jemalloc = Field(
        "auto",
        description="auto: the service's processes use jemalloc if the system has it; off: never; or the path of the "
        "library, such as /usr/lib/libjemalloc.so.2. MALLOC_CONF configures it.",
    )
    database: DatabaseSettings = Field(default_factory=DatabaseSettings)
    migrate: MigrateSettings = Field(default_factory=MigrateSettings)
    store: StoreSettings = Field(default_factory=StoreSettings)
    provision: ProvisionSettings = Field(default_factory=ProvisionSettings)
    limits: UploadLimits = Field(default_factory=UploadLimits)
    rates: RateSettings = Field(default_factory=RateSettings)
    disk: DiskSettings = Field(default_factory=DiskSettings)
    encoder: EncoderSettings = Field(default_factory=EncoderSettings)
    address: AddressSettings = Field(default_factory=AddressSettings)
    http: HttpSettings = Field(default_factory=HttpSettings)

    def configured(self) -> bool:
        """Whether an external database and store are configured. Raises NotConfigured if only one of them is."""
        store = self.store
        given = (self.database.url, store.bucket, store.endpoint, store.access_key, store.secret_key)
        needed = {"PIGWAV_DATABASE_URL": self.database.url, "PIGWAV_S3_BUCKET": store.bucket}
        missing = [name for name, value in needed.items() if not value]
        if missing and any(given):
            raise NotConfigured(
                f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not set: configure both a database"
                " and an object store, or neither to use the embedded ones."
            )
        store.key_pair()
        return not missing
