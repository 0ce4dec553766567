"""A file with secrets: written atomically, readable only by its owner."""

import json
import stat
from pathlib import Path

import pytest

from pigwav.private_json import write_private_json


def test_the_file_is_replaced_as_a_whole_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    file = tmp_path / "file"
    write_private_json(file, {"a": 1})
    old = file.open()
    write_private_json(file, {"name": "ключ"})

    with old:
        assert json.load(old) == {"a": 1}
    assert json.loads(file.read_text("utf-8")) == {"name": "ключ"}
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [*tmp_path.iterdir()] == [file]


def test_a_file_that_others_could_read_is_private_afterwards(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch(mode=0o644)

    write_private_json(file, {})

    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_what_cannot_be_written_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    file = tmp_path / "file"
    write_private_json(file, {"a": 1})

    with pytest.raises(TypeError):
        write_private_json(file, {"half": {1, 2}})

    assert json.loads(file.read_text()) == {"a": 1}
    assert [*tmp_path.iterdir()] == [file]
