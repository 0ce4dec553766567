"""The notation of a range of TCP ports: `20000-31999`, both inclusive."""

from typing import Final

DEFAULT_EMBEDDED_PORTS: Final = "20000-31999"
"""Below the ports that Linux and macOS use for outgoing connections, so that after a restart the ports are still free.
"""

EMBEDDED_PORTS: Final = 10
"""Ports that the embedded S3 server needs."""


def read_port_range(text: str) -> range:
    """Raises ValueError with the reason."""
    first, _, last = (part.strip() for part in text.partition("-"))
    if not (first.isdecimal() and last.isdecimal() and 0 < int(first) <= int(last) < 65_536):
        raise ValueError(f"{text!r} is not a range of ports; write it as {DEFAULT_EMBEDDED_PORTS}")
    return range(int(first), int(last) + 1)
