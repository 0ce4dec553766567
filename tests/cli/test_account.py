"""`pigwav register | login | logout` and `pigwav token rotate`."""

import re
from uuid import UUID, uuid4

from cli.person import Person

UUID_PATTERN = "[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"


def test_register_prints_id_and_token_and_remembers_them(newcomer: Person) -> None:
    ended = newcomer.run("register", f"Пётр {uuid4()}")

    found = re.fullmatch(rf"User ID: (\d+)\nToken: ({UUID_PATTERN})\n", ended.stdout)
    assert found, ended
    assert (ended.returncode, ended.stderr) == (0, "")
    assert newcomer.remembered == {"url": newcomer.url, "user": int(found[1]), "token": found[2]}
    assert newcomer.with_environment().run("list").returncode == 0


def test_register_without_remembering(newcomer: Person) -> None:
    ended = newcomer.run("register", f"guest {uuid4()}", "--no-save")

    assert ended.returncode == 0
    assert "Token: " in ended.stdout
    assert not newcomer.credentials_file.exists()


def test_register_does_not_lose_another_users_token(anna: Person) -> None:
    before, name = anna.remembered, f"second {uuid4()}"

    refused = anna.run("register", name)
    assert (refused.returncode, refused.stdout, refused.stderr.count("\n")) == (1, "", 1)
    assert f"Credentials of user {before['user']} at {anna.url} are saved " in refused.stderr
    assert "--force" in refused.stderr
    assert anna.remembered == before

    assert anna.run("register", name, "--no-save").returncode == 0, "the refused command registered the name"
    assert anna.remembered == before
    assert anna.run("register", f"third {uuid4()}", "--force").returncode == 0
    assert anna.remembered["user"] > before["user"]


def test_refused_name_is_told_with_its_code_and_remembers_nothing(newcomer: Person, anna: Person) -> None:
    name = f"taken {uuid4()}"
    assert anna.run("register", name, "--no-save").returncode == 0

    ended = newcomer.run("register", name)

    assert (ended.returncode, ended.stdout) == (4, "")
    assert re.fullmatch(r"pigwav: .+\. \(name-taken\)\n", ended.stderr)
    assert not newcomer.credentials_file.exists()


def test_token_is_shown_even_where_it_cannot_be_remembered(newcomer: Person) -> None:
    newcomer.credentials_file.parent.parent.symlink_to("nowhere")

    ended = newcomer.run("register", f"homeless {uuid4()}")

    assert ended.returncode == 1
    assert "Token: " in ended.stdout
    assert ended.stderr.count("\n") == 1


def test_login_reads_the_token_from_a_pipe_tries_it_and_remembers_it(newcomer: Person, anna: Person) -> None:
    who = anna.remembered

    ended = newcomer.run("login", typed=f"{who['token']}\n")

    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
    assert newcomer.remembered == who
    assert newcomer.with_environment().listed() == anna.listed()


def test_login_asks_at_a_terminal_without_echo(newcomer: Person, anna: Person) -> None:
    who = anna.remembered

    with newcomer.at_terminal("login") as terminal:
        terminal.wait_for("Token: ")
        terminal.type(f"{who['token']}\n")
        assert terminal.end() == 0, terminal.typed_out

    assert who["token"] not in terminal.typed_out
    assert "only you can read" in terminal.screen().replace("\n", " ")
    assert newcomer.remembered == who


def test_login_with_what_is_no_good_token_remembers_nothing(newcomer: Person, anna: Person) -> None:
    who = anna.remembered

    for user, token, status, said in (
        (who["user"], "secret", 3, "A token looks like"),
        (who["user"], "", 3, "A token looks like"),
        (who["user"], str(UUID(int=0)), 3, "(not-authenticated)"),
        (who["user"] + 1, who["token"], 3, f"belongs to user {who['user']}, not to user {who['user'] + 1}"),
    ):
        ended = newcomer.run("login", "--user", user, typed=f"{token}\n")
        assert (ended.returncode, ended.stdout) == (status, "")
        assert said in ended.stderr
    assert not newcomer.credentials_file.exists()


def test_login_of_another_user_loses_no_token_unless_told_to(anna: Person, newcomer: Person) -> None:
    newcomer.register()
    before, other = anna.remembered, newcomer.remembered

    refused = anna.run("login", typed=f"{other['token']}\n")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "--force" in refused.stderr
    assert anna.remembered == before

    assert anna.run("login", "--force", typed=f"{other['token']}\n").returncode == 0
    assert anna.remembered == other


def test_login_of_the_same_user_brings_a_new_token(anna: Person) -> None:
    who = anna.remembered
    rotated = anna.with_environment(
        PIGWAV_URL=anna.url, PIGWAV_USER=who["user"], PIGWAV_TOKEN=who["token"], XDG_CONFIG_HOME="/nowhere"
    ).run("token", "rotate")
    assert anna.run("list").returncode == 3

    new = rotated.stdout.removeprefix("Token: ")
    assert anna.run("login", typed=new).returncode == 0
    assert anna.run("list").returncode == 0


def test_logout_forgets_what_a_person_agrees_to_forget(anna: Person) -> None:
    assert anna.run("logout").returncode == 2, "no terminal to ask on"
    with anna.at_terminal("logout") as terminal:
        terminal.wait_for("[y/N] ")
        terminal.type("\n")
        assert terminal.end() == 1
    assert anna.credentials_file.exists()

    with anna.at_terminal("logout") as terminal:
        terminal.wait_for("[y/N] ")
        terminal.type("y\n")
        assert terminal.end() == 0
    assert not anna.credentials_file.exists()

    assert anna.run("list").returncode == 3
    assert anna.run("logout").returncode == 0


def test_rotated_token_is_printed_and_remembered_where_the_old_one_was(anna: Person) -> None:
    before = anna.remembered

    ended = anna.run("token", "rotate")

    assert (ended.returncode, ended.stderr) == (0, "")
    new = re.fullmatch(rf"Token: ({UUID_PATTERN})\n", ended.stdout)
    assert new
    assert anna.remembered == before | {"token": new[1]} != before
    assert anna.run("list").returncode == 0
    assert anna.run("list", "--user", before["user"], "--token", before["token"]).returncode == 3


def test_rotating_another_users_token_leaves_the_remembered_one(anna: Person, newcomer: Person) -> None:
    newcomer.register()
    before, other = anna.remembered, newcomer.remembered
    visiting = anna.with_environment(
        PIGWAV_URL=anna.url, PIGWAV_USER=other["user"], PIGWAV_TOKEN=other["token"]
    )

    ended = visiting.run("token", "rotate")

    assert ended.returncode == 0
    assert ended.stderr == "pigwav: PIGWAV_TOKEN still holds the old token.\n"
    assert anna.remembered == before
    assert anna.run("list").returncode == 0


def test_rotating_with_another_users_token_under_ones_own_id_costs_no_token(
    anna: Person, newcomer: Person
) -> None:
    """The token alone identifies the user."""
    newcomer.register()
    before = anna.remembered
    mistaken = anna.with_environment(
        PIGWAV_URL=anna.url, PIGWAV_USER=before["user"], PIGWAV_TOKEN=newcomer.remembered["token"]
    )

    assert mistaken.run("token", "rotate").returncode == 0

    assert anna.remembered == before
    assert anna.run("list").returncode == 0
