"""`PIGWAV_POSTGRES_BIN`: `pigwav up`, and commands on the data of a stopped one, run this Postgres."""

import shutil
from pathlib import Path

import psutil
import pytest

from conftest import StartUp
from e2e.programs import run_pigwav
from fake_programs import fake_program
from pigwav.embedded import embedded_postgres
from running_up import gone

BESIDE_A_STOPPED_UP = (["sweep"], ["doctor"], ["users", "list"], ["s3-check"])


@pytest.fixture
def another_postgres(embedded: None, tmp_path: Path) -> Path:
    """The program folder of another Postgres installation: a copy of the embedded one."""
    programs = embedded_postgres()
    assert programs
    package = programs.parents[1]
    for part in package.parent.glob(f"{package.name}*"):  # the libraries are next to the package
        shutil.copytree(part, tmp_path / "elsewhere" / part.name, ignore=shutil.ignore_patterns("include"))
    return tmp_path / "elsewhere" / programs.relative_to(package.parent)


def server(running: psutil.Process) -> Path:
    return Path(running.exe())


@pytest.mark.long
def test_up_makes_its_database_with_the_named_postgres_and_runs_it(
    running_up: StartUp, another_postgres: Path
) -> None:
    named = running_up("--port", "0", environment={"PIGWAV_POSTGRES_BIN": str(another_postgres)})
    postgres = named.child("postgres")
    assert server(postgres) == another_postgres / "postgres"
    assert named.stop() == 0
    assert gone([postgres], within_s=5)

    embedded = running_up("--port", "0", data=named.data)
    assert server(embedded.child("postgres")) != another_postgres / "postgres"


@pytest.mark.parametrize("command", BESIDE_A_STOPPED_UP, ids=" ".join)
def test_a_command_beside_a_stopped_up_would_run_the_named_postgres(
    embedded: None, tmp_path: Path, command: list[str]
) -> None:
    """Its major version differs from the data's, and the refusal shows that the command would run it."""
    data = data_of_18(tmp_path)

    ended = run_pigwav(*command, "--data", data, PIGWAV_POSTGRES_BIN=str(programs_of_17(tmp_path)))

    assert ended.returncode == (2 if command == ["doctor"] else 1)
    assert (ended.stdout, ended.stderr) == ("", f"pigwav: {refusal_of_17(data)}\n")


def test_up_refuses_a_named_postgres_of_another_major_version_in_one_sentence(
    embedded: None, tmp_path: Path
) -> None:
    data = data_of_18(tmp_path)

    ended = run_pigwav("up", "--port", "0", "--data", data, PIGWAV_POSTGRES_BIN=str(programs_of_17(tmp_path)))

    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == f"pigwav: {refusal_of_17(data)}\n"


def test_up_that_is_sent_to_a_folder_without_postgres_makes_no_data_folder(
    embedded: None, tmp_path: Path
) -> None:
    ended = run_pigwav(
        "up", "--port", "0", "--data", tmp_path / "data", PIGWAV_POSTGRES_BIN="/no/such/folder"
    )

    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == "pigwav: PIGWAV_POSTGRES_BIN: there is no program postgres in /no/such/folder.\n"
    assert not (tmp_path / "data").exists()


def data_of_18(folder: Path) -> Path:
    """A data folder with only the file that contains the major version."""
    (folder / "data" / "postgres").mkdir(parents=True)
    (folder / "data" / "postgres" / "PG_VERSION").write_text("18\n")
    return folder / "data"


def programs_of_17(folder: Path) -> Path:
    for name in ("postgres", "initdb"):
        fake_program(folder, name, says=f"{name} (PostgreSQL) 17.12")
    return folder


def refusal_of_17(data: Path) -> str:
    return (
        f"The data folder {data} holds a database of Postgres 18, but the one that PIGWAV_POSTGRES_BIN names is 17.12: "
        "set PIGWAV_POSTGRES_BIN to the folder with the programs of a Postgres 18."
    )
