"""boto3's client for a configured store. `translate_errors` converts its exceptions to ours."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any, Final

import boto3
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

from pigwav.errors import NotConfigured, StorageFull, StoreUnavailable
from pigwav.settings import StoreSettings

CONNECT_TIMEOUT_S: Final = 5.0

_FULL: Final = frozenset({"XMinioStorageFull", "XMinioAdminBucketQuotaExceeded", "QuotaExceeded"})
"""Error codes of a full store: MinIO's disk, MinIO's bucket quota, and the quotas of Ceph, versitygw and others."""


def open_session(settings: StoreSettings) -> boto3.Session:
    """If the settings have no access key, uses the first credentials that boto3 finds. Raises NotConfigured."""
    if settings.endpoint and not settings.endpoint.startswith(("http://", "https://")):
        raise NotConfigured(f"PIGWAV_S3_ENDPOINT is not an http:// or https:// URL: {settings.endpoint}")
    access_key, secret_key = settings.key_pair() or (None, None)
    session = boto3.Session(
        aws_access_key_id=access_key, aws_secret_access_key=secret_key, region_name=settings.region
    )
    if session.get_credentials() is None:
        raise NotConfigured(
            "The object store needs credentials: set PIGWAV_S3_ACCESS_KEY and PIGWAV_S3_SECRET_KEY."
        )
    return session


def open_client(
    session: boto3.Session, settings: StoreSettings, *, attempts: int, signed: bool = True
) -> Any:
    """A boto3 S3 client; sends nothing yet. `signed` False: requests without credentials.

    Returns Any because boto3 makes a client's methods at run time.
    """
    config = Config(
        s3={"addressing_style": "path"},
        connect_timeout=min(CONNECT_TIMEOUT_S, settings.timeout_s),
        read_timeout=settings.timeout_s,
        retries={"mode": "standard", "total_max_attempts": attempts},
        max_pool_connections=settings.concurrency,
        tcp_keepalive=True,
        # We send Content-MD5, which every S3 server checks. boto3's CRCs cost a second pass; some servers refuse them.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    if not signed:
        config = config.merge(Config(signature_version=UNSIGNED))
    client = session.client("s3", endpoint_url=settings.endpoint or None, config=config)
    client.meta.events.register("before-parse.s3", _fail_without_body)
    return client


def _fail_without_body(operation_model: Any, response_dict: dict[str, Any], **_: object) -> None:
    """Turns a response that was cut off after its headers into a server error, which boto3 retries.

    boto3 would take it for an empty response: a list without entries, or a completed multipart upload.
    """
    body = response_dict["body"]
    if response_dict["status_code"] >= HTTPStatus.MULTIPLE_CHOICES or not isinstance(body, bytes):
        return
    output = operation_model.output_shape
    fields = output.members.values() if output else ()
    if any("location" not in field.serialization for field in fields) and not body.strip():
        response_dict["status_code"] = HTTPStatus.INTERNAL_SERVER_ERROR.value


@contextmanager
def translate_errors() -> Iterator[None]:
    """Converts boto3's exceptions to StoreUnavailable, or to StorageFull if the store reports that it is full."""
    try:
        yield
    except ParamValidationError:
        raise  # our own mistake: boto3 found the request malformed
    except ClientError as error:
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        is_full = status == HTTPStatus.INSUFFICIENT_STORAGE or error_code(error) in _FULL
        raise (StorageFull if is_full else StoreUnavailable)(first_line(error)) from error
    except BotoCoreError as error:
        raise StoreUnavailable(first_line(error)) from error


def error_code(error: ClientError) -> str:
    """S3's error code; the HTTP status if the response has no body (HEAD)."""
    return error.response.get("Error", {}).get("Code", "")


def first_line(error: Exception) -> str:
    """The first line of a driver's message, without URLs: a URL with an object's key would be a link to it."""
    return re.sub(r"https?://\S+", "...", str(error).partition("\n")[0])
