"""boto3's client for a configured store. `translate_errors` converts its exceptions to ours."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlsplit

from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

from pigwav.errors import NotConfigured, StorageFull, StoreUnavailable
from pigwav.settings.redaction import shown
from pigwav.store import advice
from pigwav.store.connection import Connection

_FULL: Final = frozenset({"XMinioStorageFull", "XMinioAdminBucketQuotaExceeded", "QuotaExceeded"})
"""Error codes of a full store: MinIO's disk, MinIO's bucket quota, and the quotas of Ceph, versitygw and others."""


def open_client(connection: Connection, *, attempts: int, signed: bool = True) -> Any:
    """A boto3 S3 client; sends nothing yet. `signed` False: requests without credentials. Raises NotConfigured.

    Returns Any because boto3 makes a client's methods at run time.
    """
    proxies = {urlsplit(connection.endpoint).scheme: connection.proxy} if connection.proxy else {}
    config = Config(
        s3={"addressing_style": "path"},
        connect_timeout=connection.connect_timeout_s,
        read_timeout=connection.timeout_s,
        retries={"mode": "standard", "total_max_attempts": attempts},
        max_pool_connections=connection.concurrency,
        tcp_keepalive=True,
        proxies=proxies,
        # The endpoint already is the one that these choose.
        use_dualstack_endpoint=False,
        use_fips_endpoint=False,
        # We send Content-MD5, which every S3 server checks. boto3's CRCs cost a second pass; some servers refuse them.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    if not signed:
        config = config.merge(Config(signature_version=UNSIGNED))
    try:
        client = connection.session.client(
            "s3",
            endpoint_url=connection.endpoint,
            verify=str(connection.ca_bundle) if connection.ca_bundle else None,
            config=config,
        )
    except ValueError as error:
        raise NotConfigured(
            f"{connection.endpoint_source} is not a URL whose host has only letters, digits, hyphens and dots:"
            f" {shown(connection.endpoint)}"
        ) from error
    except BotoCoreError as error:
        raise NotConfigured(f"The object store cannot be used as configured: {error}") from error
    client.meta.events.register("before-parse.s3", _fail_without_body)
    client.meta.events.register_first("needs-retry.s3", partial(_advise, connection))
    return client


def _advise(
    connection: Connection,
    response: tuple[Any, dict[str, Any]] | None,
    caught_exception: Exception | None,
    **_: object,
) -> None:
    """Adds advice to an exception. Raises StoreUnavailable if the bucket is in another region.

    boto3 would follow a bucket to its region, and obstore would not: recordings could be written but not read.
    """
    if caught_exception is not None and (found := advice.on_failure(caught_exception, connection)):
        caught_exception.add_note(found)
    if response is None:
        return
    error, metadata = response[1].get("Error", {}), response[1]["ResponseMetadata"]
    right = error.get("Region") or metadata["HTTPHeaders"].get("x-amz-bucket-region")
    is_error = metadata["HTTPStatusCode"] >= HTTPStatus.MULTIPLE_CHOICES
    if is_error and right and right != connection.region:
        raise StoreUnavailable(
            f"The bucket is in the region {right}.", advice=advice.on_another_region(connection.region, right)
        )


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
        found = advice.ON_REFUSAL.get(error_code(error))
        raise (StorageFull if is_full else StoreUnavailable)(first_line(error), advice=found) from error
    except BotoCoreError as error:
        raise StoreUnavailable(first_line(error), advice=" ".join(notes(error)) or None) from error


def notes(error: Exception) -> list[str]:
    """The advice that a client of `open_client` has added to its exception."""
    return getattr(error, "__notes__", [])


def error_code(error: ClientError) -> str:
    """S3's error code; the HTTP status if the response has no body (HEAD)."""
    return error.response.get("Error", {}).get("Code", "")


def first_line(error: Exception) -> str:
    """The first line of a driver's message, without URLs: a URL with an object's key would be a link to it."""
    return re.sub(r"https?://\S+", "...", str(error).partition("\n")[0])
