"""A request to S3 with the standard library only: the supervisor has no other use for a driver, which takes 25 MiB."""

import hashlib
import hmac
import http.client
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import reduce
from typing import Final
from urllib.parse import quote, urlsplit

_ALGORITHM: Final = "AWS4-HMAC-SHA256"


@dataclass(frozen=True)
class SignedRequest:
    """A request for an object. The key signs it (signature version 4):
    https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html
    """

    endpoint: str
    region: str
    access_key: str
    secret_key: str = field(repr=False)
    method: str
    path: str
    body: bytes = b""

    def succeeds(self, *, timeout_s: float) -> bool:
        host = urlsplit(self.endpoint).netloc
        connection = http.client.HTTPConnection(host, timeout=timeout_s)
        try:
            connection.request(self.method, quote(self.path), self.body, self._headers(host))
            return connection.getresponse().status < http.client.BAD_REQUEST
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def _headers(self, host: str) -> dict[str, str]:
        digest = hashlib.sha256(self.body).hexdigest()
        now = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        signed = {"host": host, "x-amz-content-sha256": digest, "x-amz-date": now}
        names = ";".join(signed)
        lines = (f"{name}:{value}" for name, value in signed.items())
        canonical = "\n".join((self.method, quote(self.path), "", *lines, "", names, digest))
        scope = (now[:8], self.region, "s3", "aws4_request")
        text = "\n".join((_ALGORITHM, now, "/".join(scope), hashlib.sha256(canonical.encode()).hexdigest()))
        signature = _hmac(reduce(_hmac, scope, f"AWS4{self.secret_key}".encode()), text).hex()
        credential = "/".join((self.access_key, *scope))
        value = f"{_ALGORITHM} Credential={credential}, SignedHeaders={names}, Signature={signature}"
        return {**signed, "authorization": value}


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")
