"""compose.yaml, as Compose itself resolves it."""

import json
import os
import shutil
from typing import Any

import pytest

from deploy.engine import docker, inspect, run
from deploy.project import NAME, PROFILES, Project

WITH_DATABASE = {"prepare", "pigwavdb"}
ONCE = {"prepare", "migrate", "provision"}
SERVICES = {
    "only_db": WITH_DATABASE,
    "admin_db": WITH_DATABASE | {"pgadmin"},
    "apiapp": WITH_DATABASE | {"pgadmin", "minio", "migrate", "provision", "apiapp"},
}

Services = dict[str, dict[str, Any]]


@pytest.fixture
def services(fresh_project: Project) -> Services:
    return fresh_project.config("apiapp")["services"]


def test_there_are_three_profiles_and_each_starts_what_it_says(fresh_project: Project) -> None:
    assert sorted(fresh_project.compose("config", "--profiles").split()) == sorted(PROFILES)
    assert {name: set(fresh_project.config(name)["services"]) for name in PROFILES} == SERVICES


def test_only_the_api_is_published_beyond_this_machine(services: Services) -> None:
    hosts = {
        name: {port.get("host_ip", "everywhere") for port in service["ports"]}
        for name, service in services.items()
        if "ports" in service
    }

    assert hosts.pop("apiapp") == {"everywhere"}
    assert hosts == {name: {"127.0.0.1"} for name in ("pigwavdb", "pgadmin", "minio")}


def test_what_should_run_is_watched_restarted_and_reaped_and_the_rest_runs_once(services: Services) -> None:
    for name in services.keys() - ONCE:
        assert services[name]["restart"] == "unless-stopped", name
        assert services[name]["init"], name
        assert name == "apiapp" or services[name]["healthcheck"]["test"], name  # the image defines the API's
    for name in ONCE:
        assert "restart" not in services[name], name


def test_the_service_waits_for_what_runs_once_and_for_what_runs_on(services: Services) -> None:
    waits = {name: on["condition"] for name, on in services["apiapp"]["depends_on"].items()}

    assert waits == {
        "pigwavdb": "service_healthy",
        "minio": "service_healthy",
        "migrate": "service_completed_successfully",
        "provision": "service_completed_successfully",
    }


def test_the_names_and_parameters_that_people_know(services: Services) -> None:
    database, pgadmin, api = (services[name] for name in ("pigwavdb", "pgadmin", "apiapp"))

    assert database["container_name"] == "pigwavdb_container"
    assert database["networks"]["default"]["aliases"] == ["quizdb_container"]
    assert database["environment"] == {
        "POSTGRES_DB": "pigwavdb",
        "POSTGRES_USER": "pigwavuser",
        "POSTGRES_PASSWORD": "pigwav1234",
    }
    assert pgadmin["image"] == "dpage/pgadmin4:9"
    assert pgadmin["environment"]["PGADMIN_DEFAULT_PASSWORD"] == "pigwav1234"
    assert api["container_name"] == "apiapp_container"
    assert services["minio"]["image"] == "docker.io/pgsty/silo:RELEASE.2026-10-26T00-00-00Z"


def test_pgadmin_has_the_database_password_unless_it_is_told_another(fresh_project: Project) -> None:
    with (fresh_project.folder / ".env").open("a") as file:
        file.write("POSTGRES_PASSWORD=other-than-known\n")
    services = fresh_project.config("admin_db")["services"]

    assert services["pgadmin"]["environment"]["PGADMIN_DEFAULT_PASSWORD"] == "other-than-known"


def test_a_database_elsewhere_goes_by_the_name_that_people_know(fresh_project: Project) -> None:
    url = "postgresql://me:secret@db.example.org/voice"
    with (fresh_project.folder / ".env").open("a") as file:
        file.write(f"POSTGTRES_SQL_URI={url}\nAPI_HOSTNAME=voice.example.org\nAPI_PORT=8443\n")
    services = fresh_project.config("apiapp")["services"]

    for name in ("apiapp", "migrate"):
        assert services[name]["environment"]["PIGWAV_DATABASE_URL"] == url
    assert services["migrate"]["environment"]["PIGWAV_MIGRATE_DATABASE_URL"] == url
    environment = services["apiapp"]["environment"]
    assert (environment["API_HOSTNAME"], environment["API_PORT"]) == ("voice.example.org", "8443")


def test_the_root_key_is_given_to_minio_and_provision_and_to_no_service(fresh_project: Project) -> None:
    with (fresh_project.folder / ".env").open("a") as file:
        file.write("MINIO_ROOT_USER=the-root-user\nMINIO_ROOT_PASSWORD=the-root-password\n")
    services = fresh_project.config("apiapp")["services"]
    knowing = {
        name
        for name, service in services.items()
        if {"the-root-user", "the-root-password"} & {*service["environment"].values()}
    }

    assert knowing == {"minio", "provision", "prepare"}  # prepare warns of the default password


def test_the_password_of_the_databases_superuser_is_given_to_migrate_and_to_no_service(
    fresh_project: Project,
) -> None:
    with (fresh_project.folder / ".env").open("a") as file:
        file.write("POSTGRES_PASSWORD=the-superusers\nPOSTGRES_SERVICE_PASSWORD=the-services\n")
    services = fresh_project.config("apiapp")["services"]

    def knowing(password: str) -> set[str]:
        return {name for name, one in services.items() if password in one["environment"].values()}

    assert knowing("the-superusers") == {"pigwavdb", "pgadmin", "prepare", "migrate"}
    assert knowing("the-services") == {"prepare", "migrate", "apiapp"}
    assert "pigwavservice@" in services["apiapp"]["environment"]["PIGWAV_DATABASE_URL"]
    assert not [name for name in services["apiapp"]["environment"] if "MIGRATE" in name]


def test_a_clean_checkout_builds_its_image_by_itself(fresh_project: Project) -> None:
    tag = f"pigwav-test:compose-{os.getpid()}"
    with (fresh_project.folder / ".env").open("a") as file:
        file.write(f"APIAPP_IMAGE={tag}\n")
    fresh_project.compose("--profile", "apiapp", "run", "--rm", "--no-deps", "migrate", "--help")

    assert inspect(tag)["Config"]["Entrypoint"] == ["pigwav"]
    docker("rmi", tag)


def test_the_older_command_reads_it_the_same(fresh_project: Project) -> None:
    if shutil.which("docker-compose") is None:
        pytest.skip("there is no docker-compose command")
    words = ["docker-compose", "-p", NAME, "--profile", "apiapp", "config", "--format", "json"]

    assert json.loads(run(words, folder=fresh_project.folder).stdout) == fresh_project.config("apiapp")
