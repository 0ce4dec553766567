"""TCP ports on 127.0.0.1 for servers that are told numbers, reserved from the choice of a port to the server's end.

A listening socket cannot be handed over instead: neither SeaweedFS nor most others take one. So PigWav binds the UDP
port of the same number, which nothing here uses for UDP, as a lock: the kernel gives it to one process of the machine,
whichever user's, and frees it when that process ends, however it ends. Other programs know nothing of the lock. A TCP
port that one of them takes is exchanged before the next start (`replace_taken`).
"""

import errno
import random
import socket
from collections.abc import Iterator, Sequence
from typing import Final

from pigwav.devstack.address import LOOPBACK
from pigwav.errors import ChildProcessFailed

_ADDRESSES: Final = ((socket.AF_INET, LOOPBACK), (socket.AF_INET, ""), (socket.AF_INET6, "::"))
"""SeaweedFS refuses a port on which anybody listens, on whichever address."""


class ReservedPorts:
    """Different TCP ports of `candidates` on which nobody listens. Raises ChildProcessFailed if there are too few."""

    def __init__(self, count: int, candidates: Sequence[int]) -> None:
        self._candidates = candidates
        self._locks: list[socket.socket] = []
        try:
            for _ in range(count):
                self._locks.append(self._lock_any())
        except ChildProcessFailed:
            self.close()
            raise

    @property
    def numbers(self) -> list[int]:
        return [lock.getsockname()[1] for lock in self._locks]

    def replace_taken(self) -> bool:
        """Exchange the ports on which somebody listens; False: there are none. To be asked while the server is down."""
        taken = [place for place, number in enumerate(self.numbers) if not _is_free(number)]
        for place in taken:
            replacement = self._lock_any()
            self._locks[place].close()
            self._locks[place] = replacement
        return bool(taken)

    def close(self) -> None:
        """Others may have the ports from here on."""
        for lock in self._locks:
            lock.close()
        self._locks.clear()

    def __enter__(self) -> "ReservedPorts":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _lock_any(self) -> socket.socket:
        for lock in self._lockable():
            if _is_free(lock.getsockname()[1]):
                return lock
            lock.close()
        raise ChildProcessFailed(
            f"The embedded S3 server finds too few free ports between {self._candidates[0]} and "
            f"{self._candidates[-1]}: name other ports with PIGWAV_EMBEDDED_PORTS."
        )

    def _lockable(self) -> Iterator[socket.socket]:
        for number in random.sample(self._candidates, len(self._candidates)):
            lock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            try:
                lock.bind((LOOPBACK, number))
            except OSError:
                lock.close()
            else:
                yield lock


def _is_free(port: int) -> bool:
    return not any(_listens(family, host, port) for family, host in _ADDRESSES)


def _listens(family: socket.AddressFamily, host: str, port: int) -> bool:
    """Whether somebody has the address. What a connection leaves for a minute (TIME_WAIT) does not count."""
    try:
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OSError as error:
        return error.errno in (
            errno.EADDRINUSE,
            errno.EACCES,
        )  # else it is no such address: IPv6 is switched off
    return False
