"""The database profiles, in a clean folder without configuration."""

from deploy.engine import as_root_on_the_host, docker
from deploy.pgadmin import logged_in
from deploy.project import DATABASE, NAME, PGADMIN, Container, Project

KNOWN = "postgresql://pigwavuser:pigwav1234@{}:5432/pigwavdb"
PREPARE = Container(f"{NAME}-prepare-1")


def query(project: Project, host: str, sql: str) -> str:
    """Runs a query from another container of the project's network, with the default user and password."""
    psql = ["psql", KNOWN.format(host), "-qAtc", sql]
    return docker(
        "run", "--rm", "--network", f"{NAME}_default", "--entrypoint", *psql[:1], "postgres:17", *psql[1:]
    )


def test_only_db_is_a_postgres_with_the_known_names_that_keeps_its_data(fresh_project: Project) -> None:
    fresh_project.up("only_db")

    assert fresh_project.states() == {"prepare": "exit 0", "pigwavdb": "healthy"}
    query(fresh_project, "pigwavdb_container", "CREATE TABLE kept AS SELECT 42 AS answer")
    fresh_project.down()
    fresh_project.up("only_db")

    assert query(fresh_project, "quizdb_container", "SELECT answer FROM kept") == "42"


def test_passwords_that_everybody_knows_are_warned_of_once_and_others_are_not(fresh_project: Project) -> None:
    fresh_project.up("only_db")
    assert PREPARE.logs().count("WARNING") == 1
    fresh_project.down()

    with (fresh_project.folder / ".env").open("a") as file:
        file.writelines(
            f"{name}=a-password-of-ours\n"
            for name in ("POSTGRES_PASSWORD", "MINIO_ROOT_PASSWORD", "PIGWAV_S3_SECRET_KEY")
        )
    fresh_project.up("only_db")
    assert "the service knows the password of the database's superuser" in PREPARE.logs()
    assert PREPARE.logs().count("WARNING") == 1
    fresh_project.down()

    with (fresh_project.folder / ".env").open("a") as file:
        file.write("POSTGRES_SERVICE_PASSWORD=another-password-of-ours\n")
    fresh_project.up("only_db")
    assert PREPARE.logs() == ""


def test_admin_db_opens_with_the_server_in_its_list_and_keeps_what_is_done_there(
    fresh_project: Project,
) -> None:
    def pgadmin_reaches_the_database() -> None:
        with logged_in(fresh_project.url("PGADMIN_PORT"), "admin@example.com", "pigwav1234") as pgadmin:
            servers = pgadmin.servers()
            assert [*servers] == ["PigWav"]
            assert pgadmin.connect(servers["PigWav"])["db"] == "pigwavdb"

    fresh_project.up("admin_db")
    assert fresh_project.states() == {"prepare": "exit 0", "pigwavdb": "healthy", "pgadmin": "healthy"}
    pgadmin_reaches_the_database()

    PGADMIN.kill_main_process()
    PGADMIN.until_healthy()
    fresh_project.down()
    fresh_project.up("admin_db")
    pgadmin_reaches_the_database()


def test_folders_belong_to_the_users_that_the_servers_run_as(fresh_project: Project) -> None:
    data = fresh_project.folder / "data"
    (data / "pgadmin" / "sessions").mkdir(parents=True)
    (data / "pgadmin" / "sessions" / "restored").touch()  # as the user who runs the tests
    fresh_project.up("only_db")

    owners = as_root_on_the_host(
        "find", "/it/pgadmin", "/it/postgres", "-printf", "%u\n", folder=data
    ).split()
    assert set(owners) == {"5050", "postgres"}
    assert DATABASE.health == "healthy"
    # pgAdmin's image runs as this user.
    mount = ("-v", f"{data}/pgadmin:/var/lib/pgadmin")
    docker(
        "run", "--rm", "--user=5050", "--entrypoint=touch", *mount, "postgres:17", "/var/lib/pgadmin/probe"
    )
