"""The typed HTTP client, for programs and for the command line. It imports no server code."""

from pigwav.client.answers import (
    AudioWarning,
    ChannelLevels,
    Levels,
    Limits,
    Recording,
    Registered,
    Source,
    Tags,
    User,
)
from pigwav.client.async_client import AsyncPigWavClient
from pigwav.client.async_wavs import AsyncWavInput
from pigwav.client.client import PigWavClient
from pigwav.client.downloads import Downloaded, Offered
from pigwav.client.errors import (
    BadInput,
    ClientError,
    CredentialsMissing,
    DownloadBroken,
    DownloadInterrupted,
    InvalidAddress,
    InvalidProxy,
    NameTaken,
    NotAuthenticated,
    NotConnected,
    NotFound,
    OutputUnusable,
    Refused,
    TryLater,
    UnexpectedAnswer,
    Unreachable,
    WavChanged,
)
from pigwav.client.file_names import safe_name
from pigwav.client.retries import OnWait, wait_silently
from pigwav.client.service import DEFAULT_URL
from pigwav.client.transfer import Progress, no_progress
from pigwav.client.waveforms import Waveform
from pigwav.client.wavs import WavInput

__all__ = [
    "DEFAULT_URL",
    "AsyncPigWavClient",
    "AsyncWavInput",
    "AudioWarning",
    "BadInput",
    "ChannelLevels",
    "ClientError",
    "CredentialsMissing",
    "DownloadBroken",
    "DownloadInterrupted",
    "Downloaded",
    "InvalidAddress",
    "InvalidProxy",
    "Levels",
    "Limits",
    "NameTaken",
    "NotAuthenticated",
    "NotConnected",
    "NotFound",
    "Offered",
    "OnWait",
    "OutputUnusable",
    "PigWavClient",
    "Progress",
    "Recording",
    "Refused",
    "Registered",
    "Source",
    "Tags",
    "TryLater",
    "UnexpectedAnswer",
    "Unreachable",
    "User",
    "WavChanged",
    "WavInput",
    "Waveform",
    "no_progress",
    "safe_name",
    "wait_silently",
]
