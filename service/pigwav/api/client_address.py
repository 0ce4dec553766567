"""What counts as one client address."""

from ipaddress import IPv6Address, ip_address


def address_of(client: tuple[str, int] | None) -> bytes | str:
    """The client's IPv4 address, or the /64 of its IPv6 address: a client that has one address of a /64 has them all.

    `client`: as in an ASGI scope, where TrustedProxies has already replaced a proxy's address. A value that is not an
    address (a Unix socket, an odd proxy) is returned as text, at most 64 characters of it.
    """
    text = str(client[0]) if client else ""
    try:
        address = ip_address(text)
    except ValueError:
        return text[:64]
    if isinstance(address, IPv6Address):
        return address.ipv4_mapped.packed if address.ipv4_mapped else address.packed[:8]
    return address.packed
