"""Rotation of the S3 key as in the guide: the new key works in parallel to the old one."""

import httpx2
import pytest
from pydantic import SecretStr

from accounts import register
from minio_server import MinioServer
from pigwav.provisioning.provision import Provision
from pigwav.settings import Settings, StoreSettings
from serving import served


@pytest.fixture
def old(minio: MinioServer) -> StoreSettings:
    return minio.provisioned()


@pytest.fixture
def new(old: StoreSettings, minio: MinioServer) -> StoreSettings:
    rotated = {"access_key": f"{old.access_key}-2", "secret_key": SecretStr("another service secret")}
    changed = old.model_copy(update=rotated)
    steps = [*Provision(changed, minio.operator).run()]
    assert not [step for step in steps if step.state == "WRONG"]
    return changed


def test_both_keys_serve_until_the_old_one_is_removed(
    settings: Settings, old: StoreSettings, new: StoreSettings
) -> None:
    with (
        served(settings.model_copy(update={"store": old})) as before,
        served(settings.model_copy(update={"store": new})) as after,
    ):
        for storing, playing in ((before, after), (after, before)):
            with httpx2.Client(base_url=storing.url, timeout=30) as http:
                recording = register(http).recording()
            link = recording["url"].replace(storing.url, playing.url)
            assert len(httpx2.get(link, timeout=30).content) == recording["bytes"]
