"""The addresses in the settings: URLs, a host name, an address to listen on, origins of browsers, addresses of proxies.

A value with exactly one meaning is brought into its normal form: without a slash at its end, the host in lower case
and in ASCII (Punycode). Any other value is refused with the reason.
"""

import re
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Annotated, Final, TypeAlias

from pydantic import AfterValidator, ValidationError
from pydantic_core import Url

from pigwav.settings.redaction import quoted

_HTTP: Final = re.compile(r"https?://(?=[^/?#])", re.IGNORECASE)
_ANY_SCHEME: Final = re.compile(r"[a-z][a-z0-9+.-]*://(?=[^/?#])", re.IGNORECASE)
_LABEL: Final = r"[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?"
_BIND: Final = re.compile(r"(\[[^\]]+\]|[^:\[\]]+):([0-9]{1,5})", re.ASCII)
_HOST: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\.?|\[[0-9a-f:.]+\]", re.IGNORECASE)


def read_http_url(text: str) -> str:
    """The normal form of an HTTP URL that begins other URLs. Raises ValueError with the reason."""
    if not _HTTP.match(text):
        raise ValueError(f"{quoted(text)} does not begin with http:// or https:// and a host")
    return str(_parsed(text)).rstrip("/")


def read_host(text: str) -> str:
    """The normal form of a host name or IP address as it is written in a URL: IPv6 in brackets.

    Raises ValueError with the reason.
    """
    if "://" in text:
        raise ValueError(
            f"{quoted(text)} is a URL; write only its host here, such as voice.example.org, or set PIGWAV_PUBLIC_URL "
            "to the URL"
        )
    bare = text.removeprefix("[").removesuffix("]")
    if _is_ipv6(bare):
        return f"[{IPv6Address(bare)}]"
    if re.search(r"[/?#@\s\\]", text):
        raise ValueError(f"{quoted(text)} is not a host name, such as voice.example.org")
    if ":" in text:
        raise ValueError(f"{quoted(text)} is more than a host name; set the port in API_PORT")
    try:
        return _parsed(f"http://{text}").host or ""
    except ValueError as error:
        raise ValueError(f"{quoted(text)} is not a host name, such as voice.example.org") from error


def read_bind(text: str) -> str:
    """The normal form of an address to listen on: host and port, IPv6 in brackets.

    Raises ValueError with the reason.
    """
    found = _BIND.fullmatch(text)
    if found is None:
        raise ValueError(f"{quoted(text)} is not a host and a port; write it as 127.0.0.1:9100 or [::1]:9100")
    host, port = read_host(found[1]), int(found[2])
    if not 0 < port < 65_536:
        raise ValueError(f"{quoted(text)} has no port between 1 and 65535")
    return f"{host}:{port}"


def host_and_port(bind: str) -> tuple[str, int]:
    """The parts of a normal form of `read_bind`, the host as sockets take it: IPv6 without brackets."""
    host, _, port = bind.rpartition(":")
    return host.strip("[]"), int(port)


def read_origins(text: str) -> str:
    """The normal form of a list of origins: separated by commas, each as browsers send it (RFC 6454 6.1).

    Raises ValueError with the reason.
    """
    origins = [_origin(item) for item in _items(text)]
    return "*" if "*" in origins else ",".join(origins)


def read_networks(text: str) -> str:
    """The normal form of a list of IP addresses and networks: separated by commas, networks without host bits.

    Raises ValueError with the reason.
    """
    networks = [_network(item) for item in _items(text)]
    return "*" if "*" in networks else ",".join(networks)


def read_path_prefix(text: str) -> str:
    """The normal form of a path prefix: empty, or with a slash at its beginning and none at its end.

    Raises ValueError with the reason.
    """
    bare = text.strip("/")
    if re.search(r"[?#%\s\\]|//", bare) or {".", ".."} & {*bare.split("/")}:
        raise ValueError(f"{quoted(text)} is not a path prefix, such as /voice")
    return f"/{bare}" if bare else ""


def _origin(text: str) -> str:
    if text in ("*", "null"):
        return text
    if "*" in text:
        raise ValueError(f"{quoted(text)} has a wildcard; list every origin, or write * alone for all")
    if not _ANY_SCHEME.match(text):
        raise ValueError(f"{quoted(text)} has no scheme; an origin is written as https://app.example.org")
    url = _parsed(text)
    if url.path not in (None, "/"):
        raise ValueError(f"{quoted(text)} has a path; an origin is only scheme, host and port")
    return str(url).rstrip("/")


def _network(text: str) -> str:
    if text == "*":
        return text
    try:
        return str(ip_network(text, strict=False) if "/" in text else ip_address(text.strip("[]")))
    except ValueError as error:
        raise ValueError(
            f"{quoted(text)} is not an IP address or a network; write 10.0.0.5 or 10.0.0.0/8, or * for all"
        ) from error


def _parsed(text: str) -> Url:
    """Parses as browsers do (WHATWG URL), but refuses what they would repair or what cannot begin another URL."""
    if re.search(r"[\s\\]", text):
        raise ValueError(f"{quoted(text)} contains a blank or a backslash")
    try:
        url = Url(text)
    except ValidationError as error:
        raise ValueError(f"{quoted(text)} is not a URL: {error.errors()[0]['ctx']['error']}") from error
    if url.username is not None or url.password is not None:
        raise ValueError(f"{quoted(text)} contains a user name or a password; remove it")
    if url.query is not None or url.fragment is not None:
        raise ValueError(f"{quoted(text)} contains a query or a fragment; remove it, from ? or # on")
    if text.count("://") > 1:
        raise ValueError(f"{quoted(text)} contains two schemes; remove one")
    host = url.host or ""
    if not _HOST.fullmatch(host) or (is_ipv4(host) and host not in text):  # `http://8080` means 0.0.31.144
        raise ValueError(f"{quoted(text)} has no valid host name")
    if url.port == 0:
        raise ValueError(f"{quoted(text)} has the port 0")
    return url


def _items(text: str) -> list[str]:
    return [item for item in re.split(r"[,\s]+", text) if item]


def is_ipv4(text: str) -> bool:
    return _is_address(IPv4Address, text)


def _is_ipv6(text: str) -> bool:
    return _is_address(IPv6Address, text)


def _is_address(kind: type[IPv4Address | IPv6Address], text: str) -> bool:
    try:
        kind(text)
    except ValueError:
        return False
    return True


HttpUrl: TypeAlias = Annotated[str, AfterValidator(read_http_url)]
Bind: TypeAlias = Annotated[str, AfterValidator(read_bind)]
Host: TypeAlias = Annotated[str, AfterValidator(read_host)]
Origins: TypeAlias = Annotated[str, AfterValidator(read_origins)]
Networks: TypeAlias = Annotated[str, AfterValidator(read_networks)]
PathPrefix: TypeAlias = Annotated[str, AfterValidator(read_path_prefix)]
