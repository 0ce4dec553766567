"""How to reach the configured store. It is found once, as botocore finds it, and given to both drivers.

Reads and small puts go through obstore, all other calls through boto3. If each looked for itself, they could find
different servers: obstore reads other environment variables, another NO_PROXY and the system's certificates.
"""

import os
import re
import ssl
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import boto3
import botocore.session
from botocore.exceptions import BotoCoreError
from botocore.httpsession import ProxyConfiguration, get_cert_path
from botocore.loaders import Loader, create_loader
from botocore.utils import get_environ_proxies

from pigwav.errors import NotConfigured
from pigwav.settings import StoreSettings
from pigwav.settings.redaction import shown

DEFAULT_REGION: Final = "us-east-1"
_CONNECT_TIMEOUT_S: Final = 5.0
_ENDPOINT_VARIABLES: Final = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
_PROXY: Final = re.compile(r"(https?:)?(//)?([^/\s@]+@)?([\w.-]+|\[[0-9a-f:]+\])(:\d+)?/?", re.IGNORECASE)
_THIS_MACHINE: Final = ("localhost", "127.0.0.1", "::1")
_ENDPOINTS: Final = {
    "partitions": [
        {
            "partition": "aws",
            "dnsSuffix": "amazonaws.com",
            "regionRegex": ".*",
            "regions": {},
            "defaults": {"hostname": "{service}.{region}.{dnsSuffix}", "signatureVersions": ["v4"]},
            "services": {
                "s3": {
                    "defaults": {"signatureVersions": ["s3v4"]},
                    "endpoints": {"aws-global": {"credentialScope": {"region": "us-east-1"}}},
                    "partitionEndpoint": "aws-global",
                }
            },
        }
    ]
}
"""In the format of botocore's endpoints.json."""
_BUNDLES: Final = ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")


@dataclass(frozen=True)
class Connection:
    """`session` has the credentials and renews those that expire. `endpoint_source`: the setting that the endpoint is
    from. `ca_bundle`: a PEM file; None without TLS.
    """

    session: boto3.Session
    endpoint: str
    endpoint_source: str
    region: str
    ca_bundle: Path | None
    proxy: str | None
    connect_timeout_s: float
    timeout_s: float
    concurrency: int

    @property
    def host(self) -> str:
        return urlsplit(self.endpoint).hostname or ""


def connection_to(settings: StoreSettings) -> Connection:
    """Our settings come first, then AWS's environment variables, then its configuration file; sends nothing.

    If the settings have no access key, uses the first credentials that botocore finds; a machine's role is asked.
    Raises NotConfigured.
    """
    access_key, secret_key = settings.key_pair() or (None, None)
    try:
        core = botocore.session.get_session()
        region = _region(settings, core)
        core.set_config_variable("region", region)
        session = boto3.Session(access_key, secret_key, botocore_session=core)
        data_path = core.get_config_variable("data_path")
        is_complete = bool(settings.endpoint and access_key)
        core.register_component("data_loader", _s3_alone(data_path) if is_complete else _models(data_path))
        source, endpoint = _endpoint(settings, session)
        found = session.get_credentials()
    except (BotoCoreError, ValueError) as error:
        raise NotConfigured(f"The object store cannot be used as configured: {error}") from error
    if not endpoint.startswith(("http://", "https://")):
        raise NotConfigured(f"{source} is not an http:// or https:// URL: {shown(endpoint)}")
    if found is None:
        raise NotConfigured(
            "The object store needs credentials: set PIGWAV_S3_ACCESS_KEY and PIGWAV_S3_SECRET_KEY."
        )
    return Connection(
        session,
        endpoint,
        source,
        region,
        ca_bundle=_ca_bundle(core, urlsplit(endpoint).hostname or "")
        if endpoint.startswith("https://")
        else None,
        proxy=_proxy(endpoint),
        connect_timeout_s=min(_CONNECT_TIMEOUT_S, settings.timeout_s),
        timeout_s=settings.timeout_s,
        concurrency=settings.concurrency,
    )


@cache
def _models(data_path: str | None) -> Loader:
    """AWS's descriptions of its services, which all clients share: each would parse 0.1 s and hold some megabytes."""
    return create_loader(data_path)


@cache
def _s3_alone(data_path: str | None) -> Loader:
    """For a store whose endpoint and credentials are configured: without the table of all endpoints of AWS, which holds
    7 MiB and would be asked only how S3 signs.
    """
    return _WithoutEndpoints(create_loader(data_path).search_paths, include_default_search_paths=False)


class _WithoutEndpoints(Loader):
    def load_data_with_path(self, name: str) -> Any:
        data, path = super().load_data_with_path("partitions" if name == "endpoints" else name)
        return (_ENDPOINTS if name == "endpoints" else data), path


def _region(settings: StoreSettings, core: botocore.session.Session) -> str:
    """AWS sets AWS_REGION in its containers, which botocore does not read."""
    region = settings.region or os.environ.get("AWS_REGION") or core.get_config_variable("region")
    return region or DEFAULT_REGION


def _endpoint(settings: StoreSettings, session: boto3.Session) -> tuple[str, str]:
    """The setting and its value. If ours is empty: AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL, AWS's configuration file, or
    AWS's own address in the region.
    """
    if settings.endpoint:
        return "PIGWAV_S3_ENDPOINT", settings.endpoint
    source = next(filter(os.environ.get, _ENDPOINT_VARIABLES), "PIGWAV_S3_ENDPOINT")
    try:
        return source, session.client("s3").meta.endpoint_url
    except ValueError:  # botocore's, for an invalid endpoint
        return source, os.environ.get(source, "")


def _proxy(endpoint: str) -> str | None:
    """The proxy to use for the endpoint: none for this machine, such as the embedded server.

    Raises NotConfigured for a proxy that the drivers cannot use.
    """
    url = urlsplit(endpoint)
    if url.hostname in _THIS_MACHINE:
        return None
    proxies = get_environ_proxies(endpoint)
    proxy: str | None = ProxyConfiguration(proxies).proxy_url_for(endpoint)
    if not proxy:
        return None
    if not _PROXY.fullmatch(proxies[url.scheme]):
        raise NotConfigured(
            f"{url.scheme.upper()}_PROXY must be the http:// or https:// URL of a proxy; to reach the object store"
            f" without it, set NO_PROXY={url.hostname}."
        )
    return proxy


def _ca_bundle(core: botocore.session.Session, host: str) -> Path:
    """A PEM file with the certificates to trust; botocore's own if none is configured. Raises NotConfigured.

    Only obstore would look at SSL_CERT_FILE. It also trusts the system's certificates, whatever is configured.
    """
    by_variable = {os.environ.get(name): name for name in reversed(_BUNDLES)}
    configured = core.get_config_variable("ca_bundle") or next(
        filter(None, map(os.environ.get, _BUNDLES)), None
    )
    path = str(configured or get_cert_path(verify=True))
    try:
        trusted = ssl.create_default_context(cafile=path).get_ca_certs()
    except OSError as error:
        raise NotConfigured(
            f"{by_variable.get(path, 'ca_bundle')} must be a PEM file with the certificates to trust, but {path}"
            f" cannot be used: {error.strerror}."
        ) from error
    own_names = {("DNS", host), ("IP Address", host)}
    if any(own_names.intersection(authority.get("subjectAltName", ())) for authority in trusted):
        raise NotConfigured(
            f"The certificate of {host} in {path} is the server's own and also an authority's (CA:TRUE), which obstore"
            " refuses. Make one that is no authority's: openssl req -x509 -addext"
            " basicConstraints=critical,CA:FALSE ..."
        )
    return Path(path)
