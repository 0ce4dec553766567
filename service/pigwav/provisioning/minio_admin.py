"""MinIO's users and policies, through the admin API that only MinIO and its forks have."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeAlias
from urllib.parse import urlsplit

from botocore.httpsession import ProxyConfiguration
from minio import MinioAdmin
from minio.credentials.providers import StaticProvider
from minio.error import MinioAdminException
from urllib3 import PoolManager, ProxyManager, Retry, Timeout
from urllib3.exceptions import HTTPError

from pigwav.errors import NotConfigured, StoreUnavailable
from pigwav.settings import StoreSettings
from pigwav.store.connection import Connection, connection_to

Policy: TypeAlias = dict[str, Any]

_ATTEMPTS: Final = 3
_MISSING: Final = ("XMinioAdminNoSuchUser", "XMinioAdminNoSuchPolicy")


class MinioUsers:
    """The admin API, called with the settings' key. Raises StoreUnavailable; see `is_refusal`."""

    def __init__(self, settings: StoreSettings) -> None:
        connection = connection_to(settings)
        url = urlsplit(connection.endpoint)
        access_key, secret_key = settings.key_pair() or ("", "")
        self._admin = MinioAdmin(
            endpoint=url.netloc,
            credentials=StaticProvider(access_key, secret_key),
            region=connection.region,
            secure=url.scheme == "https",
            http_client=_pool(connection),
        )

    def names(self) -> list[str]:
        with _translate_errors():
            return [*json.loads(self._admin.user_list())]

    def set_user(self, name: str, secret: str) -> None:
        """Creates the user, or sets the secret of an existing user; the user is enabled in both cases."""
        with _translate_errors():
            self._admin.user_add(name, secret)

    def remove_user(self, name: str) -> None:
        with _translate_errors():
            self._admin.user_remove(name)

    def policies_of(self, name: str) -> list[str]:
        """Names of the policies attached to this user; empty if there is no such user."""
        with _translate_errors():
            try:
                names: str = json.loads(self._admin.user_info(name)).get("policyName", "")
            except MinioAdminException as error:
                if _code(error) not in _MISSING:
                    raise
                return []
        return names.split(",") if names else []

    def attach_only(self, policy: str, name: str) -> None:
        """Attaches the policy to the user and detaches all others."""
        with _translate_errors():
            self._admin.policy_set(policy, user=name)

    def policy(self, name: str) -> Policy | None:
        with _translate_errors():
            try:
                policy: Policy = json.loads(self._admin.policy_info(name))
            except MinioAdminException as error:
                if _code(error) not in _MISSING:
                    raise
                return None
        return policy

    def set_policy(self, name: str, policy: Policy) -> None:
        with _translate_errors():
            self._admin.policy_add(name, policy=policy)

    def add_service_account(self, access_key: str, secret_key: str) -> None:
        with _translate_errors():
            self._admin.add_service_account(access_key=access_key, secret_key=secret_key)

    def remove_service_account(self, access_key: str) -> None:
        with _translate_errors():
            self._admin.delete_service_account(access_key)


def _pool(connection: Connection) -> PoolManager:
    options: dict[str, Any] = {
        "timeout": Timeout(connect=connection.connect_timeout_s, read=connection.timeout_s),
        "retries": Retry(_ATTEMPTS, backoff_factor=0.2, status_forcelist=[500, 502, 503, 504]),
        "ca_certs": str(connection.ca_bundle) if connection.ca_bundle else None,
    }
    if not connection.proxy:
        return PoolManager(**options)
    credentials = ProxyConfiguration().proxy_headers_for(connection.proxy)
    return ProxyManager(connection.proxy, proxy_headers=credentials, **options)


def open_users(settings: StoreSettings) -> MinioUsers | None:
    """The admin API with the operator's key; None if the server has no such API.

    Raises NotConfigured if the key may not use it.
    """
    if connection_to(settings).host.endswith((".amazonaws.com", ".amazonaws.com.cn")):
        return None
    users = MinioUsers(settings)
    try:
        users.policy("pigwav")  # any name: only the kind of answer matters
    except StoreUnavailable as error:
        if is_refusal(error):
            raise NotConfigured(
                f"PIGWAV_PROVISION_ACCESS_KEY has no administrator rights: {error}"
            ) from error
        return None  # the server works, since it has just answered S3 calls: it has no admin API
    return users


def is_refusal(error: StoreUnavailable) -> bool:
    """Whether MinIO said that the key may not do this."""
    return isinstance(error.__cause__, MinioAdminException) and _code(error.__cause__) == "AccessDenied"


@contextmanager
def _translate_errors() -> Iterator[None]:
    """Translates the SDK's and urllib3's exceptions. ValueError means that the answer is not JSON or not encrypted."""
    try:
        yield
    except MinioAdminException as error:
        message = _field("Message", str(error)) or str(error).partition("\n")[0]
        raise StoreUnavailable(message) from error
    except (HTTPError, ValueError) as error:
        raise StoreUnavailable(
            f"The answer does not match MinIO's admin API: {type(error).__name__}."
        ) from error


def _code(error: MinioAdminException) -> str:
    """The error code; empty if the answer is not MinIO's. The SDK has the answer only in the exception's message. MinIO
    answers in JSON; other S3 servers answer unknown paths in XML.
    """
    return _field("Code", str(error))


def _field(name: str, answer: str) -> str:
    found = re.search(rf'"{name}":"([^"]*)"', answer)
    return found[1] if found else ""
