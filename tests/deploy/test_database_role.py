"""A deployment of a former release, whose service was the database's superuser."""

import httpx2

from accounts import Account, register
from deploy.engine import Container
from deploy.project import NAME, Project

MIGRATE = Container(f"{NAME}-migrate-1")
ROLES = (
    "SELECT DISTINCT usename FROM pg_stat_activity WHERE application_name = 'pigwav' AND state IS NOT NULL"
)


def client(project: Project) -> httpx2.Client:
    return httpx2.Client(base_url=project.url("API_PUBLISHED_PORT"), timeout=60)


def test_its_env_and_its_volume_still_work_and_without_its_url_the_service_gets_a_role_of_its_own(
    fresh_project: Project,
) -> None:
    env = fresh_project.folder / ".env"
    today = env.read_text()
    env.write_text(f"{today}POSTGTRES_SQL_URI=postgresql://pigwavuser@pigwavdb_container:5432/pigwavdb\n")
    fresh_project.up("apiapp")
    with client(fresh_project) as http:
        owner = register(http, "former")
        recording = owner.recording()
    assert fresh_project.psql(ROLES) == "pigwavuser"
    assert "name the same role, pigwavuser, which is a superuser" in MIGRATE.logs()

    env.write_text(today)
    fresh_project.up("apiapp")
    assert fresh_project.psql(ROLES) == "pigwavservice"
    assert "WRONG" not in MIGRATE.logs()
    assert "refused: run a program on the server" in MIGRATE.logs()
    with client(fresh_project) as http:
        assert len(http.get(recording["url"]).content) == recording["bytes"]
        assert Account(http, owner.id, owner.token).recording()
