"""boto3's client for a configured store. Its exceptions stop at `translate_errors`."""

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
"""MinIO's disk, MinIO's bucket quota, and the quotas of Ceph, versitygw and others."""


def open_session(settings: StoreSettings) -> boto3.Session:
    """Without an access key in the settings: the first credentials that boto3 finds. Raises NotConfigured."""
    if settings.endpoint and not settings.endpoint.startswith(("http://", "https://")):
        raise NotConfigured(f"PIGWAV_S3_ENDPOINT is no http:// or https:// URL: {settings.endpoint}")
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
    """Any: boto3 makes a client's methods at run time. Nothing is sent yet. Unsigned is without any key."""
    config = Config(
        s3={"addressing_style": "path"},
        connect_timeout=min(CONNECT_TIMEOUT_S, settings.timeout_s),
        read_timeout=settings.timeout_s,
        retries={"mode": "standard", "total_max_attempts": attempts},
        max_pool_connections=settings.concurrency,
        tcp_keepalive=True,
        # We send Content-MD5, which every S3 server checks; boto3's CRCs are a second pass that some refuse.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    if not signed:
        config = config.merge(Config(signature_version=UNSIGNED))
    client = session.client("s3", endpoint_url=settings.endpoint or None, config=config)
    client.meta.events.register("before-parse.s3", _fail_without_body)
    return client


def _fail_without_body(operation_model: Any, response_dict: dict[str, Any], **_: object) -> None:
    """An answer that was cut off behind its head counts as a server's error, which is tried again.

    boto3 would read it as an empty one: a list without entries, a completion that has succeeded.
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
    """boto3's exceptions become StoreUnavailable, or StorageFull if the store says so."""
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
    """S3's name for it; the bare status where the answer had no body, as to HEAD."""
    return error.response.get("Error", {}).get("Code", "")


def first_line(error: Exception) -> str:
    """What a driver says first, without the address: with its key it is as good as a link."""
    return re.sub(r"https?://\S+", "...", str(error).partition("\n")[0])
