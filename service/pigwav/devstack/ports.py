"""Reserved TCP ports on 127.0.0.1 for servers that take port numbers instead of an open socket, such as SeaweedFS.

A reservation holds from the choice of the port until the server has stopped. As its lock, PigWav binds the UDP port of
the same number, which nothing here uses. The kernel gives a UDP port to only one process of the machine, for all users,
and frees it when that process ends, even by a crash. Other programs do not know this lock. If one of them takes a
reserved TCP port, the port is replaced before the server's next start (`replace_taken`).
"""

import errno
import random
import socket
from collections.abc import Iterator, Sequence
from typing import Final

from pigwav.devstack.address import LOOPBACK
from pigwav.errors import ChildProcessFailed

_ADDRESSES: Final = ((socket.AF_INET, LOOPBACK), (socket.AF_INET, ""), (socket.AF_INET6, "::"))
"""SeaweedFS refuses a port if any program listens on it, on any address."""


class ReservedPorts:
    """`count` different free TCP ports of `candidates`. Raises ChildProcessFailed if there are too few."""

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
        """Replaces the ports on which another program listens, and returns whether there were any.

        The server must not be running.
        """
        taken = [place for place, number in enumerate(self.numbers) if not _is_free(number)]
        for place in taken:
            replacement = self._lock_any()
            self._locks[place].close()
            self._locks[place] = replacement
        return bool(taken)

    def close(self) -> None:
        """Releases the ports."""
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
            f"{self._candidates[-1]}: set other ports in PIGWAV_EMBEDDED_PORTS."
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
    """Whether a program listens on this address. Closed connections in TIME_WAIT do not count."""
    try:
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OSError as error:
        return error.errno in (
            errno.EADDRINUSE,
            errno.EACCES,
        )  # any other error means that the address does not exist: IPv6 is disabled
    return False
