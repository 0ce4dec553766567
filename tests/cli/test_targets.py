"""File names of downloads: duplicate names, existing files, partial files."""

import hashlib
from pathlib import Path

import pytest

from pigwav.cli.targets import Folder, NamedFile, Target, WouldOverwrite
from pigwav.client import Offered

ONE, TWO = b"\xff\xfb one", b"\xff\xfb two"


def offered(mp3: bytes, name: str = "Same.mp3") -> Offered:
    return Offered(name, hashlib.sha256(mp3).hexdigest(), len(mp3))


@pytest.mark.parametrize("force", [False, True])
def test_one_command_gives_a_name_once_whether_or_not_the_download_succeeded(
    tmp_path: Path,
    force: bool,  # noqa: FBT001
) -> None:
    for _ in range(2):  # nothing was saved, so the next command finds the same partial files
        folder = Folder(tmp_path / "music", force)
        assert folder.target(offered(ONE)) == Target(tmp_path / "music" / "Same.mp3", there=False)
        assert folder.target(offered(TWO)) == Target(tmp_path / "music" / "Same (2).mp3", there=False)


def test_what_is_there_already_is_found_under_its_numbered_name(tmp_path: Path) -> None:
    (tmp_path / "Same.mp3").write_bytes(ONE)
    (tmp_path / "Same (2).mp3").write_bytes(TWO)

    target = Folder(tmp_path, force=False).target(offered(TWO))

    assert target == Target(tmp_path / "Same (2).mp3", there=True)


def test_names_that_some_file_systems_take_for_one_are_one(tmp_path: Path) -> None:
    folder = Folder(tmp_path, force=True)

    names = [folder.target(offered(ONE, name)).path.name for name in ("é.mp3", "E\u0301.mp3")]

    assert names == ["é.mp3", "E\u0301 (2).mp3"]


def test_name_is_taken_by_a_folder_or_a_link_to_nothing_too(tmp_path: Path) -> None:
    (tmp_path / "Same.mp3").mkdir()
    (tmp_path / "Same (2).mp3").symlink_to("nowhere")

    assert Folder(tmp_path, force=False).target(offered(ONE)).path.name == "Same (3).mp3"


@pytest.mark.parametrize("content", [b"", b"ID3\4", b"\xff\xe2", b"\xff\xfb"])
def test_named_file_that_may_be_an_mp3_may_go(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a").write_bytes(content)

    assert NamedFile(tmp_path / "a", force=False).target(offered(ONE)) == Target(tmp_path / "a", there=False)


@pytest.mark.parametrize("content", [b"RIFF", b"ID", b"\xff", b"\xff\xd8\xff"])
def test_named_file_that_is_something_else_may_not(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a").write_bytes(content)

    with pytest.raises(WouldOverwrite):
        NamedFile(tmp_path / "a", force=False).target(offered(ONE))
    assert NamedFile(tmp_path / "a", force=True).target(offered(ONE)).path == tmp_path / "a"


def test_named_file_that_holds_the_recording_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(ONE)

    assert NamedFile(tmp_path / "a", force=False).target(offered(ONE)) == Target(tmp_path / "a", there=True)
