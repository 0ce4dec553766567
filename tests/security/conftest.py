"""One running API for all tests of this folder."""

from collections.abc import Iterator

import httpx2
import pytest

from accounts import Account, register
from pigwav.settings import Settings
from serving import ServedApi, served


@pytest.fixture(scope="session")
def api(settings: Settings) -> Iterator[ServedApi]:
    with served(settings) as running:
        yield running


@pytest.fixture(scope="session")
def http(api: ServedApi) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=api.url, timeout=30) as client:
        yield client


@pytest.fixture(scope="session")
def account(http: httpx2.Client) -> Account:
    return register(http)
