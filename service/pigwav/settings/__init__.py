"""All settings: read once from the environment (prefix PIGWAV_), frozen, and passed on section by section."""

from pigwav.settings.effective import Effective, effective
from pigwav.settings.port_range import DEFAULT_EMBEDDED_PORTS, read_port_range
from pigwav.settings.reading import read_settings
from pigwav.settings.sections import (
    AddressSettings,
    DatabaseSettings,
    DiskSettings,
    EncoderSettings,
    HttpSettings,
    ProvisionSettings,
    RateSettings,
    StoreSettings,
    UploadLimits,
)
from pigwav.settings.settings import LogFormat, LogLevel, Registration, Settings

__all__ = [
    "DEFAULT_EMBEDDED_PORTS",
    "AddressSettings",
    "DatabaseSettings",
    "DiskSettings",
    "Effective",
    "EncoderSettings",
    "HttpSettings",
    "LogFormat",
    "LogLevel",
    "ProvisionSettings",
    "RateSettings",
    "Registration",
    "Settings",
    "StoreSettings",
    "UploadLimits",
    "effective",
    "read_port_range",
    "read_settings",
]
