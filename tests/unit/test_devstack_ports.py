"""Ports for SeaweedFS: two PigWavs never share one, and ports of other programs are not used."""

import signal
import socket
import subprocess
import sys

import pytest

from pigwav.devstack.ports import ReservedPorts
from pigwav.errors import ChildProcessFailed
from ports import PORTS

HOLDER = """
import sys
from pigwav.devstack.ports import ReservedPorts
reserved = ReservedPorts(int(sys.argv[1]), [*map(int, sys.argv[2:])])
print(*reserved.numbers, flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def few() -> list[int]:
    """Twenty free ports: enough for two reservations of ten."""
    with ReservedPorts(20, PORTS) as free:
        return sorted(free.numbers)


def test_two_reservations_share_no_port_and_a_third_is_refused_in_one_sentence(few: list[int]):
    with ReservedPorts(10, few) as one, ReservedPorts(10, few) as other:
        assert sorted(one.numbers + other.numbers) == few
        with pytest.raises(ChildProcessFailed) as refused:
            ReservedPorts(1, few)
    assert str(refused.value) == (
        f"The embedded S3 server finds too few free ports between {few[0]} and {few[-1]}: "
        "set other ports in PIGWAV_EMBEDDED_PORTS."
    )


def test_a_reservation_that_is_refused_keeps_nothing(few: list[int]):
    with pytest.raises(ChildProcessFailed):
        ReservedPorts(len(few) + 1, few)
    with ReservedPorts(len(few), few) as reserved:
        assert sorted(reserved.numbers) == few


def test_another_processs_ports_are_its_own_until_it_ends_however_it_ends(few: list[int]):
    command = [sys.executable, "-c", HOLDER, str(len(few)), *map(str, few)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout
        assert sorted(map(int, holder.stdout.readline().split())) == few
        with pytest.raises(ChildProcessFailed):
            ReservedPorts(1, few)
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        with ReservedPorts(len(few), few) as reserved:
            assert sorted(reserved.numbers) == few


@pytest.mark.parametrize(
    ("family", "host"),
    [
        (socket.AF_INET, "127.0.0.1"),
        (socket.AF_INET, "127.0.0.2"),
        (socket.AF_INET, ""),
        (socket.AF_INET6, "::1"),
    ],
)
def test_a_port_on_which_another_program_listens_is_left_to_it(
    few: list[int], family: socket.AddressFamily, host: str
):
    taken, free = few[0], few[1]
    with listening(taken, family=family, host=host), ReservedPorts(1, (taken, free)) as reserved:
        assert reserved.numbers == [free]


def listening(
    port: int, *, family: socket.AddressFamily = socket.AF_INET, host: str = "127.0.0.1"
) -> socket.socket:
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        pytest.skip(f"this machine has no {host}: {error}")


def test_a_port_whose_server_has_just_ended_is_free(few: list[int]):
    """Its closed connections are in TIME_WAIT for a minute."""
    with (
        listening(few[0]) as server,
        socket.create_connection(server.getsockname()) as client,
        server.accept()[0] as accepted,
    ):
        accepted.shutdown(socket.SHUT_WR)  # the side that closes first enters TIME_WAIT
        assert client.recv(1) == b""
    with ReservedPorts(1, few[:1]) as reserved:
        assert reserved.numbers == [few[0]]


def test_only_the_ports_that_another_program_has_taken_are_replaced(few: list[int]):
    with ReservedPorts(3, few) as reserved:
        first, second, third = reserved.numbers
        assert not reserved.replace_taken()
        with listening(second):
            assert reserved.replace_taken()
        assert reserved.numbers[0::2] == [first, third]
        assert reserved.numbers[1] not in (first, second, third)
        with ReservedPorts(1, [second]) as given_back:
            assert given_back.numbers == [second]
