"""A download is complete and correct, or `to` is unchanged. Received bytes are not fetched again."""

import asyncio
import hashlib
import os
from base64 import b64encode
from collections import deque
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from client.both import OpenClient, talking
from fakes.stub_service import Reply, one_after_the_other, problem
from pigwav.client import (
    AsyncPigWavClient,
    ClientError,
    DownloadBroken,
    Downloaded,
    DownloadInterrupted,
    NotFound,
    Offered,
    OutputUnusable,
    PigWavClient,
    UnexpectedAnswer,
)

MP3 = b"\xff\xfb" + bytes(range(256)) * 1500
SHA256 = hashlib.sha256(MP3).hexdigest()
WHOLE = Reply.mp3(MP3)
CUT = Reply.mp3(MP3, hangs_up_after_bytes=100_000)
OTHER = b"\xff\xfb" + bytes(400_000)
WRONG_ETAG = Reply.mp3(MP3, etag="0" * 64)
GONE = problem(404, "recording-not-found", "No such recording.")
HTML = Reply(200, b"<html>", {"Content-Type": "text/html"})


@pytest.fixture
def to(tmp_path: Path) -> Path:
    path = tmp_path / "Запись.mp3"
    path.write_bytes(b"old")
    return path


def part_of(to: Path) -> Path:
    return to.with_name(f"{to.name}.pigwav-part")


def ranges(received: list[Any]) -> list[str | None]:
    return [one.headers.get("Range") for one in received]


def test_download_replaces_the_output_with_the_whole_file(open_client: OpenClient, to: Path) -> None:
    steps: list[tuple[int, int | None]] = []
    moved = Reply(307, headers={"Location": "/there"})
    with talking(open_client, one_after_the_other(moved, WHOLE), 1, "token") as (stub, client):
        done = client.download(f"{stub.url}/record?id=a", to, progress=lambda *step: steps.append(step))
    assert done == Downloaded(to, len(MP3), SHA256, 0)
    assert to.read_bytes() == MP3
    assert list(to.parent.iterdir()) == [to]
    assert (steps[0], steps[-1]) == ((0, len(MP3)), (len(MP3), len(MP3)))
    assert "Authorization" not in stub.received[0].headers
    assert stub.received[0].headers["Accept-Encoding"] == "identity"


@pytest.mark.parametrize(("digest", "right"), [(bytes.fromhex(SHA256), True), (bytes(32), False)])
def test_repr_digest_serves_where_a_proxy_took_the_etag(
    open_client: OpenClient,
    to: Path,
    digest: bytes,
    right: bool,  # noqa: FBT001
) -> None:
    text = f"sha-512=:AAAA:, sha-256=:{b64encode(digest).decode()}:"
    ends = nullcontext() if right else pytest.raises(DownloadBroken)
    with talking(open_client, replace(WHOLE, headers={"Repr-Digest": text})) as (stub, client), ends:
        client.download(stub.url, to)
    assert to.read_bytes() == (MP3 if right else b"old")


def test_weak_etag_says_the_same(open_client: OpenClient, to: Path) -> None:
    with talking(open_client, replace(WHOLE, headers={"ETag": f'W/"{SHA256}"'})) as (stub, client):
        assert client.download(stub.url, str(to)).sha256 == SHA256


def test_broken_connection_is_resumed_where_it_broke(open_client: OpenClient, to: Path) -> None:
    steps: list[int] = []
    with talking(open_client, one_after_the_other(CUT, CUT, WHOLE)) as (stub, client):
        done = client.download(stub.url, to, progress=lambda done, _: steps.append(done))
    assert done == Downloaded(to, len(MP3), SHA256, 0)
    assert to.read_bytes() == MP3
    assert ranges(stub.received) == [None, "bytes=100000-", "bytes=200000-"]
    assert steps == sorted(steps)


def test_download_that_breaks_off_keeps_its_part_for_the_next_call(open_client: OpenClient, to: Path) -> None:
    with talking(open_client, CUT, attempts=1) as (stub, client), pytest.raises(DownloadInterrupted):
        client.download(stub.url, to)
    assert (to.read_bytes(), part_of(to).read_bytes()) == (b"old", MP3[:100_000])

    steps: list[tuple[int, int | None]] = []
    with talking(open_client, WHOLE) as (stub, client):
        done = client.download(stub.url, to, progress=lambda *step: steps.append(step))
    assert done == Downloaded(to, len(MP3), SHA256, 100_000)
    assert ranges(stub.received) == ["bytes=100000-"]
    assert to.read_bytes() == MP3
    assert list(to.parent.iterdir()) == [to]
    assert steps[0] == (100_000, len(MP3))


def test_part_that_is_whole_is_only_checked_and_named(open_client: OpenClient, to: Path) -> None:
    part_of(to).write_bytes(MP3)
    with talking(open_client, WHOLE) as (stub, client):
        client.download(stub.url, to)
    assert ranges(stub.received) == [f"bytes={len(MP3)}-", f"bytes={len(MP3) - 1}-"]
    assert (to.read_bytes(), list(to.parent.iterdir())) == (MP3, [to])


@pytest.mark.parametrize(
    "partial",
    [OTHER[:1000], OTHER[: len(MP3)], OTHER, MP3 + b"more", b"x"],
    ids=["beginning of another", "another of this size", "larger other", "larger", "one byte"],
)
def test_part_of_something_else_is_thrown_away(open_client: OpenClient, to: Path, partial: bytes) -> None:
    part_of(to).write_bytes(partial)
    with talking(open_client, WHOLE, attempts=1) as (stub, client):
        done = client.download(stub.url, to)
    assert done == Downloaded(to, len(MP3), SHA256, 0)
    assert (to.read_bytes(), list(to.parent.iterdir())) == (MP3, [to])
    assert len(stub.received) <= 3


def test_service_without_ranges_sends_all_again(open_client: OpenClient, to: Path) -> None:
    part_of(to).write_bytes(MP3[:100_000])
    with talking(open_client, replace(WHOLE, ranges=False)) as (stub, client):
        done = client.download(stub.url, to)
    assert done.resumed_from_bytes == 0
    assert (to.read_bytes(), len(stub.received)) == (MP3, 1)


def test_bytes_that_change_between_two_tries_are_not_mixed(open_client: OpenClient, to: Path) -> None:
    replies = one_after_the_other(CUT, Reply.mp3(OTHER), Reply.mp3(OTHER))
    with talking(open_client, replies) as (stub, client):
        client.download(stub.url, to)
    assert to.read_bytes() == OTHER


@pytest.mark.parametrize(
    ("reply", "kind", "tries"),
    [
        (GONE, NotFound, 1),
        (WRONG_ETAG, DownloadBroken, 1),
        (HTML, UnexpectedAnswer, 1),
        (Reply(502, b"<html>"), UnexpectedAnswer, 2),
        (replace(WHOLE, status=206, ranges=False), UnexpectedAnswer, 1),
        (
            replace(WHOLE, headers={**WHOLE.headers, "Content-Length": str(len(MP3) + 1)}),
            DownloadInterrupted,
            2,
        ),
    ],
    ids=["gone", "wrong ETag", "a page", "proxy", "no range asked", "short"],
)
def test_failed_download_leaves_the_output_as_it_was(
    open_client: OpenClient, to: Path, reply: Reply, kind: type[ClientError], tries: int
) -> None:
    answer = replace(reply, ranges=False)
    with talking(open_client, answer, attempts=2) as (stub, client), pytest.raises(kind) as caught:
        client.download(stub.url, to)
    assert type(caught.value) is kind
    assert len(stub.received) == tries
    assert to.read_bytes() == b"old"
    assert part_of(to).exists() == (kind is DownloadInterrupted)


def test_wrong_bytes_are_not_kept_for_the_next_call(open_client: OpenClient, to: Path) -> None:
    part_of(to).write_bytes(MP3[:100_000])
    with talking(open_client, WRONG_ETAG) as (stub, client), pytest.raises(DownloadBroken):
        client.download(stub.url, to)
    assert ranges(stub.received) == ["bytes=100000-", None]
    assert list(to.parent.iterdir()) == [to]


def test_another_range_than_was_asked_for_is_not_appended(open_client: OpenClient, to: Path) -> None:
    part_of(to).write_bytes(MP3[:1000])
    headers = {**WHOLE.headers, "Content-Range": f"bytes 0-{len(MP3) - 1}/{len(MP3)}"}
    liar = Reply(206, MP3, headers)
    with talking(open_client, liar) as (stub, client), pytest.raises(UnexpectedAnswer):
        client.download(stub.url, to)
    assert part_of(to).read_bytes() == MP3[:1000]


def test_output_that_is_no_regular_file_is_not_replaced(open_client: OpenClient, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with talking(open_client, WHOLE) as (stub, client):
        for name in ("fifo", "."):
            with pytest.raises(OutputUnusable):
                client.download(stub.url, tmp_path / name)
    assert (tmp_path / "fifo").is_fifo()
    assert stub.received == []


def test_part_that_points_elsewhere_is_not_followed(
    open_client: OpenClient, to: Path, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "precious"
    elsewhere.write_bytes(b"precious")
    part_of(to).symlink_to(elsewhere)
    with talking(open_client, WHOLE) as (stub, client), pytest.raises(OutputUnusable):
        client.download(stub.url, to)
    assert elsewhere.read_bytes() == b"precious"


def test_output_that_points_elsewhere_is_replaced_itself(open_client: OpenClient, tmp_path: Path) -> None:
    """If the output is a symbolic link, no file outside its folder is written."""
    elsewhere = tmp_path / "elsewhere" / "precious"
    elsewhere.parent.mkdir()
    elsewhere.write_bytes(b"precious")
    to = tmp_path / "a.mp3"
    to.symlink_to(elsewhere)
    with talking(open_client, WHOLE) as (stub, client):
        client.download(stub.url, to)
    assert (to.is_symlink(), to.read_bytes(), elsewhere.read_bytes()) == (False, MP3, b"precious")
    assert list(elsewhere.parent.iterdir()) == [elsewhere]


def test_missing_folder_is_the_systems_error(open_client: OpenClient, tmp_path: Path) -> None:
    with talking(open_client, WHOLE) as (stub, client), pytest.raises(FileNotFoundError):
        client.download(stub.url, tmp_path / "no" / "a.mp3")


def test_second_download_to_the_same_file_is_refused_and_harms_nothing(
    open_client: OpenClient, to: Path
) -> None:
    def second(_done_bytes: int, _total_bytes: int | None) -> None:
        with PigWavClient() as other, pytest.raises(OutputUnusable, match="Another download"):
            other.download(stub.url, to)

    with talking(open_client, WHOLE) as (stub, client):
        client.download(stub.url, to, progress=second)
    assert to.read_bytes() == MP3
    assert len(stub.received) == 1


def test_cancelled_download_keeps_what_has_come(to: Path) -> None:
    async def cancelled(url: str) -> None:
        async with AsyncPigWavClient() as client:
            begun = asyncio.Event()
            task = asyncio.create_task(
                client.download(url, to, progress=lambda done, _: begun.set() if done > 65_536 else None)
            )
            await begun.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    with talking(PigWavClient, Reply.mp3(bytes(32 * 1024 * 1024))) as (stub, _):
        asyncio.run(cancelled(stub.url))
    assert to.read_bytes() == b"old"
    assert part_of(to).stat().st_size > 65_536


def test_peek_tells_what_is_offered_and_fetches_nothing(open_client: OpenClient) -> None:
    named = replace(WHOLE, headers={**WHOLE.headers, "Content-Disposition": 'inline; filename="a.mp3"'})
    with talking(open_client, one_after_the_other(named, HTML)) as (stub, client):
        assert client.peek(stub.url) == Offered("a.mp3", SHA256, len(MP3))
        with pytest.raises(UnexpectedAnswer):
            client.peek(stub.url)
    assert [one.method for one in stub.received] == ["HEAD", "HEAD"]


def test_stream_gives_the_blocks_and_leaves_no_file(open_client: OpenClient) -> None:
    replies = one_after_the_other(Reply(502), WHOLE)
    with talking(open_client, replies) as (stub, client), client.stream(stub.url) as blocks:
        assert b"".join(blocks) == MP3


@pytest.mark.parametrize(
    ("reply", "kind", "bytes_before"),
    [(CUT, DownloadInterrupted, 100_000), (WRONG_ETAG, DownloadBroken, len(MP3))],
    ids=["cut", "wrong ETag"],
)
def test_stream_ends_with_an_error_where_it_is_not_whole_and_right(
    open_client: OpenClient, reply: Reply, kind: type[ClientError], bytes_before: int
) -> None:
    got = bytearray()
    with talking(open_client, reply) as (stub, client), client.stream(stub.url) as blocks:
        counted = (got.extend(block) for block in blocks)
        with pytest.raises(kind):
            deque(counted, maxlen=0)
    assert len(got) == bytes_before


@pytest.mark.parametrize(("reply", "kind"), [(GONE, NotFound), (HTML, UnexpectedAnswer)])
def test_stream_of_what_is_no_recording_does_not_begin(
    open_client: OpenClient, reply: Reply, kind: type[ClientError]
) -> None:
    with talking(open_client, reply) as (stub, client), pytest.raises(kind), client.stream(stub.url):
        pytest.fail("the download began")


def test_listener_may_leave_a_stream(open_client: OpenClient) -> None:
    with talking(open_client, Reply.mp3(bytes(32 * 1024 * 1024))) as (stub, client):
        with client.stream(stub.url) as blocks:
            assert next(iter(blocks))
        with client.stream(stub.url) as blocks:
            assert next(iter(blocks))
