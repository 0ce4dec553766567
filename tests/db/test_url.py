"""The database's URL is read as libpq reads it, and other drivers' parameters are refused in one sentence."""

from contextlib import suppress
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg2.extensions import parse_dsn

from pigwav.db.url import connection_parameters
from pigwav.errors import NotConfigured

PART = st.text(st.characters(codec="utf-8", exclude_characters="\0", exclude_categories=("Cs",)), min_size=1)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://",
        "postgresql://h",
        "postgres://u:p@h:5433/d",
        "postgresql://a:1,b:2/d?target_session_attrs=read-write",
        "postgresql://u:p@[2001:db8::1]:5432,[::1]/d",
        "postgresql://%2Fvar%2Frun%2Fpostgresql/d",
        "postgresql:///d?host=/var/run/postgresql&port=5433",
        "postgresql:///d?host=a,b&port=1,2",
        "postgresql://u:p%40%2F%25@h/d%20b",
        "postgresql://h:5432/d?user=a@b&password=p%26q",
        "postgresql://h/d?sslmode=verify-full&sslrootcert=/ca.pem&channel_binding=require",
        "postgresql://h/d?options=-csearch_path%3Dvoice&connect_timeout=3&application_name=other",
    ],
)
def test_what_libpq_reads_is_read_as_libpq_reads_it(url: str) -> None:
    assert connection_parameters(url) == parse_dsn(url)


@pytest.mark.parametrize(
    ("url", "parameters"),
    [
        ("postgresql+psycopg2://u@h/d", {"user": "u", "host": "h", "dbname": "d"}),
        ("postgresql://u@server:p@h/d", {"user": "u@server", "password": "p", "host": "h", "dbname": "d"}),
        ("postgresql://%40abstract/d", {"host": "@abstract", "dbname": "d"}),
        ("postgres+asyncpg://u@h/d", {"user": "u", "host": "h", "dbname": "d"}),
        (" postgresql://h/d\n", {"host": "h", "dbname": "d"}),
        ("postgresql:///d?host=a:1&host=b:2", {"host": "a,b", "port": "1,2", "dbname": "d"}),
        ("postgresql:///d?host=a:1", {"host": "a", "port": "1", "dbname": "d"}),
        ("postgresql://h/d?options=-c a=b", {"host": "h", "dbname": "d", "options": "-c a=b"}),
    ],
)
def test_what_people_write_besides(url: str, parameters: dict[str, str]) -> None:
    assert connection_parameters(url) == parameters


@pytest.mark.parametrize(
    "password", ["p@ss", "p%ss", "100%", "p/a", "a?b", "a#b", "a:b", "a&b=c", "1@2", "пароль"]
)
def test_a_password_with_raw_characters(password: str) -> None:
    found = connection_parameters(f"postgresql://u:{password}@h:5432/d?user=a@b")

    assert found == {"user": "a@b", "password": password, "host": "h", "port": "5432", "dbname": "d"}


@given(user=PART, password=PART, database=PART, options=PART)
def test_percent_encoded_parts_arrive_unchanged(
    user: str, password: str, database: str, options: str
) -> None:
    user_, password_, database_, options_ = (
        quote(part, safe="") for part in (user, password, database, options)
    )

    found = connection_parameters(f"postgresql://{user_}:{password_}@h/{database_}?options={options_}")

    assert found == {
        "user": user,
        "password": password,
        "host": "h",
        "dbname": database,
        "options": options,
    }


@pytest.mark.parametrize(
    ("query", "instead"),
    [
        ("schema=public", "search_path"),
        ("currentSchema=voice", "search_path"),
        ("pgbouncer=true", "remove it"),
        ("ssl=true", "sslmode=require"),
        ("ssl=require", "sslmode=require"),
        ("connection_limit=5", "PIGWAV_DATABASE_POOL_SIZE"),
        ("pool=5", "PIGWAV_DATABASE_POOL_SIZE"),
        ("sslmode=require&statement_cache_size=0", "prepares no statements"),
        ("pool_timeout=3", "PIGWAV_DATABASE_TIMEOUT_S"),
        ("whatever", "libpq"),
        ("database=d", "libpq"),
        ("SSLMODE=require", "libpq"),
    ],
)
def test_a_parameter_that_libpq_does_not_know(query: str, instead: str) -> None:
    with pytest.raises(NotConfigured) as raised:
        connection_parameters(f"postgresql://u:hidden@h/d?{query}")

    said = str(raised.value)
    assert repr(query.rpartition("&")[2].partition("=")[0]) in said
    assert instead in said
    assert "hidden" not in said


@pytest.mark.parametrize(
    "url",
    [
        "",
        "db.example.org",
        "host=h password=hidden",
        "mysql://u:hidden@h/d",
        "https://u:hidden@h/d",
        "jdbc:postgresql://h/d?user=u&password=hidden",
        "postgresql://u:hidden@[::1/d",
        "postgresql:/u:hidden@h/d",
        "postgresql://u:hidden@[::1]x/d",
        "postgresql://u:1/hidden@h/d",
        "postgresql://u:hidden",
        "postgresql://u:hidden%00@h/d",
        "postgresql://u:hidden\udce9@h/d",
        "postgresql://u:1,hidden/@h/d",
    ],
)
def test_what_is_no_postgres_url_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(NotConfigured, match="PIGWAV_DATABASE_URL") as raised:
        connection_parameters(url)

    assert "hidden" not in str(raised.value)


@given(st.text())
def test_any_other_text_is_read_or_refused(text: str) -> None:
    for url in (text, f"postgresql://{text}"):
        with suppress(NotConfigured):
            connection_parameters(url)
