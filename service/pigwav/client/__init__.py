"""The typed HTTP client. It imports nothing of the server."""

from pigwav.client.answers import Registered, Uploaded
from pigwav.client.client import PigWavClient
from pigwav.client.errors import ClientError

__all__ = ["ClientError", "PigWavClient", "Registered", "Uploaded"]
