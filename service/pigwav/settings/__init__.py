"""All settings: read once from the environment (prefix PIGWAV_), frozen, and passed on section by section."""

from pigwav.settings.addresses import read_http_url
from pigwav.settings.effective import Effective, effective
from pigwav.settings.misspelled import misspelled
from pigwav.settings.reading import read_settings
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
from pigwav.settings.settings import LogFormat, LogLevel, Page, Registration, Settings

__all__ = [
    "AddressSettings",
    "DatabaseSettings",
    "DiskSettings",
    "Effective",
    "EncoderSettings",
    "HttpSettings",
    "LogFormat",
    "LogLevel",
    "MigrateSettings",
    "Page",
    "ProvisionSettings",
    "RateSettings",
    "Registration",
    "Settings",
    "StoreSettings",
    "UploadLimits",
    "effective",
    "misspelled",
    "read_http_url",
    "read_settings",
]
