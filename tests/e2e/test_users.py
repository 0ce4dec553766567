"""`pigwav users`: account management on a configured database and on that of a running `pigwav up`."""

import json
from pathlib import Path
from uuid import UUID

import httpx2
import pytest

from accounts import Account
from databases import fresh_database
from e2e.programs import Ended, run_pigwav
from pigwav.devstack import StackAddress
from pigwav.settings import Registration, Settings
from running_up import RunningUp
from serving import served

NOT_THERE = "123456"


@pytest.fixture(scope="module")
def environment(stack: StackAddress) -> dict[str, str]:
    """A new database for this module, without an object store, and with registration closed."""
    return {"PIGWAV_DATABASE_URL": fresh_database(stack.database_url), "PIGWAV_REGISTRATION": "closed"}


def users(environment: dict[str, str], *words: object) -> Ended:
    return run_pigwav("users", *words, **environment)


def shown(ended: Ended) -> dict:
    """The JSON document that a command printed."""
    assert (ended.returncode, ended.stderr) == (0, ""), ended
    return json.loads(ended.stdout)


def add(environment: dict[str, str], name: str) -> dict:
    return shown(users(environment, "add", name, "--json"))


def test_a_user_added_by_the_operator_may_upload_although_registration_is_closed(
    settings: Settings, environment: dict[str, str]
) -> None:
    own = settings.database.model_validate({"PIGWAV_DATABASE_URL": environment["PIGWAV_DATABASE_URL"]})
    closed = settings.model_copy(update={"database": own, "registration": Registration.CLOSED})
    added = add(environment, "Анна Петровна")

    with served(closed) as api, httpx2.Client(base_url=api.url, timeout=30) as http:
        account = Account(http, added["id"], added["token"])
        account.recording()

        assert http.post("/users", json={"name": "somebody"}).status_code == 403
    [listed] = [
        one for one in json.loads(users(environment, "list", "--json").stdout) if one["id"] == added["id"]
    ]
    assert (listed["name"], listed["recordings"]) == ("Анна Петровна", 1)


def test_a_name_that_is_taken_is_one_sentence(environment: dict[str, str]) -> None:
    add(environment, "twice")

    again = users(environment, "add", " twice ")

    assert (again.returncode, again.stdout, again.stderr) == (1, "", "pigwav: A user of this name exists.\n")


def test_a_list_has_everybody_once_and_no_token(environment: dict[str, str]) -> None:
    added = [add(environment, f"listed {n}") for n in range(3)]

    as_json, in_words = users(environment, "list", "--json"), users(environment, "list")

    found = {one["id"]: one for one in json.loads(as_json.stdout)}
    assert [found[one["id"]]["name"] for one in added] == ["listed 0", "listed 1", "listed 2"]
    assert sorted(found) == [*found]
    assert in_words.stdout.count("listed 1\n") == 1
    for one in added:
        assert one["token"] not in as_json.stdout + in_words.stdout


def test_a_list_of_nobody_is_an_empty_array(stack: StackAddress) -> None:
    empty = {"PIGWAV_DATABASE_URL": fresh_database(stack.database_url)}

    assert json.loads(users(empty, "list", "--json").stdout) == []


def test_a_lost_token_is_replaced_and_the_old_one_is_dead(
    settings: Settings, environment: dict[str, str]
) -> None:
    own = settings.database.model_validate({"PIGWAV_DATABASE_URL": environment["PIGWAV_DATABASE_URL"]})
    added = add(environment, "forgetful")

    replaced = shown(users(environment, "token", added["id"], "--json"))

    assert replaced.keys() == {"id", "token"}
    with served(settings.model_copy(update={"database": own})) as api:
        for token, status in ((added["token"], 401), (replaced["token"], 200)):
            answer = httpx2.get(f"{api.url}/records", headers={"Authorization": f"Bearer {token}"})
            assert answer.status_code == status


def test_words_for_people_carry_the_id_and_the_token(environment: dict[str, str]) -> None:
    added = users(environment, "add", "plain").stdout.splitlines()
    user_id = added[0].removeprefix("User ID: ")
    replaced = users(environment, "token", user_id).stdout

    assert UUID(added[1].removeprefix("Token: ")) != UUID(replaced.removeprefix("Token: ").strip())


def test_a_deleted_user_is_gone_from_the_list_and_cannot_be_deleted_twice(
    environment: dict[str, str],
) -> None:
    gone = add(environment, "gone")["id"]

    deleted, again = users(environment, "delete", gone), users(environment, "delete", gone)

    assert (deleted.returncode, deleted.stdout) == (0, f"User {gone} is deleted.\n")
    assert (again.returncode, again.stdout, again.stderr) == (1, "", f"pigwav: There is no user {gone}.\n")
    assert gone not in [one["id"] for one in json.loads(users(environment, "list", "--json").stdout)]


def test_nobody_gets_a_token_for_a_user_who_is_not_there(environment: dict[str, str]) -> None:
    ended = users(environment, "token", NOT_THERE)

    assert (ended.returncode, ended.stdout, ended.stderr) == (
        1,
        "",
        f"pigwav: There is no user {NOT_THERE}.\n",
    )


def test_beside_a_running_up_its_database_is_meant(up: RunningUp, account: Account) -> None:
    listed = run_pigwav("users", "list", "--json", "--data", up.data)
    replaced = shown(run_pigwav("users", "token", account.id, "--json", "--data", up.data))

    assert account.id in [one["id"] for one in json.loads(listed.stdout)]
    assert account.http.get("/records", headers=account.bearer).status_code == 401
    bearer = {"Authorization": f"Bearer {replaced['token']}"}
    assert account.http.get("/records", headers=bearer).status_code == 200


def test_a_folder_without_data_is_refused(tmp_path: Path) -> None:
    ended = run_pigwav("users", "list", "--data", tmp_path / "typo")

    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == f"pigwav: There is no PigWav data in {tmp_path / 'typo'}.\n"


@pytest.mark.parametrize(
    "given",
    [{"PIGWAV_S3_BUCKET": "bucket"}, {"PIGWAV_DATABASE_URL": "postgresql://u:hush@127.0.0.1:1/d"}],
    ids=["no database configured", "the database is away"],
)
def test_what_cannot_be_done_is_one_sentence(given: dict[str, str], tmp_path: Path) -> None:
    ended = run_pigwav("users", "list", folder=tmp_path, **given)

    assert (ended.returncode, ended.stderr.startswith("pigwav: "), ended.stderr.count("\n")) == (1, True, 1)
    assert "hush" not in ended.stderr
