"""Three replicas behind a proxy: each serves the others' recordings; a rolling restart under load."""

import json
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

import httpx2
import pytest

from accounts import Account, register
from deploy.balancer import Balancer, balancing
from deploy.engine import Container, docker, inspect, running
from deploy.project import API, NAME, Project
from e2e.open_upload import open_upload
from factories import wav
from ports import reserved_ports
from waiting import wait_until

GRACE_S = 20
CLIENTS = 3


@dataclass(frozen=True)
class Replica:
    """`http`: a client that bypasses the proxy."""

    container: Container
    port: int
    http: httpx2.Client

    def seen_by(self, account: Account) -> Account:
        """The same user, at this replica."""
        return Account(self.http, account.id, account.token)


@dataclass
class Load:
    """The results of clients that upload and download continuously, each request on a new connection."""

    account: Account
    links: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def client(self, over: threading.Event) -> None:
        while not over.is_set():
            try:
                self._upload_and_listen()
            except httpx2.TransportError as error:
                self.failures.append(repr(error))

    def _upload_and_listen(self) -> None:
        http = self.account.http
        query = {"user": self.account.id}
        headers = self.account.bearer | {"Content-Type": "audio/wav", "Connection": "close"}
        sent = httpx2.post(
            f"{http.base_url}records", params=query, content=wav(seconds=0.5), headers=headers, timeout=60
        )
        if sent.status_code != 201:
            self.failures.append(sent.text)
            return
        self.links.append(sent.json()["url"])
        heard = httpx2.get(self.links[-1], headers={"Connection": "close"}, timeout=60)
        if heard.status_code != 200:
            self.failures.append(heard.text)


@pytest.fixture(scope="module")
def replicas(apiapp: Project, image: str) -> Iterator[list[Replica]]:
    """Three replicas with the configuration, database and store of the compose service."""
    given = {name: value for name, value in API.environment.items() if name.startswith(("PIGWAV_", "PG"))}
    environment = given | {"PIGWAV_GRACE_S": str(GRACE_S)}
    options = [word for name, value in environment.items() for word in ("-e", f"{name}={value}")]
    with ExitStack() as started:
        made = []
        for port in started.enter_context(reserved_ports(3)):
            where = ("--network", f"{NAME}_default", "-p", f"127.0.0.1:{port}:8080")
            command = ["serve", "--host", "0.0.0.0"]
            container = started.enter_context(running(image, "--init", *where, *options, command=command))
            http = started.enter_context(httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=60))
            made.append(Replica(container, port, http))
        for replica in made:
            replica.container.until_healthy()
        yield made


@pytest.fixture
def balancer(replicas: list[Replica]) -> Iterator[Balancer]:
    with balancing(replica.port for replica in replicas) as made:
        yield made


@pytest.fixture
def user(balancer: Balancer) -> Iterator[Account]:
    with httpx2.Client(base_url=f"http://127.0.0.1:{balancer.port}/", timeout=60) as http:
        yield register(http, f"user of {balancer.port}")


def test_what_one_took_every_other_serves(replicas: list[Replica], user: Account) -> None:
    for taking in replicas:
        made = taking.seen_by(user).recording(seconds=1)
        for serving in replicas:
            heard = serving.seen_by(user).http.get(f"/record/{made['id']}.mp3", params={"user": user.id})
            assert heard.headers["ETag"] == f'"{made["sha256"]}"'


def test_a_rolling_restart_under_load_fails_only_what_outlasts_the_grace(
    replicas: list[Replica], balancer: Balancer, user: Account
) -> None:
    with under_load(user) as load:
        for replica in replicas:
            enough = len(load.links) + 2 * CLIENTS
            wait_until(lambda enough=enough: len(load.links) >= enough, within_s=60)
            replace(replica, balancer, user, outlasting=replica is replicas[0])

    assert load.failures == []
    for link in load.links:
        assert httpx2.head(link).status_code == 200
    assert json.loads(replicas[0].container.run("pigwav", "doctor", "--json"))["pending"] == []


@contextmanager
def under_load(user: Account) -> Iterator[Load]:
    load, over = Load(user), threading.Event()
    clients = [threading.Thread(target=load.client, args=[over]) for _ in range(CLIENTS)]
    for client in clients:
        client.start()
    try:
        yield load
    finally:
        over.set()
        for client in clients:
            client.join()


def replace(replica: Replica, balancer: Balancer, user: Account, *, outlasting: bool) -> None:
    """Restarts a replica while it is removed from the proxy.

    One open upload ends within the grace period. If `outlasting`, another one does not.
    """
    direct = replica.seen_by(user)
    with ExitStack() as opened:
        short = opened.enter_context(open_upload(direct, wav(seconds=2)))
        long = opened.enter_context(open_upload(direct, wav(seconds=3))) if outlasting else None
        balancer.take_out(replica.port)
        stopping = threading.Thread(target=replica.container.stop)
        stopping.start()
        until_it_takes_no_more(replica)
        assert short.finish()[0] == 201
        if long:
            status, problem = long.answer()
            assert (status, problem["code"]) == (503, "shutting-down")
        stopping.join()
    assert inspect(replica.container.name)["State"]["ExitCode"] == 0
    docker("start", replica.container.name)
    replica.container.until_healthy()
    balancer.put_back(replica.port)


def until_it_takes_no_more(replica: Replica) -> None:
    """Waits until requests fail. A TCP connection is not enough: Docker's own proxy still accepts it."""

    def takes() -> bool:
        try:
            replica.http.get("/healthz", headers={"Connection": "close"})
        except httpx2.TransportError:
            return False
        return True

    wait_until(lambda: not takes())
