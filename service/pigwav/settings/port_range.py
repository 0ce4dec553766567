"""The notation of a range of TCP ports: `20000-31999`, both inclusive."""

from typing import Annotated, Final, TypeAlias

from pydantic import AfterValidator

DEFAULT_EMBEDDED_PORTS: Final = "20000-31999"
"""Below the ports that Linux and macOS use for outgoing connections, so that after a restart the ports are still free.
"""


def read_port_range(text: str) -> range:
    """Raises ValueError with the reason."""
    first, _, last = (part.strip() for part in text.partition("-"))
    if not (first.isdecimal() and last.isdecimal() and 0 < int(first) <= int(last) < 65_536):
        raise ValueError(f"{text!r} is not a range of ports; write it as {DEFAULT_EMBEDDED_PORTS}")
    return range(int(first), int(last) + 1)


def _readable(text: str) -> str:
    read_port_range(text)
    return text


PortRange: TypeAlias = Annotated[str, AfterValidator(_readable)]
