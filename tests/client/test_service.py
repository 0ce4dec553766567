"""Both clients against the real service."""

import asyncio
import itertools
from pathlib import Path

import pytest

from client.both import OpenClient
from factories import chunk, wav
from pigwav.client import (
    AsyncPigWavClient,
    BadInput,
    NameTaken,
    NotAuthenticated,
    NotFound,
    PigWavClient,
    Recording,
    Registered,
    Source,
    Tags,
)
from serving import ServedApi

_names = (f"клиент {number}" for number in itertools.count())


def new_user(api: ServedApi) -> Registered:
    with PigWavClient(api.url) as client:
        return client.register(next(_names))


def info(**fields: str) -> bytes:
    """A LIST chunk of INFO in CP1251, as old Windows programs write it."""
    listed = b"".join(chunk(name.encode(), text.encode("cp1251") + b"\0") for name, text in fields.items())
    return chunk(b"LIST", b"INFO" + listed)


def test_life_of_a_recording(open_client: OpenClient, api: ServedApi, tmp_path: Path) -> None:
    path = tmp_path / "Дубль 1.wav"
    path.write_bytes(wav(seconds=2))
    user = new_user(api)
    with open_client(api.url, user.id, user.token) as client:
        recording = client.upload(path, bitrate_kbps=64)
        assert (recording.user_id, recording.title) == (user.id, "Дубль 1")
        assert (recording.duration_ms, recording.bitrate_kbps, recording.truncated) == (2000, 64, False)
        assert recording.source == Source("pcm_s16le", 44_100, 2, 16)
        assert recording.wav_size_bytes == path.stat().st_size
        assert recording.created_at.tzinfo
        assert client.show(recording.id) == recording

        renamed = client.rename(recording.id, "Планёрка")
        assert client.file_name(recording.url) == "Планёрка.mp3"
        assert [one.id for one in client.recordings()] == [renamed.id]

        to = tmp_path / client.file_name(recording.url)
        downloaded = client.download(recording.url, to)
        assert (downloaded.sha256, downloaded.size_bytes) == (recording.sha256, recording.size_bytes)
        with client.stream(recording.url) as blocks:
            assert b"".join(blocks) == to.read_bytes()

        client.delete(str(recording.id))
        for call in (client.show, client.delete):
            with pytest.raises(NotFound):
                call(recording.id)
        with pytest.raises(NotFound):
            client.file_name(recording.url)


def test_title_is_the_given_one_else_the_wavs_else_the_file_names(
    open_client: OpenClient, api: ServedApi
) -> None:
    tagged = wav(seconds=0.1, before=info(INAM="Утро", IART="Пётр"))
    user = new_user(api)
    with open_client(api.url, user.id, user.token) as client:
        told = client.upload(tagged, title="Вечер", filename="a.wav")
        of_wav = client.upload(tagged, filename="a.wav")
        of_file = client.upload(wav(seconds=0.1), filename="a.wav")
        nameless = client.upload(wav(seconds=0.1))
    assert [one.title for one in (told, of_wav, of_file, nameless)] == ["Вечер", "Утро", "a", None]
    assert of_wav.tags == Tags(title="Утро", artist="Пётр")
    assert of_file.tags == Tags()


def test_interrupted_download_is_resumed_by_range(
    open_client: OpenClient, api: ServedApi, tmp_path: Path
) -> None:
    user = new_user(api)
    to = tmp_path / "a.mp3"
    with open_client(api.url, user.id, user.token) as client:
        recording = client.upload(wav(seconds=5))
        with client.stream(recording.url) as blocks:
            whole = b"".join(blocks)
        for part in (whole[:30_000], whole):
            to.with_name("a.mp3.pigwav-part").write_bytes(part)
            downloaded = client.download(recording.url, to)
            assert (to.read_bytes(), downloaded.sha256) == (whole, recording.sha256)
            assert downloaded.resumed_from_bytes == len(part)
    assert list(tmp_path.iterdir()) == [to]


def test_pages_follow_each_other(open_client: OpenClient, api: ServedApi) -> None:
    user = new_user(api)
    with open_client(api.url, user.id, user.token) as client:
        uploaded = [client.upload(wav(seconds=0.1), title=str(number)) for number in range(5)]
        assert [one.id for one in client.recordings(page_size=2)] == [one.id for one in reversed(uploaded)]


def test_client_goes_on_with_the_new_token(open_client: OpenClient, api: ServedApi) -> None:
    user = new_user(api)
    with open_client(api.url, user.id, user.token) as client:
        token = client.rotate_token()
        assert token != user.token
        assert list(client.recordings()) == []
        with open_client(api.url, user.id, user.token) as old, pytest.raises(NotAuthenticated):
            list(old.recordings())
        client.delete_me()
        with pytest.raises(NotAuthenticated):
            list(client.recordings())


def test_refusals_have_the_services_codes(open_client: OpenClient, api: ServedApi) -> None:
    user = new_user(api)
    with open_client(api.url, user.id, user.token) as client:
        with pytest.raises(NameTaken) as taken:
            client.register(user.name)
        with pytest.raises(BadInput) as no_wav:
            client.upload(b"hello" * 1_000_000)
        with pytest.raises(BadInput) as no_id:
            client.show("no id")
        with pytest.raises(BadInput) as no_bitrate:
            client.upload(wav(seconds=0.1), bitrate_kbps=5)
        with pytest.raises(BadInput) as no_page:
            list(client.recordings(page_size=1000))
    refused = (taken, no_wav, no_id, no_bitrate, no_page)
    assert [caught.value.code for caught in refused] == [
        "name-taken",
        "not-a-wav",
        "invalid-request",
        "unsupported-bitrate",
        "invalid-request",
    ]


def test_refusal_arrives_while_the_wav_is_being_sent(open_client: OpenClient, api: ServedApi) -> None:
    user = new_user(api)
    with open_client(api.url, user.id + 1, user.token) as client, pytest.raises(NotAuthenticated):
        client.upload(bytes(1_000_000) for _ in range(30))


def test_many_uploads_at_once_in_one_event_loop(api: ServedApi, tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(wav(seconds=1))
    user = new_user(api)

    async def upload_all() -> list[Recording]:
        async with AsyncPigWavClient(api.url, user.id, user.token) as client:
            return await asyncio.gather(*(client.upload(path) for _ in range(12)))

    recordings = asyncio.run(upload_all())
    assert len({one.id for one in recordings}) == 12
    assert len({one.sha256 for one in recordings}) == 1
