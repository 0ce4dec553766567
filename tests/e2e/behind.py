"""Direct access to the database and the store of a running `pigwav up`: rows, objects, open multipart uploads."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import psycopg2
from botocore.config import Config

from pigwav.devstack import StackAddress, running


@dataclass(frozen=True)
class Behind:
    """`s3`: a boto3 client, which a test may also use to damage objects."""

    address: StackAddress
    s3: Any

    @property
    def bucket(self) -> str:
        return self.address.s3_bucket

    def states(self) -> list[str]:
        """The states of all rows of recordings."""
        with closing(psycopg2.connect(self.address.database_url)) as database, database.cursor() as cursor:
            cursor.execute("SELECT state FROM recordings ORDER BY created_at")
            return [state for (state,) in cursor.fetchall()]

    def scrubbed(self) -> int:
        """The number of recordings that `scrub` has read back without error."""
        with closing(psycopg2.connect(self.address.database_url)) as database, database.cursor() as cursor:
            cursor.execute("SELECT count(scrubbed_at) FROM recordings")
            [(count,)] = cursor.fetchall()
            return int(count)

    def forget_levels(self, *recordings: str) -> None:
        """Makes the recordings as a release without levels and waveforms has left them."""
        with closing(psycopg2.connect(self.address.database_url)) as database, database.cursor() as cursor:
            ids = (list(recordings),)
            cursor.execute("UPDATE recordings SET levels = NULL WHERE id = ANY(%s::uuid[])", ids)
            cursor.execute("DELETE FROM waveforms WHERE recording_id = ANY(%s::uuid[])", ids)
            database.commit()

    def objects(self, user: int | None = None) -> list[str]:
        """The keys of the user's MP3s, or of all MP3s."""
        prefix = "recordings/" if user is None else f"recordings/{user}/"
        listing = self.s3.list_objects_v2(Bucket=self.bucket, Prefix=prefix)
        return [found["Key"] for found in listing.get("Contents", [])]

    def open_uploads(self) -> list[str]:
        """Keys of the multipart uploads that are neither completed nor aborted."""
        return [found["Key"] for found in self._open_uploads()]

    def parts_sent(self) -> list[int]:
        """The part numbers of all open uploads."""
        return [
            part["PartNumber"]
            for upload in self._open_uploads()
            for part in self._parts(upload["Key"], upload["UploadId"])
        ]

    def _open_uploads(self) -> list[dict[str, Any]]:
        return self.s3.list_multipart_uploads(Bucket=self.bucket).get("Uploads", [])

    def _parts(self, key: str, upload_id: str) -> list[dict[str, Any]]:
        return self.s3.list_parts(Bucket=self.bucket, Key=key, UploadId=upload_id).get("Parts", [])


@contextmanager
def behind(data: Path) -> Iterator[Behind]:
    """Access to the `pigwav up` that runs on this folder, with the keys from its run.json."""
    address = running(data)
    assert address, f"no `pigwav up` runs on {data}"
    with behind_address(address) as opened:
        yield opened


@contextmanager
def behind_address(address: StackAddress) -> Iterator[Behind]:
    client = boto3.client(
        "s3",
        endpoint_url=address.s3_endpoint,
        region_name="us-east-1",
        aws_access_key_id=address.s3_access_key,
        aws_secret_access_key=address.s3_secret_key,
        config=Config(s3={"addressing_style": "path"}),
    )
    with closing(client):
        yield Behind(address, client)
