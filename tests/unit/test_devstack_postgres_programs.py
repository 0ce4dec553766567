"""Which Postgres the stack runs, and which it refuses."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from fake_programs import fake_program
from pigwav.devstack.postgres_programs import find_postgres
from pigwav.embedded import embedded_postgres
from pigwav.errors import NotConfigured

MakePrograms = Callable[[str], Path]


@pytest.fixture
def programs_of(tmp_path: Path) -> MakePrograms:
    """`programs_of("17.12")` makes a folder whose `postgres` reports this version."""

    def make(version: str) -> Path:
        folder = tmp_path / f"postgres-{version}"
        folder.mkdir()
        for name in ("postgres", "initdb"):
            fake_program(folder, name, says=f"{name} (PostgreSQL) {version}")
        return folder

    return make


@pytest.fixture
def cluster_of(tmp_path: Path) -> Callable[[str], Path]:
    """`cluster_of("17")` makes a data folder of this major version, with only the files that we read."""

    def make(major: str) -> Path:
        cluster = tmp_path / f"data-{major}" / "postgres"
        cluster.mkdir(parents=True)
        (cluster / "PG_VERSION").write_text(f"{major}\n")
        return cluster

    return make


def test_without_a_named_folder_it_is_the_embedded_one(embedded: None) -> None:
    found = find_postgres(None)

    assert found.folder == embedded_postgres()
    assert (found.major, found.named) == (18, False)


@pytest.mark.parametrize(("version", "major"), [("17.0", 17), ("18.7", 18), ("19rc2", 19)])
def test_a_named_folder_wins(programs_of: MakePrograms, version: str, major: int) -> None:
    found = find_postgres(programs_of(version))

    assert (found.version, found.major, found.named) == (version, major, True)


def test_a_relative_folder_is_that_of_the_current_one(
    programs_of: MakePrograms, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The path must be made absolute, because Postgres is started in another folder."""
    folder = programs_of("18.7")
    monkeypatch.chdir(folder.parent)

    assert find_postgres(Path(folder.name)).folder == folder


def test_one_without_the_builtin_locale_provider_is_refused(programs_of: MakePrograms) -> None:
    with pytest.raises(NotConfigured) as refused:
        find_postgres(programs_of("16.15"))

    assert str(refused.value) == (
        "PIGWAV_POSTGRES_BIN names Postgres 16.15, but PigWav needs 17 or later: name the folder of a later one, or "
        "unset it to use the embedded one."
    )


@pytest.mark.parametrize("missing", ["postgres", "initdb"])
def test_a_folder_that_lacks_a_program_is_refused(programs_of: MakePrograms, missing: str) -> None:
    folder = programs_of("18.7")
    (folder / missing).unlink()

    with pytest.raises(NotConfigured) as refused:
        find_postgres(folder)

    assert str(refused.value) == f"PIGWAV_POSTGRES_BIN: there is no program {missing} in {folder}."


def test_a_program_that_does_not_say_its_version_is_refused(programs_of: MakePrograms) -> None:
    folder = programs_of("18.7")
    fake_program(folder, "postgres", says="error while loading shared libraries", status=127)

    with pytest.raises(NotConfigured) as refused:
        find_postgres(folder)

    assert str(refused.value) == f"PIGWAV_POSTGRES_BIN: {folder / 'postgres'} does not say its version."


def test_another_minor_version_takes_over_a_cluster(
    programs_of: MakePrograms, cluster_of: Callable[[str], Path]
) -> None:
    find_postgres(programs_of("18.99")).check_cluster(cluster_of("18"))


def test_a_cluster_that_is_not_there_yet_takes_any(programs_of: MakePrograms, tmp_path: Path) -> None:
    find_postgres(programs_of("17.12")).check_cluster(tmp_path / "data" / "postgres")


def test_another_major_version_is_refused_and_both_are_named(
    programs_of: MakePrograms, cluster_of: Callable[[str], Path]
) -> None:
    cluster = cluster_of("18")

    with pytest.raises(NotConfigured) as refused:
        find_postgres(programs_of("17.12")).check_cluster(cluster)

    assert str(refused.value) == (
        f"The data folder {cluster.parent} holds a database of Postgres 18, but the one that PIGWAV_POSTGRES_BIN names "
        "is 17.12: set PIGWAV_POSTGRES_BIN to the folder with the programs of a Postgres 18."
    )


def test_the_embedded_one_does_not_take_the_cluster_of_another_major_version(
    embedded: None, cluster_of: Callable[[str], Path]
) -> None:
    with pytest.raises(NotConfigured) as refused:
        find_postgres(None).check_cluster(cluster_of("17"))

    assert re.search(
        r"of Postgres 17, but the embedded one is 18\.\d+: set PIGWAV_POSTGRES_BIN .* a Postgres 17\.$",
        str(refused.value),
    )
