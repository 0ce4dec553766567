"""Clients and users of the running API."""

import httpx2
import pytest

from accounts import Account, register


@pytest.fixture
def account(http: httpx2.Client) -> Account:
    return register(http)


@pytest.fixture
def other_user(http: httpx2.Client) -> Account:
    return register(http)
