"""Fixtures: both clients, and a running API."""

from collections.abc import Iterator

import pytest

from client.both import CLIENTS, OpenClient
from pigwav.settings import Settings
from serving import ServedApi, served


@pytest.fixture(params=CLIENTS)
def open_client(request: pytest.FixtureRequest) -> OpenClient:
    return CLIENTS[request.param]


@pytest.fixture(scope="module")
def api(settings: Settings) -> Iterator[ServedApi]:
    with served(settings) as running:
        yield running
