"""On a versioned bucket, sweep removes old versions or says why they stay, and doctor counts them."""

import asyncio
from collections.abc import Iterator

import pytest
from pydantic import SecretStr

from databases import fresh_database
from e2e.programs import run_pigwav
from factories import wav
from moto_server import MotoServer
from pigwav.settings import DatabaseSettings, Settings, StoreSettings
from pigwav.store.base import Kept
from pigwav.wiring import Services, open_services
from traces import Traces
from uploading import add


@pytest.fixture
def bucket(moto: MotoServer) -> StoreSettings:
    """A versioned bucket. Its key has the policy that provision prints, which does not allow to delete versions."""
    settings = moto.provisioned()
    enabled = {"Status": "Enabled"}
    moto.s3.put_bucket_versioning(Bucket=settings.bucket, VersioningConfiguration=enabled)
    return settings


@pytest.fixture
def versioned(settings: Settings, bucket: StoreSettings) -> Iterator[Services]:
    database = DatabaseSettings(url=SecretStr(fresh_database(settings.database.url.get_secret_value())))
    with open_services(settings.model_copy(update={"database": database, "store": bucket})) as opened:
        yield opened


def add_and_delete(services: Services) -> int:
    """The size of the deleted recording's MP3."""
    user, recording = add(services, wav(seconds=1))
    asyncio.run(services.delete_recording(recording.id, user))
    [stored] = services.sweep.store.list("recordings/")
    return stored.size_bytes


def test_sweep_removes_versions_where_the_key_may(
    moto: MotoServer, bucket: StoreSettings, versioned: Services
) -> None:
    moto.allow_more(bucket, "s3:DeleteObjectVersion")
    add_and_delete(versioned)

    swept = versioned.sweep()

    assert (swept.removed, swept.kept) == (1, {})
    assert "Versions" not in moto.s3.list_object_versions(Bucket=bucket.bucket)
    assert versioned.count_kept().versions == 0


def test_sweep_says_what_the_bucket_keeps_and_doctor_counts_it(versioned: Services) -> None:
    size_bytes = add_and_delete(versioned)

    swept, again = versioned.sweep(), versioned.sweep()

    assert (swept.removed, swept.kept) == (0, {Kept.NOT_PERMITTED: 1})
    assert (again.removed, again.kept) == (0, {}), "no second delete marker"
    assert Traces(versioned).rows() == 0
    assert 'pigwav_objects_kept_total{reason="not-permitted"} 1.0' in versioned.metrics.exposition().decode()
    kept = versioned.count_kept()
    assert (kept.versions, kept.size_bytes, kept.delete_markers) == (1, size_bytes, 1)
    assert kept.is_versioned


def test_a_key_that_may_not_list_versions_counts_nothing(
    moto: MotoServer, bucket: StoreSettings, versioned: Services
) -> None:
    moto.deny(bucket, "s3:ListBucketVersions")

    kept = versioned.count_kept()

    assert (kept.is_versioned, kept.counted) == (True, False)


def test_the_commands_say_so(versioned: Services, bucket: StoreSettings) -> None:
    size_bytes = add_and_delete(versioned)
    environment = {
        "PIGWAV_DATABASE_URL": versioned.settings.database.url.get_secret_value(),
        "PIGWAV_S3_ENDPOINT": bucket.endpoint,
        "PIGWAV_S3_BUCKET": bucket.bucket,
        "PIGWAV_S3_ACCESS_KEY": bucket.access_key,
        "PIGWAV_S3_SECRET_KEY": bucket.secret_key.get_secret_value(),
    }

    swept, doctor, as_json = (
        run_pigwav(*words, **environment) for words in (["sweep"], ["doctor"], ["doctor", "--json"])
    )

    assert "Removed: 0 recordings' bytes.\nNot removed: 1 deleted recordings' bytes, because" in swept.stdout
    assert "s3:DeleteObjectVersion" in swept.stdout
    assert f"Older versions in the bucket: 1 with {size_bytes} bytes, and 1 delete markers." in doctor.stdout
    assert (
        f"mc ilm rule add --noncurrent-expire-days 1 --expire-delete-marker ALIAS/{bucket.bucket}"
        in doctor.stdout
    )
    counted = f'"old_versions": {{"count": 1, "bytes": {size_bytes}, "delete_markers": 1}}'
    assert counted in as_json.stdout
    assert [ended.returncode for ended in (swept, doctor, as_json)] == [0, 0, 0]
