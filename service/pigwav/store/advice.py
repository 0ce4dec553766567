"""Which setting to change, and to what, if the store cannot be used because of a setting."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from botocore.exceptions import ConnectTimeoutError, EndpointConnectionError, ProxyConnectionError, SSLError

from pigwav.store.connection import Connection

_BUCKET: Final = "Set PIGWAV_S3_BUCKET to a bucket that exists (pigwav provision creates it)."
_ACCESS_KEY: Final = "Set PIGWAV_S3_ACCESS_KEY to a key that the store knows."

ON_REFUSAL: Final[Mapping[str, str]] = {
    "NoSuchBucket": _BUCKET,
    "InvalidBucketName": _BUCKET,
    "InvalidAccessKeyId": _ACCESS_KEY,
    "SignatureDoesNotMatch": "Set PIGWAV_S3_SECRET_KEY to the secret of PIGWAV_S3_ACCESS_KEY.",
    "ExpiredToken": "Renew AWS_SESSION_TOKEN and its keys, or set PIGWAV_S3_ACCESS_KEY and PIGWAV_S3_SECRET_KEY.",
    "InvalidToken": "Remove AWS_SESSION_TOKEN, or set PIGWAV_S3_ACCESS_KEY and PIGWAV_S3_SECRET_KEY.",
    "RequestTimeTooSkewed": "Correct the clock of this machine or of the store.",
    "AccessDenied": "Give PIGWAV_S3_ACCESS_KEY the policy that pigwav provision prints.",
}
"""By S3's error code."""


def on_another_region(configured: str, right: str) -> str:
    return f"Set PIGWAV_S3_REGION={right}; now it is {configured}."


def on_read(reason: str) -> str | None:
    """For obstore, whose errors name a cause only in their debug text."""
    if "CaUsedAsEndEntity" in reason:
        return "Give the store a certificate that is no authority's (basicConstraints CA:FALSE)."
    return None


def on_failure(error: Exception, connection: Connection) -> str | None:
    """For a request that got no response; None if no setting is likely to be the cause."""
    url = urlsplit(connection.endpoint)
    if isinstance(error, ProxyConnectionError):
        variable = f"{url.scheme.upper()}_PROXY"
        return f"Correct {variable}; or, to reach the store without a proxy, set NO_PROXY={connection.host}."
    if isinstance(error, SSLError):
        return _on_tls(str(error), connection)
    if isinstance(error, EndpointConnectionError | ConnectTimeoutError):
        return f"Set {connection.endpoint_source} to the store's address; now it is {_address(connection)}."
    return None


def _on_tls(reason: str, connection: Connection) -> str | None:
    source = connection.endpoint_source
    if "WRONG_VERSION_NUMBER" in reason or "record layer failure" in reason:
        return f"Set {source}=http://{_address(connection).partition('//')[2]}: the store does not speak TLS there."
    if "match" in reason:
        return f"Set {source} to a name that is in the store's certificate; now it is {_address(connection)}."
    if "CERTIFICATE_VERIFY_FAILED" in reason:
        return (
            "Set AWS_CA_BUNDLE to a PEM file with the certificate of the authority that issued the store's;"
            f" now it is {connection.ca_bundle}."
        )
    return None


def _address(connection: Connection) -> str:
    """The endpoint without credentials and path."""
    url = urlsplit(connection.endpoint)
    return f"{url.scheme}://{url.netloc.rpartition('@')[2]}"
