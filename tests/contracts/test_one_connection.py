"""boto3 and obstore use one Connection: both work, or both fail and the error names the setting."""

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, urlsplit

import pytest
from pydantic import SecretStr

from fakes.s3_server import answering, fictional
from forwarder import Forwarder, forwarding, self_signed
from needs import skip_or_fail
from pigwav.domain import ObjectKey
from pigwav.errors import NotConfigured, StoreUnavailable
from pigwav.settings import StoreSettings
from pigwav.store.base import ObjectHeaders, ObjectStore
from pigwav.store.boto import open_client
from pigwav.store.connection import connection_to
from pigwav.store.s3 import open_s3
from waiting import wait_until

KEY = ObjectKey("recordings/one-connection/a.mp3")
DEAD: Final = "http://127.0.0.1:9"
WORKS: Final = "works"

PROXIED, DIRECT = True, False
WITH_KEYS, WITHOUT_KEYS = True, False

later = partial(pytest.param, marks=pytest.mark.long)
"""A case that is unlikely to fail alone: every case opens the drivers anew."""

_DRIVERS_VARIABLES = re.compile("AWS_|(HTTPS?|ALL|NO)_PROXY|REQUESTS_CA|SSL_CERT", re.IGNORECASE)


@pytest.fixture(autouse=True)
def nothing_configured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in filter(_DRIVERS_VARIABLES.match, [*os.environ]):
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("openssl") is None:
        skip_or_fail("openssl", "openssl is not installed")
    return self_signed(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def over_tls(s3_settings: StoreSettings, certificate: Path) -> Iterator[StoreSettings]:
    """The embedded S3 server at an https:// endpoint whose certificate no system trusts."""
    with forwarding(s3_settings.endpoint, certificate=certificate) as tls:
        yield s3_settings.model_copy(update={"endpoint": tls.url})


@pytest.fixture(scope="module")
def elsewhere(s3_settings: StoreSettings) -> Iterator[StoreSettings]:
    """The embedded S3 server at an address that is not known as this machine's."""
    with forwarding(s3_settings.endpoint, host="127.0.0.2") as forwarder:
        yield s3_settings.model_copy(update={"endpoint": forwarder.url})


@pytest.fixture
def proxy(s3_settings: StoreSettings) -> Iterator[Forwarder]:
    with forwarding(s3_settings.endpoint) as forwarder:
        yield forwarder


def outcome(settings: StoreSettings) -> str:
    """WORKS, or why nothing works: the sentence at the start, or that of a write. Fails if only one driver works."""
    try:
        store = open_s3(settings, attempts=1)
    except NotConfigured as error:
        return str(error)
    with closing(store):
        return outcome_of(store)


def outcome_of(store: ObjectStore) -> str:
    checked, written, read = map(
        trouble,
        (
            store.check,
            lambda: store.put(KEY, b"abc", ObjectHeaders()),
            lambda: [*store.read_blocking(KEY, 0, 3)],
        ),
    )
    assert (checked is None) == (written is None) == (read is None), (checked, written, read)
    if written is None:
        return WORKS
    assert (checked or "").rpartition(". ")[2] == written.rpartition(". ")[2], "the same advice"
    return written


def trouble(call: Callable[[], object]) -> str | None:
    try:
        call()
    except StoreUnavailable as error:
        return str(error)
    return None


def configured(monkeypatch: pytest.MonkeyPatch, variables: Mapping[str, str], **known: str) -> None:
    """Sets the variables; `{name}` in a value is replaced. CONFIG is the content of AWS's configuration file."""
    for name, value in variables.items():
        text = value.format(**known)
        if name == "CONFIG":
            path = Path(os.environ["HOME"], "config")
            path.write_text(text)
            monkeypatch.setenv("AWS_CONFIG_FILE", str(path))
        else:
            monkeypatch.setenv(name, text)


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"AWS_CA_BUNDLE": "{ca}"}, WORKS),
        later({"REQUESTS_CA_BUNDLE": "{ca}"}, WORKS),
        ({"SSL_CERT_FILE": "{ca}"}, WORKS),
        ({"CONFIG": "[default]\nca_bundle = {ca}\n"}, WORKS),
        later({"AWS_CA_BUNDLE": "{ca}", "REQUESTS_CA_BUNDLE": "/no/such/file"}, WORKS),
        ({}, "Set AWS_CA_BUNDLE to a PEM file"),
        later({"AWS_CA_BUNDLE": "{other}"}, "Set AWS_CA_BUNDLE to a PEM file"),
        ({"AWS_CA_BUNDLE": "/no/such/file"}, "AWS_CA_BUNDLE must be a PEM file"),
        later({"REQUESTS_CA_BUNDLE": "{empty}"}, "REQUESTS_CA_BUNDLE must be a PEM file"),
        ({"CONFIG": "[default]\nca_bundle = /no/such/file\n"}, "ca_bundle must be a PEM file"),
    ],
)
def test_certificates(
    over_tls: StoreSettings,
    certificate: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    variables: Mapping[str, str],
    expected: str,
) -> None:
    (tmp_path / "empty").touch()
    other = self_signed(tmp_path) if "{other}" in variables.values() else ""
    configured(monkeypatch, variables, ca=str(certificate), other=str(other), empty=str(tmp_path / "empty"))

    assert expected in outcome(over_tls)


def test_tls_on_a_plain_port_and_a_name_that_the_certificate_lacks(
    s3_settings: StoreSettings,
    over_tls: StoreSettings,
    certificate: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_CA_BUNDLE", str(certificate))
    plain = s3_settings.endpoint.partition("//")[2]
    elsewhere = over_tls.endpoint.replace("127.0.0.1", "localhost")

    assert f"Set PIGWAV_S3_ENDPOINT=http://{plain}:" in outcome(at(s3_settings, f"https://{plain}"))
    assert "Set PIGWAV_S3_ENDPOINT to a name that is in the store's certificate" in outcome(
        at(over_tls, elsewhere)
    )


def test_a_self_signed_certificate_of_an_authority_is_refused(
    s3_settings: StoreSettings, tmp_path: Path, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """boto3 accepts such a server, and obstore does not."""
    authority = self_signed(tmp_path, authority=True)
    monkeypatch.setenv("AWS_CA_BUNDLE", str(authority))

    with forwarding(s3_settings.endpoint, certificate=authority) as tls:
        assert "basicConstraints=critical,CA:FALSE" in outcome(at(s3_settings, tls.url))


def at(settings: StoreSettings, endpoint: str | None) -> StoreSettings:
    return settings.model_copy(update={"endpoint": endpoint})


SERVICES = "[default]\nservices = here\n[services here]\ns3 =\n  endpoint_url = {s3}\n"


@pytest.mark.parametrize(
    ("endpoint", "variables", "expected"),
    [
        ("{s3}", {"AWS_ENDPOINT_URL": DEAD}, WORKS),
        ("{s3}", {"AWS_ENDPOINT_URL_S3": DEAD, "AWS_ENDPOINT": DEAD}, WORKS),
        later("{s3}/", {}, WORKS),
        (None, {"AWS_ENDPOINT_URL": "{s3}"}, WORKS),
        later(None, {"AWS_ENDPOINT_URL": DEAD, "AWS_ENDPOINT_URL_S3": "{s3}"}, WORKS),
        (None, {"CONFIG": SERVICES}, WORKS),
        (None, {"CONFIG": "[default]\nendpoint_url = {s3}\n", "AWS_ENDPOINT": DEAD}, WORKS),
        (
            DEAD,
            {"AWS_ENDPOINT_URL": "{s3}"},
            f"Set PIGWAV_S3_ENDPOINT to the store's address; now it is {DEAD}.",
        ),
        later(None, {"AWS_ENDPOINT_URL": DEAD}, "Set AWS_ENDPOINT_URL to the store's address"),
        (None, {"AWS_ENDPOINT_URL": "127.0.0.1:9"}, "AWS_ENDPOINT_URL is not an http:// or https:// URL"),
    ],
)
def test_endpoints(
    s3_settings: StoreSettings,
    monkeypatch: pytest.MonkeyPatch,
    endpoint: str | None,
    variables: Mapping[str, str],
    expected: str,
) -> None:
    s3 = s3_settings.endpoint
    configured(monkeypatch, variables, s3=s3)

    assert expected in outcome(at(s3_settings, endpoint and endpoint.format(s3=s3)))


@pytest.mark.parametrize(
    ("variables", "expected", "proxied"),
    [
        ({"HTTP_PROXY": "{proxy}"}, WORKS, PROXIED),
        later({"http_proxy": "{proxy}"}, WORKS, PROXIED),
        later({"HTTP_PROXY": "{proxy_host}"}, WORKS, PROXIED),
        later({"HTTP_PROXY": "{proxy}", "NO_PROXY": "example.org"}, WORKS, PROXIED),
        ({"HTTP_PROXY": "{proxy}", "NO_PROXY": "127.0.0.2"}, WORKS, DIRECT),
        ({"HTTP_PROXY": DEAD, "no_proxy": "example.org, 127.0.0.2"}, WORKS, DIRECT),
        ({"HTTP_PROXY": DEAD, "NO_PROXY": "*"}, WORKS, DIRECT),
        later({"HTTP_PROXY": DEAD, "NO_PROXY": "{s3_host}"}, WORKS, DIRECT),
        later({"HTTPS_PROXY": DEAD}, WORKS, DIRECT),
        ({"ALL_PROXY": DEAD}, WORKS, DIRECT),
        later({"all_proxy": "socks5://127.0.0.1:9"}, WORKS, DIRECT),
        (
            {"HTTP_PROXY": DEAD},
            "Correct HTTP_PROXY; or, to reach the store without a proxy, set NO_PROXY=127.0.0.2.",
            DIRECT,
        ),
        later({"HTTP_PROXY": DEAD, "NO_PROXY": "127.0.0.0/8"}, "set NO_PROXY=127.0.0.2", DIRECT),
        ({"HTTP_PROXY": "socks5://127.0.0.1:9"}, "HTTP_PROXY must be the http:// or https:// URL", DIRECT),
        later({"HTTP_PROXY": "a proxy"}, "HTTP_PROXY must be the http:// or https:// URL", DIRECT),
        later(
            {"HTTP_PROXY": "http://127.0.0.1:many"}, "HTTP_PROXY must be the http:// or https:// URL", DIRECT
        ),
    ],
)
def test_proxies(
    elsewhere: StoreSettings,
    proxy: Forwarder,
    monkeypatch: pytest.MonkeyPatch,
    variables: Mapping[str, str],
    expected: str,
    *,
    proxied: bool,
) -> None:
    hosts = {"s3_host": elsewhere.endpoint.partition("//")[2], "proxy_host": proxy.url.partition("//")[2]}
    configured(monkeypatch, variables, proxy=proxy.url, **hosts)

    assert expected in outcome(elsewhere)
    assert proxy.accepted == (3 if proxied else 0), "boto3's, and those of obstore for puts and for reads"


def test_no_proxy_is_asked_for_this_machine(
    s3_settings: StoreSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as the embedded server, on a machine whose environment names a proxy."""
    monkeypatch.setenv("HTTP_PROXY", DEAD)

    assert outcome(s3_settings) == WORKS


def without_keys(settings: StoreSettings) -> StoreSettings:
    return settings.model_copy(update={"access_key": None, "secret_key": None})


KEYS = {"AWS_ACCESS_KEY_ID": "{key}", "AWS_SECRET_ACCESS_KEY": "{secret}"}
PROFILE = "[profile pigwav]\naws_access_key_id = {key}\naws_secret_access_key = {secret}\n"
WRONG = {"AWS_ACCESS_KEY_ID": "wrong", "AWS_SECRET_ACCESS_KEY": "wrong"}


@pytest.mark.parametrize(
    ("has_keys", "variables", "expected"),
    [
        (WITH_KEYS, WRONG | {"AWS_SESSION_TOKEN": "stale"}, WORKS),
        (WITH_KEYS, {"AWS_SKIP_SIGNATURE": "true"}, WORKS),
        (WITHOUT_KEYS, KEYS, WORKS),
        (WITHOUT_KEYS, {"CONFIG": PROFILE, "AWS_PROFILE": "pigwav"}, WORKS),
        (WITHOUT_KEYS, WRONG, "Set PIGWAV_S3_ACCESS_KEY to a key that the store knows."),
        later(WITHOUT_KEYS, KEYS | {"AWS_SECRET_ACCESS_KEY": "x"}, "Set PIGWAV_S3_SECRET_KEY to the secret"),
        later(
            WITHOUT_KEYS,
            {"CONFIG": PROFILE, "AWS_PROFILE": "other"},
            "The config profile (other) could not be found",
        ),
        (WITHOUT_KEYS, {}, "set PIGWAV_S3_ACCESS_KEY and PIGWAV_S3_SECRET_KEY"),
    ],
)
def test_credentials(
    s3_settings: StoreSettings,
    monkeypatch: pytest.MonkeyPatch,
    variables: Mapping[str, str],
    expected: str,
    *,
    has_keys: bool,
) -> None:
    key, secret = s3_settings.key_pair()
    configured(monkeypatch, variables, key=key, secret=secret)

    assert expected in outcome(s3_settings if has_keys else without_keys(s3_settings))


def test_a_roles_credentials_are_renewed_for_both(
    s3_settings: StoreSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each driver asks before each request; botocore fetches new ones when the old ones end soon, as here."""
    key, secret = s3_settings.key_pair()
    role = {"AccessKeyId": key, "SecretAccessKey": secret, "Token": None}

    def credentials(_: bytes) -> bytes:
        ends = datetime.now(UTC) + timedelta(minutes=1)
        body = json.dumps(role | {"Expiration": ends.isoformat()})
        return f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}".encode()

    with answering(credentials) as url:
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", url)
        with closing(open_s3(without_keys(s3_settings), attempts=1)) as store:
            assert outcome_of(store) == WORKS
            role["SecretAccessKey"] = "rotated"
            wait_until(lambda: trouble(lambda: [*store.read_blocking(KEY, 0, 1)]) is not None)
            assert "PIGWAV_S3_SECRET_KEY" in outcome_of(store)
            role["SecretAccessKey"] = secret
            wait_until(lambda: trouble(lambda: [*store.read_blocking(KEY, 0, 1)]) is None)
            assert outcome_of(store) == WORKS


def in_region(region: str) -> Callable[[bytes], bytes]:
    """A server that accepts requests signed for its region and tells others its name, as MinIO and AWS do."""

    def answer(request: bytes) -> bytes:
        if f"/{region}/s3/aws4_request".encode() in request:
            dated = 'ETag: "900150983cd24fb0d6963f7d28e17f72"\r\nLast-Modified: Sun, 29 Nov 2026 12:00:00 GMT'
            if not request.startswith(b"GET"):
                return (
                    f"HTTP/1.1 200 OK\r\n{dated}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()
                )
            ranged = f"{dated}\r\nContent-Range: bytes 0-2/3\r\nContent-Length: 3"
            return f"HTTP/1.1 206 Partial Content\r\n{ranged}\r\nConnection: close\r\n\r\nabc".encode()
        error = f"<Code>AuthorizationHeaderMalformed</Code><Message>No.</Message><Region>{region}</Region>"
        body = f"<Error>{error}</Error>"
        head = f"HTTP/1.1 400 Bad Request\r\nx-amz-bucket-region: {region}\r\nConnection: close\r\n"
        return (
            f"{head}Content-Length: {len(body)}\r\n\r\n{'' if request.startswith(b'HEAD') else body}".encode()
        )

    return answer


@pytest.mark.parametrize(
    ("region", "variables", "expected"),
    [
        ("eu-west-9", {}, WORKS),
        later("eu-west-9", {"AWS_REGION": "other", "AWS_DEFAULT_REGION": "other"}, WORKS),
        (None, {"AWS_REGION": "eu-west-9", "AWS_DEFAULT_REGION": "other"}, WORKS),
        (None, {"AWS_DEFAULT_REGION": "eu-west-9"}, WORKS),
        later(None, {"CONFIG": "[default]\nregion = eu-west-9\n"}, WORKS),
        (None, {}, "Set PIGWAV_S3_REGION=eu-west-9; now it is us-east-1."),
        later(
            "us-west-1", {"AWS_REGION": "eu-west-9"}, "Set PIGWAV_S3_REGION=eu-west-9; now it is us-west-1."
        ),
        (None, {"AWS_REGION": "eu-north-1"}, "Set PIGWAV_S3_REGION=eu-west-9; now it is eu-north-1."),
    ],
)
def test_regions(
    monkeypatch: pytest.MonkeyPatch, region: str | None, variables: Mapping[str, str], expected: str
) -> None:
    configured(monkeypatch, variables)

    with answering(in_region("eu-west-9")) as endpoint:
        assert expected in outcome(fictional(endpoint).model_copy(update={"region": region}))


def test_without_an_endpoint_it_is_aws_in_the_region() -> None:
    settings = StoreSettings(
        bucket="bucket", access_key="a", secret_key=SecretStr("s"), region="eu-central-1"
    )
    assert connection_to(settings).endpoint == "https://s3.eu-central-1.amazonaws.com"


@pytest.mark.parametrize("region", ["us-east-1", "cn-north-1", "garage"])
@pytest.mark.parametrize("variable", [None, "AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT"])
def test_without_the_table_of_awss_endpoints_the_same_is_signed(
    region: str, variable: str | None, s3_settings: StoreSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The table is left out if endpoint and keys are configured; the configured endpoint is used in any case."""
    if variable:
        monkeypatch.setenv(variable, "true")
    settings = s3_settings.model_copy(update={"region": region, "endpoint": "http://store.example:9000"})
    connection = connection_to(settings)
    client = open_client(connection, attempts=1)
    loader = connection.session._session.get_component("data_loader")  # noqa: SLF001 - so that the title is true
    assert not loader.load_data_with_path("endpoints")[0]["partitions"][0]["regions"]
    url = urlsplit(client.generate_presigned_url("get_object", Params={"Bucket": "b", "Key": "k"}))
    query = parse_qs(url.query)
    assert (url.scheme, url.netloc, url.path) == ("http", "store.example:9000", "/b/k")
    assert query["X-Amz-Algorithm"] == ["AWS4-HMAC-SHA256"]
    [scope] = query["X-Amz-Credential"]
    assert scope.split("/")[2:] == [region, "s3", "aws4_request"]
