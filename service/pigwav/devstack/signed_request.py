"""A request to S3 with the standard library only: the supervisor has no other use for a driver, which takes 25 MiB."""

import hashlib
import hmac
import http.client
from datetime import UTC, datetime
from functools import reduce
from urllib.parse import quote, urlsplit

from pigwav.settings import StoreSettings


def answers(settings: StoreSettings, method: str, key: str, body: bytes = b"", *, timeout_s: float) -> bool:
    """Whether the server accepts this request for an object. `settings` has an endpoint, a region and keys."""
    address = urlsplit(settings.endpoint or "")
    path = quote(f"/{settings.bucket}/{key}")
    headers = _signed(settings, method, address.netloc, path, body)
    connection = http.client.HTTPConnection(address.netloc, timeout=timeout_s)
    try:
        connection.request(method, path, body, headers)
        return connection.getresponse().status < http.client.BAD_REQUEST
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _signed(settings: StoreSettings, method: str, host: str, path: str, body: bytes) -> dict[str, str]:
    """Signature version 4: https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html"""
    access_key, secret_key = settings.key_pair() or ("", "")
    time = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    headers = {"host": host, "x-amz-content-sha256": hashlib.sha256(body).hexdigest(), "x-amz-date": time}
    names = ";".join(headers)
    lines = [f"{name}:{value}" for name, value in headers.items()]
    request = "\n".join([method, path, "", *lines, "", names, headers["x-amz-content-sha256"]])
    scope = [time[:8], settings.region or "", "s3", "aws4_request"]
    text = "\n".join(
        ["AWS4-HMAC-SHA256", time, "/".join(scope), hashlib.sha256(request.encode()).hexdigest()]
    )
    signing_key = reduce(_hmac, scope, f"AWS4{secret_key}".encode())
    credential = "/".join([access_key, *scope])
    signature = _hmac(signing_key, text).hex()
    return headers | {
        "authorization": f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={names}, Signature={signature}"
    }


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")
