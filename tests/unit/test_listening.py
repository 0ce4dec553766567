"""The address on which the API listens."""

import http.client
import socket

import pytest

from pigwav.errors import AddressInUse
from pigwav.listening import Listeners, listen, reachable_url_of, url_of


def test_port_0_is_any_free_port_and_the_url_names_it():
    with listen("127.0.0.1", 0) as listening:
        port = listening.getsockname()[1]
        assert port
        assert url_of(listening) == f"http://127.0.0.1:{port}"


def test_who_comes_before_the_api_waits_in_the_queue():
    with (
        listen("127.0.0.1", 0) as listening,
        socket.create_connection(listening.getsockname(), timeout=5) as early,
    ):
        early.sendall(b"GET / HTTP/1.0\r\n\r\n")
        served, _ = listening.accept()
        with served:
            served.sendall(b"HTTP/1.0 204 No Content\r\n\r\n")
        answer = http.client.HTTPResponse(early)
        answer.begin()
        assert answer.status == 204
        answer.close()


def test_an_ipv6_address_is_bracketed_in_the_url():
    try:
        listening = listen("::1", 0)
    except AddressInUse:
        pytest.skip("this machine has no IPv6")
    with listening:
        assert url_of(listening) == f"http://[::1]:{listening.getsockname()[1]}"


def test_every_address_is_reached_on_the_loopback():
    with listen("0.0.0.0", 0) as listening:
        assert reachable_url_of(listening).startswith("http://127.0.0.1:")


def test_a_taken_port_is_one_sentence():
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(AddressInUse) as refused:
            listen("127.0.0.1", port)
    assert str(refused.value) == (
        f"Cannot listen on 127.0.0.1 port {port}: another program uses it; choose another with --port."
    )


def test_a_taken_operator_port_names_its_setting_and_leaves_the_public_port_free():
    with listen("127.0.0.1", 0) as taken, listen("127.0.0.1", 0) as free:
        public, operator = free.getsockname()[1], taken.getsockname()
        free.close()
        with pytest.raises(AddressInUse) as refused:
            Listeners.open("127.0.0.1", public, operator)
        listen("127.0.0.1", public).close()
    assert str(refused.value) == (
        f"Cannot listen on 127.0.0.1 port {operator[1]}: another program uses it; choose another with "
        "PIGWAV_OPERATOR_BIND."
    )


@pytest.mark.parametrize(
    ("host", "port", "reason"),
    [
        ("192.0.2.1", 8080, "cannot assign requested address"),
        ("no-such-host.invalid", 8080, "no-such-host.invalid"),
    ],
)
def test_an_address_that_is_not_ours_is_one_sentence(host: str, port: int, reason: str):
    with pytest.raises(AddressInUse) as refused:
        listen(host, port)
    sentence = str(refused.value)
    assert reason in sentence.lower()
    assert "\n" not in sentence
