"""Values that people type: those with one meaning are brought into their normal form, all others are refused."""

import string

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from environments import with_environment
from pigwav.errors import NotConfigured
from pigwav.settings import effective, misspelled
from pigwav.settings.addresses import (
    read_bind,
    read_host,
    read_http_url,
    read_networks,
    read_origins,
    read_path_prefix,
)
from pigwav.settings.s3_names import read_bucket, read_region

NORMAL = [
    ("PIGWAV_PUBLIC_URL", "https://voice.example.org/", "https://voice.example.org"),
    ("PIGWAV_PUBLIC_URL", " https://voice.example.org/x/ \r\n", "https://voice.example.org/x"),
    ("PIGWAV_PUBLIC_URL", "HTTPS://Voice.Example.org:443", "https://voice.example.org"),
    ("PIGWAV_PUBLIC_URL", "https://голос.рф", "https://xn--c1aqibp.xn--p1ai"),
    ("PIGWAV_PUBLIC_URL", "http://[::1]:8080", "http://[::1]:8080"),
    ("PIGWAV_CORS_ORIGINS", "https://app.example.org/", "https://app.example.org"),
    (
        "PIGWAV_CORS_ORIGINS",
        "HTTPS://App.example.org:443, http://localhost:3000/",
        "https://app.example.org,http://localhost:3000",
    ),
    ("PIGWAV_CORS_ORIGINS", "https://a.example https://b.example,", "https://a.example,https://b.example"),
    ("PIGWAV_CORS_ORIGINS", "https://a.example, *", "*"),
    ("PIGWAV_CORS_ORIGINS", "capacitor://localhost,null", "capacitor://localhost,null"),
    ("PIGWAV_TRUSTED_PROXIES", "10.0.0.5/8 ::1", "10.0.0.0/8,::1"),
    ("PIGWAV_TRUSTED_PROXIES", "*, 10.0.0.1", "*"),
    ("PIGWAV_ROOT_PATH", "voice/", "/voice"),
    ("PIGWAV_OPERATOR_BIND", " 127.0.0.1:9100\r", "127.0.0.1:9100"),
    ("PIGWAV_OPERATOR_BIND", "LocalHost:09100", "localhost:9100"),
    ("PIGWAV_OPERATOR_BIND", "[0:0::1]:9100", "[::1]:9100"),
    ("PIGWAV_OPERATOR_BIND", "0.0.0.0:9100", "0.0.0.0:9100"),
    ("API_HOSTNAME", "Voice.example.org", "voice.example.org"),
    ("API_HOSTNAME", "::1", "[::1]"),
    ("API_HOSTNAME", "[2001:DB8::1]", "[2001:db8::1]"),
    ("API_HOSTNAME", "голос.рф", "xn--c1aqibp.xn--p1ai"),
    ("API_PORT", " 8080\r", "8080"),
    ("PIGWAV_S3_ENDPOINT", "http://minio:9000/", "http://minio:9000"),
    ("PIGWAV_S3_ENDPOINT", "http://minio_container:9000", "http://minio_container:9000"),
    ("PIGWAV_S3_ENDPOINT", "https://abc.supabase.co/storage/v1/s3", "https://abc.supabase.co/storage/v1/s3"),
    ("PIGWAV_S3_BUCKET", "recordings\r", "recordings"),
    ("PIGWAV_S3_REGION", "\u00a0us-east-1 ", "us-east-1"),
    ("PIGWAV_S3_ACCESS_KEY", "AKIA123 \n", "AKIA123"),
    ("PIGWAV_LOG_LEVEL", "debug", "DEBUG"),
    ("PIGWAV_REGISTRATION", "Closed\r", "closed"),
    ("PIGWAV_PAGE", "Off", "off"),
    ("PIGWAV_JEMALLOC", " OFF ", "off"),
    ("PIGWAV_SWEEP_EVERY_S", " 5 ", "5"),
    ("PIGWAV_S3_ENDPOINT", " \t", ""),
]


@pytest.mark.parametrize(("name", "typed", "normal"), NORMAL)
def test_a_value_with_one_meaning_is_normalised(
    monkeypatch: pytest.MonkeyPatch, name: str, typed: str, normal: str
) -> None:
    settings = with_environment(monkeypatch, **{name: typed})

    assert {one.variables[0]: one.value for one in effective(settings)}[name] == normal


def test_a_secret_key_loses_its_line_end(monkeypatch: pytest.MonkeyPatch) -> None:
    secret = with_environment(monkeypatch, PIGWAV_S3_SECRET_KEY=" hush hush\r\n").store.secret_key

    assert secret is not None
    assert secret.get_secret_value() == "hush hush"


WRONG = [
    ("PIGWAV_JEMALLOC", "jemalloc", "'jemalloc' is not auto, off or the path of a file"),
    ("PIGWAV_JEMALLOC", "/no/such/library", "is not auto, off or the path of a file"),
    (
        "PIGWAV_PUBLIC_URL",
        "voice.example.org",
        "'voice.example.org' does not begin with http://",
    ),
    ("PIGWAV_PUBLIC_URL", "localhost:8080", "does not begin with http:// or https://"),
    ("PIGWAV_PUBLIC_URL", "https:/voice.example.org", "does not begin with http:// or https://"),
    ("PIGWAV_PUBLIC_URL", "https://", "and a host"),
    ("PIGWAV_PUBLIC_URL", "https:///voice", "and a host"),
    ("PIGWAV_PUBLIC_URL", "ftp://voice.example.org", "does not begin with http:// or https://"),
    (
        "PIGWAV_PUBLIC_URL",
        "https://me:hush@voice.example.org",
        "'https://***@voice.example.org' contains a user name",
    ),
    ("PIGWAV_PUBLIC_URL", "me:hush@voice.example.org", "'***@voice.example.org' does not begin"),
    (
        "PIGWAV_PUBLIC_URL",
        "https://voice.example.org?token=hush",
        "'https://voice.example.org?...' contains a query",
    ),
    ("PIGWAV_PUBLIC_URL", "https://voice.example.org/#hush", "contains a query or a fragment"),
    ("PIGWAV_PUBLIC_URL", "https://voice.example.org, https://b.example", "contains a blank"),
    ("PIGWAV_PUBLIC_URL", "https://voice.example.org:99999", "is not a URL: invalid port number"),
    ("PIGWAV_PUBLIC_URL", "https://voice..org", "has no valid host name"),
    ("PIGWAV_PUBLIC_URL", "https://voice.example.org:0", "has the port 0"),
    ("PIGWAV_PUBLIC_URL", '"https://voice.example.org"', "the value is in quotation marks"),
    ("PIGWAV_PUBLIC_URL", "https://voice.\nexample.org", "the value contains a line end"),
    ("PIGWAV_PUBLIC_URL", "https://voice\u200b.example.org", "an invisible character"),
    ("PIGWAV_CORS_ORIGINS", "https://app.example.org/app", "'https://app.example.org/app' has a path"),
    ("PIGWAV_CORS_ORIGINS", "app.example.org", "'app.example.org' has no scheme"),
    ("PIGWAV_CORS_ORIGINS", "localhost:3000", "has no scheme"),
    ("PIGWAV_CORS_ORIGINS", "https://*.example.org", "has a wildcard"),
    ("PIGWAV_CORS_ORIGINS", '["https://a.example"]', "has no scheme"),
    ("PIGWAV_CORS_ORIGINS", "https://a.example;https://b.example", "contains two schemes"),
    ("PIGWAV_TRUSTED_PROXIES", "nginx", "'nginx' is not an IP address or a network"),
    ("PIGWAV_TRUSTED_PROXIES", "10.0.0.0/33", "is not an IP address or a network"),
    ("PIGWAV_TRUSTED_PROXIES", "http://10.0.0.1", "is not an IP address or a network"),
    ("PIGWAV_ROOT_PATH", "https://voice.example.org/voice", "is not a path prefix, such as /voice"),
    ("PIGWAV_ROOT_PATH", "/voice/../x", "is not a path prefix"),
    (
        "PIGWAV_OPERATOR_BIND",
        "9100",
        "'9100' is not a host and a port; write it as 127.0.0.1:9100 or [::1]:9100",
    ),
    ("PIGWAV_OPERATOR_BIND", ":9100", "is not a host and a port"),
    ("PIGWAV_OPERATOR_BIND", "localhost", "is not a host and a port"),
    ("PIGWAV_OPERATOR_BIND", "::1:9100", "is not a host and a port"),
    ("PIGWAV_OPERATOR_BIND", "http://127.0.0.1:9100", "is not a host and a port"),
    ("PIGWAV_OPERATOR_BIND", "127.0.0.1:0", "has no port between 1 and 65535"),
    ("PIGWAV_OPERATOR_BIND", "127.0.0.1:65536", "has no port between 1 and 65535"),
    ("PIGWAV_OPERATOR_BIND", "127.1:9100", "'127.1' is not a host name"),
    ("PIGWAV_OPERATOR_BIND", "*:9100", "'*' is not a host name"),
    (
        "API_HOSTNAME",
        "https://voice.example.org",
        "'https://voice.example.org' is a URL; write only its host here",
    ),
    ("API_HOSTNAME", "voice.example.org:8080", "set the port in API_PORT"),
    ("API_HOSTNAME", "voice.example.org/", "is not a host name"),
    ("API_HOSTNAME", "voice example", "is not a host name"),
    ("API_HOSTNAME", "8080", "'8080' is not a host name"),
    ("API_HOSTNAME", "*", "'*' is not a host name"),
    ("PIGWAV_PUBLIC_URL", "https://https://voice.example.org", "contains two schemes"),
    ("API_PORT", "0", "must be greater than 0"),
    ("API_PORT", "65536", "must be at most 65535"),
    ("API_PORT", "8080:8080", "must be a whole number, but is '8080:8080'"),
    ("PIGWAV_S3_ENDPOINT", "minio:9000", "'minio:9000' does not begin with http:// or https:// and a host"),
    ("PIGWAV_S3_ENDPOINT", "http://root:hush@minio:9000", "contains a user name or a password"),
    ("PIGWAV_S3_ENDPOINT", "s3://recordings", "does not begin with http:// or https://"),
    ("PIGWAV_S3_BUCKET", "My_Bucket", "'My_Bucket' is not a name that S3 allows: 3 to 63"),
    ("PIGWAV_S3_BUCKET", "s3://recordings", "write only the bucket's name"),
    ("PIGWAV_S3_BUCKET", "recordings/voice", "write only the bucket's name"),
    ("PIGWAV_S3_BUCKET", "a..b", "is not a name that S3 allows"),
    ("PIGWAV_S3_BUCKET", "192.168.0.1", "not an IP address"),
    ("PIGWAV_S3_REGION", "US East (N. Virginia)", "is not a region; write its code, such as us-east-1"),
    ("PIGWAV_S3_ACCESS_KEY", "hush hush", "the key contains a blank"),
    ("PIGWAV_S3_ACCESS_KEY", "'hush'", "the value is in quotation marks"),
    ("PIGWAV_S3_SECRET_KEY", "hu\nsh", "the value contains a line end"),
    ("PIGWAV_S3_SECRET_KEY", '"hush"', "the value is in quotation marks"),
    ("PIGWAV_PROVISION_SECRET_KEY", "hu\rsh", "the value contains a line end"),
    ("PIGWAV_MAX_UPLOAD_BYTES", "100MB", "must be a whole number of bytes, but is '100MB'"),
    ("PIGWAV_MAX_UPLOAD_BYTES", "10 GiB", "must be a whole number of bytes, but is '10 GiB'"),
    ("PIGWAV_MAX_UPLOAD_BYTES", "-1", "must be greater than 0"),
    ("PIGWAV_IDLE_TIMEOUT_S", "5m", "must be a number of seconds, but is '5m'"),
    ("PIGWAV_LEASE_S", "1e300", "must be at most 31536000"),
    ("PIGWAV_QUOTA_BYTES", "9" * 30, "must be at most 9223372036854775807"),
    ("PIGWAV_BITRATE_MONO_KBPS", "64k", "must be a whole number of kb/s, but is '64k'"),
    ("PIGWAV_PAGE", "no", "must be 'on' or 'off', but is 'no'"),
    ("PIGWAV_REGISTRATION", "yes", "must be 'open' or 'closed', but is 'yes'"),
    ("PIGWAV_LOG_LEVEL", "warn", "must be 'DEBUG', 'INFO', 'WARNING' or 'ERROR', but is 'warn'"),
]


@pytest.mark.parametrize(("name", "typed", "told"), WRONG)
def test_a_value_that_cannot_work_is_refused_by_one_sentence_without_secrets(
    monkeypatch: pytest.MonkeyPatch, name: str, typed: str, told: str
) -> None:
    with pytest.raises(NotConfigured) as refused:
        with_environment(monkeypatch, **{name: typed})

    sentence = str(refused.value)
    assert sentence.startswith(name)
    assert told in sentence
    assert sentence.endswith(".")
    assert "\n" not in sentence
    assert "hush" not in sentence


@pytest.mark.parametrize(
    ("endpoint", "refused"),
    [
        ("http://minio:9000/recordings", True),
        ("https://account.r2.cloudflarestorage.com/recordings/", True),
        ("https://recordings.s3.eu-central-1.amazonaws.com", True),
        ("https://s3.example.org/tenant", False),
        ("https://recordings.example.org", False),
    ],
)
def test_the_bucket_is_named_once(monkeypatch: pytest.MonkeyPatch, endpoint: str, *, refused: bool) -> None:
    environment = {"PIGWAV_S3_ENDPOINT": endpoint, "PIGWAV_S3_BUCKET": "recordings"}
    if not refused:
        assert with_environment(monkeypatch, **environment).store.endpoint == endpoint
        return
    with pytest.raises(
        NotConfigured, match=r"^PIGWAV_S3_ENDPOINT contains the bucket, .*PIGWAV_S3_BUCKET.*\.$"
    ):
        with_environment(monkeypatch, **environment)


READERS = [
    read_bind,
    read_http_url,
    read_host,
    read_origins,
    read_networks,
    read_path_prefix,
    read_bucket,
    read_region,
]
LIKE_URLS = st.text(string.ascii_letters + string.digits + " .-_:/[]@?#%*\\,é\n", max_size=30)


@pytest.mark.parametrize("read", READERS, ids=lambda read: read.__name__)
@given(text=st.one_of(st.text(max_size=30), LIKE_URLS, LIKE_URLS.map("https://".__add__)))
@example(text="http://a/b/../../c//")
def test_a_normal_form_is_its_own_normal_form_and_anything_else_is_a_value_error(read, text: str) -> None:
    try:
        normal = read(text)
    except ValueError:
        return
    assert read(normal) == normal
    assert normal.isascii() or read is read_path_prefix
    assert not set(normal) & set(" \n\t\\?#")


@pytest.mark.parametrize(
    ("typed", "nearest"),
    [
        ("PIGWAV_PUBLICURL", "PIGWAV_PUBLIC_URL"),
        ("pigwav_public_uri", "PIGWAV_PUBLIC_URL"),
        ("PIGWAV_BUCKET", "PIGWAV_S3_BUCKET"),
        ("PIGWAV_CORS_ORIGIN", "PIGWAV_CORS_ORIGINS"),
        ("PIGWAV_S3_ACCESS_KEY_ID", "PIGWAV_S3_ACCESS_KEY"),
        ("POSTGRES_SQL_URI", "POSTGTRES_SQL_URI"),
        ("API_HOST", "API_HOSTNAME"),
    ],
)
def test_a_misspelled_setting_is_found(typed: str, nearest: str) -> None:
    assert [*misspelled({typed: "x"})] == [(typed, nearest)]


def test_other_variables_are_left_alone() -> None:
    kubernetes = ("SERVICE_HOST", "SERVICE_PORT", "PORT", "PORT_8080_TCP", "PORT_8080_TCP_ADDR")
    others = (
        "PIGWAV_URL",
        "PIGWAV_USER",
        "PIGWAV_TOKEN",
        "PIGWAV_S3_BUCKET",
        "pigwav_s3_bucket",
        "POSTGRES_USER",
    )
    names = (*(f"PIGWAV_{name}" for name in kubernetes), *others, "POSTGRES_PASSWORD", "API_KEY", "API_URL")

    assert [*misspelled(dict.fromkeys(names, "x"))] == []
