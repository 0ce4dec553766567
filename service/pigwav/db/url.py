"""Reads the URL of the database as libpq does, and as tolerantly as people write it."""

import re
from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import quote, unquote

from psycopg2 import ProgrammingError
from psycopg2.extensions import parse_dsn

from pigwav.errors import NotConfigured

SERVICE: Final = "PIGWAV_DATABASE_URL (or POSTGTRES_SQL_URI)"
"""The setting of the service's URL, as it is named in messages."""

_NO_ADDRESS: Final = (
    "{} has a host or port that cannot be read (postgresql://user:password@host:port/database); write other"
    " characters than letters and digits in a password as %XX"
)

_URL: Final = re.compile(
    r"(?P<scheme>(?:jdbc:)?[\w.]+)(?:\+\w+)?://"
    # A user may have a raw `@` (Azure), a password too, and raw `/` and `?` unless it looks like a port.
    r"(?:(?P<user>[^:/?\[]*)(?::(?P<password>[^/?]*|(?!\d+[/?,])[^@]*))?@)?"
    r"(?P<hosts>[^/?]*)(?:/(?P<database>[^?]*))?(?:\?(?P<query>.*))?",
    re.DOTALL,
)

_POOL_SIZE: Final = "set PIGWAV_DATABASE_POOL_SIZE instead"
_TIMEOUT: Final = "set PIGWAV_DATABASE_TIMEOUT_S instead"
_SCHEMA: Final = "run ALTER ROLE ... SET search_path = ... instead"
_TLS: Final = "write sslmode=require, or sslmode=verify-full with sslrootcert=..., instead"
_INSTEAD: Final[Mapping[str, str]] = {
    "ssl": _TLS,
    "tls": _TLS,
    "sslaccept": _TLS,
    "schema": _SCHEMA,
    "currentSchema": _SCHEMA,
    "search_path": _SCHEMA,
    "pgbouncer": "remove it, PigWav works with PgBouncer without it",
    "prepared_statements": "remove it, PigWav prepares no statements",
    "prepareThreshold": "remove it, PigWav prepares no statements",
    "statement_cache_size": "remove it, PigWav prepares no statements",
    "connection_limit": _POOL_SIZE,
    "pool": _POOL_SIZE,
    "pool_size": _POOL_SIZE,
    "max_pool_size": _POOL_SIZE,
    "pool_timeout": _TIMEOUT,
    "timeout": _TIMEOUT,
    "socketTimeout": _TIMEOUT,
    "socket_timeout": _TIMEOUT,
    "connectTimeout": _TIMEOUT,
    "command_timeout": _TIMEOUT,
    "statement_timeout": _TIMEOUT,
    "lock_timeout": _TIMEOUT,
    "charset": "remove it, PigWav always uses UTF-8",
    "encoding": "remove it, PigWav always uses UTF-8",
}
"""What other drivers' parameters become here."""


def connection_parameters(url: str, setting: str = SERVICE) -> dict[str, str]:
    """libpq's parameters in the URL, as `psycopg2.connect` takes them: several hosts are separated by commas.

    The URL is libpq's connection URI (https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING),
    also with a driver's name (`postgresql+asyncpg://`), with characters that should be percent-encoded, and with
    several `host=name:port`, as SQLAlchemy writes them. Raises NotConfigured, which names the setting and none of the
    URL's values.
    """
    found = _URL.fullmatch(url.strip())
    if found is None or re.search(r"[\0\ud800-\udfff]", unquote(url)):  # no C string, no UTF-8
        raise NotConfigured(
            f"{setting} is not a database URL (postgresql://user:password@host:port/database)"
        )
    if found["scheme"] not in ("postgresql", "postgres"):
        raise NotConfigured(f"{setting} begins with {found['scheme']}://; PigWav needs postgresql://")
    credentials = {name: unquote(found[name]) for name in ("user", "password") if found[name]}
    hosts, query = _addresses(found["hosts"], [*_parameters(found["query"] or "", setting)])
    database = _encoded(unquote(found["database"] or ""))
    encoded = "&".join(f"{name}={_encoded(value)}" for name, value in query)
    try:
        parsed: dict[str, str] = parse_dsn(f"postgresql://{hosts}/{database}?{encoded}")
    except ProgrammingError as error:
        raise NotConfigured(_NO_ADDRESS.format(setting)) from error
    # Not left to libpq: these may be pieces of a password, and its messages name them.
    doubtful = (
        re.search(r"[^,]@", parsed.get("host", ""))
        or re.search(r"[^\d,]", parsed.get("port", ""))
        or "@" in (found["database"] or "")
    )
    if doubtful:
        raise NotConfigured(_NO_ADDRESS.format(setting))
    return credentials | parsed


def with_password(url: str, password: str | None, setting: str = SERVICE) -> str:
    """The URL with this password, which may contain any characters, unless it has one. Raises NotConfigured."""
    if not password or "password" in connection_parameters(url, setting):
        return url
    return f"{url.strip()}{'&' if '?' in url else '?'}password={_encoded(password)}"


def _addresses(hosts: str, query: list[tuple[str, str]]) -> tuple[str, list[tuple[str, str]]]:
    """Moves `host=name:port&host=...` to the place where libpq reads several of them."""
    named = [value for name, value in query if name == "host"]
    if len(named) < 2 and not any(re.fullmatch(r"[\w.-]+:\d+", host) for host in named):
        return hosts, query
    moved = ",".join(quote(host, safe="[]:") for host in named)
    return moved, [(name, value) for name, value in query if name != "host"]


def _parameters(query: str, setting: str) -> Iterator[tuple[str, str]]:
    """The names and decoded values in the URL's query. Raises NotConfigured for a name that libpq does not know."""
    for pair in filter(None, query.split("&")):
        name, _, value = pair.partition("=")
        if not _libpq_knows(name):
            instead = _INSTEAD.get(name, "remove it, the parameters are those of libpq")
            raise NotConfigured(f"{setting} has the parameter {name!r}, which libpq does not know: {instead}")
        yield name, unquote(value)


def _libpq_knows(parameter: str) -> bool:
    try:
        return parameter.isidentifier() and bool(parse_dsn(f"{parameter}=''"))
    except ProgrammingError:
        return False


def _encoded(text: str) -> str:
    return quote(text, safe="")
