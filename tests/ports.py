"""TCP ports for programs that tests start: each pytest process has its own range."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from pigwav.devstack.ports import ReservedPorts
from pigwav.port_range import DEFAULT_EMBEDDED_PORTS, read_port_range


def _of_this_process() -> range:
    """The range of this process. pytest-xdist numbers its workers from `gw0`; without xdist there is one process."""
    every = read_port_range(os.environ.get("PIGWAV_EMBEDDED_PORTS") or DEFAULT_EMBEDDED_PORTS)
    processes = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % processes
    size = len(every) // processes
    return every[number * size : (number + 1) * size]


PORTS: Final = _of_this_process()
PORTS_SETTING: Final = {"PIGWAV_EMBEDDED_PORTS": f"{PORTS[0]}-{PORTS[-1]}"}
"""The environment of a `pigwav` that starts its own S3 server."""


@contextmanager
def reserved_ports(count: int) -> Iterator[list[int]]:
    """Ports that no other test and no PigWav uses during the block."""
    with ReservedPorts(count, PORTS) as reserved:
        yield reserved.numbers
