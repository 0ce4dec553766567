"""The names in the settings of the object store: bucket, region, keys."""

import re
from typing import Annotated, Final, TypeAlias

from pydantic import AfterValidator

from pigwav.settings.addresses import is_ipv4
from pigwav.settings.redaction import quoted

_BUCKET: Final = re.compile(r"(?!.*\.\.)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_REGION: Final = re.compile(r"(?![0-9]+$)(?!-)[A-Za-z0-9-]{1,63}(?<!-)")


def read_bucket(text: str) -> str:
    """S3's "Bucket naming rules" for general purpose buckets. Raises ValueError with the reason."""
    if "/" in text:
        raise ValueError(f"{quoted(text)} is more than a name; write only the bucket's name, such as pigwav")
    if not _BUCKET.fullmatch(text) or is_ipv4(text):
        raise ValueError(
            f"{quoted(text)} is not a name that S3 allows: 3 to 63 lower-case letters, digits, dots and hyphens, "
            "first and last a letter or digit, not an IP address"
        )
    return text


def read_region(text: str) -> str:
    """A region is a label of a host name. Raises ValueError with the reason."""
    if not _REGION.fullmatch(text):
        raise ValueError(f"{quoted(text)} is not a region; write its code, such as us-east-1")
    return text


def read_access_key(text: str) -> str:
    """An access key is sent in a header. Raises ValueError with the reason, without the key."""
    if not re.fullmatch(r"[!-~]+", text):
        raise ValueError("the key contains a blank or a character that is not ASCII; copy it again")
    return text


BucketName: TypeAlias = Annotated[str, AfterValidator(read_bucket)]
Region: TypeAlias = Annotated[str, AfterValidator(read_region)]
AccessKey: TypeAlias = Annotated[str, AfterValidator(read_access_key)]
