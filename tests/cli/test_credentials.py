"""The precedence of options, environment and saved credentials for address, user and token."""

import stat
from uuid import UUID, uuid4

import pytest

from cli.person import Person
from pigwav.cli.credentials import Credentials, GivenCredentials, address, credentials, same_service
from pigwav.client import DEFAULT_URL, CredentialsMissing

HERE, THERE = "https://here.example", "https://there.example:8443/voice"
ONE, TWO = UUID(int=1), UUID(int=2)
NOTHING = GivenCredentials()
REMEMBERED = Credentials(HERE, 7, ONE)


@pytest.mark.parametrize(
    ("given", "environment", "remembered", "holds"),
    [
        (NOTHING, NOTHING, REMEMBERED, REMEMBERED),
        (GivenCredentials(HERE + "/"), NOTHING, REMEMBERED, REMEMBERED),
        (GivenCredentials("HTTPS://here.example:443", 7), NOTHING, REMEMBERED, REMEMBERED),
        (GivenCredentials(THERE, 8, TWO), NOTHING, REMEMBERED, Credentials(THERE, 8, TWO)),
        (
            GivenCredentials(THERE, 8, TWO),
            GivenCredentials(THERE, 8, TWO),
            REMEMBERED,
            Credentials(THERE, 8, TWO),
        ),
        (GivenCredentials(THERE, 8, TWO), GivenCredentials(HERE, 7, ONE), None, Credentials(THERE, 8, TWO)),
        (GivenCredentials(None, 8, TWO), NOTHING, None, Credentials(DEFAULT_URL, 8, TWO)),
        (
            GivenCredentials(None, 8, TWO),
            NOTHING,
            Credentials(DEFAULT_URL, 7, ONE),
            Credentials(DEFAULT_URL, 8, TWO),
        ),
        (
            GivenCredentials(THERE, 8, TWO),
            GivenCredentials(None, 8, TWO),
            REMEMBERED,
            Credentials(THERE, 8, TWO),
        ),
    ],
)
def test_what_is_given_wins_over_what_is_remembered(
    given: GivenCredentials, environment: GivenCredentials, remembered: Credentials | None, holds: Credentials
) -> None:
    assert credentials(given, environment, remembered) == holds


@pytest.mark.parametrize(
    ("given", "environment", "remembered", "why"),
    [
        (NOTHING, NOTHING, None, "pigwav login"),
        (GivenCredentials(THERE), NOTHING, REMEMBERED, f"user 7 at {HERE}, not to {THERE}"),
        (GivenCredentials("http://here.example"), NOTHING, REMEMBERED, "not to http://here.example"),
        (GivenCredentials(None, 8), NOTHING, REMEMBERED, "not to user 8"),
        (
            GivenCredentials(THERE, 8, TWO),
            GivenCredentials(HERE, 8, TWO),
            None,
            f"PIGWAV_URL={HERE}, not to {THERE}",
        ),
        (
            GivenCredentials(HERE, 9, TWO),
            GivenCredentials(HERE, 8, TWO),
            None,
            "PIGWAV_USER=8, not to user 9",
        ),
        (
            GivenCredentials(None, 8, TWO),
            GivenCredentials(None, 8, TWO),
            REMEMBERED,
            f"the saved one is {HERE}",
        ),
        (GivenCredentials(None, 8, TWO), NOTHING, REMEMBERED, f"the saved one is {HERE}"),
        (GivenCredentials(HERE, None, TWO), NOTHING, REMEMBERED, "without a user id"),
    ],
)
def test_a_token_goes_only_where_it_was_made_for_or_where_the_person_says(
    given: GivenCredentials, environment: GivenCredentials, remembered: Credentials | None, why: str
) -> None:
    with pytest.raises(CredentialsMissing) as refused:
        credentials(given, environment, remembered)

    assert why in str(refused.value)
    assert str(ONE) not in str(refused.value)
    assert str(TWO) not in str(refused.value)


@pytest.mark.parametrize(
    ("given", "remembered", "expected"),
    [
        (GivenCredentials(THERE), REMEMBERED, THERE),
        (NOTHING, REMEMBERED, HERE),
        (NOTHING, None, DEFAULT_URL),
    ],
)
def test_address_is_the_given_one_then_the_remembered_then_the_default(
    given: GivenCredentials, remembered: Credentials | None, expected: str
) -> None:
    assert address(given, remembered) == expected


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("http://a", "http://A:80/", True),
        ("http://a.", "http://a", True),
        ("http://a", "https://a", False),
        ("http://a", "http://a:8080", False),
        ("http://a/x", "http://a/y", False),
        ("http://localhost:8080", "http://127.0.0.1:8080", False),
        ("http://a:b", "http://a:b", True),
        ("http://a:b", "http://a:c", False),
    ],
)
def test_spellings_of_one_address_are_the_same_service(one: str, other: str, *, same: bool) -> None:
    assert same_service(one, other) is same
    assert same_service(other, one) is same


def test_environment_that_holds_no_such_values_counts_as_not_set() -> None:
    variables = {"PIGWAV_URL": "", "PIGWAV_USER": "anna", "PIGWAV_TOKEN": "secret"}
    token = uuid4()

    assert GivenCredentials.in_environment({}) == NOTHING
    assert GivenCredentials.in_environment(variables) == NOTHING
    assert GivenCredentials.in_environment(
        {"PIGWAV_USER": "8", "PIGWAV_TOKEN": str(token)}
    ) == GivenCredentials(None, 8, token)


def test_token_is_in_no_representation() -> None:
    assert str(ONE) not in f"{REMEMBERED!r} {REMEMBERED} {GivenCredentials(None, 1, ONE)!r}"


def test_remembered_token_is_not_sent_to_another_service(anna: Person) -> None:
    """Nothing listens at that address: a connection attempt would give another exit status."""
    for words in (
        ["list"],
        ["delete", UUID(int=0), "-y"],
        ["upload", anna.file("a.wav")],
        ["token", "rotate"],
    ):
        ended = anna.run(*words, "--url", "http://127.0.0.1:1")
        assert (ended.returncode, ended.stdout) == (3, "")
        assert "not to http://127.0.0.1:1" in ended.stderr


def test_environment_wins_over_what_is_remembered(anna: Person) -> None:
    token = anna.remembered["token"]
    elsewhere = anna.with_environment(
        PIGWAV_URL=anna.url, PIGWAV_USER=anna.remembered["user"], PIGWAV_TOKEN=UUID(int=0)
    )

    assert anna.run("list").returncode == 0
    ended = elsewhere.run("list")
    assert (ended.returncode, ended.stdout) == (3, "")
    assert ended.stderr == (
        f"pigwav: User {anna.remembered['user']} at {anna.url} and this token do not match: "
        "`pigwav login` saves other credentials. (not-authenticated)\n"
    )
    assert elsewhere.run("list", "--token", token).returncode == 0


def test_credentials_are_for_nobody_elses_eyes(newcomer: Person) -> None:
    newcomer.register()
    file = newcomer.credentials_file

    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert set(newcomer.remembered) == {"url", "user", "token"}
    assert [*file.parent.iterdir()] == [file]


def test_file_that_holds_no_credentials_is_told_by_name(anna: Person) -> None:
    for content in (
        "",
        "[]",
        '{"url": "http://a"}',
        '{"url": "http://a", "user": 1, "token": "x"}',
        "\ufffd",
    ):
        anna.credentials_file.write_text(content)
        ended = anna.run("list")
        assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (3, "", 1)
        assert str(anna.credentials_file) in ended.stderr
    assert anna.run("logout", "-y").returncode == 0
    assert not anna.credentials_file.exists()


def test_what_looks_like_no_token_is_none_and_is_not_repeated(anna: Person) -> None:
    for person, words in ((anna, ["--token", "s3cret"]), (anna.with_environment(PIGWAV_TOKEN="s3cret"), [])):
        ended = person.run("list", *words)
        assert (ended.returncode, ended.stdout) == (3, "")
        assert ended.stderr.startswith("pigwav: This is not a token. A token looks like ")
        assert "s3cret" not in ended.stderr


def test_no_user_is_remembered_in_the_folder_where_one_happens_to_be(newcomer: Person) -> None:
    """XDG Base Directory: a relative XDG_CONFIG_HOME counts as not set."""
    for relative in ("", "here"):
        person = newcomer.with_environment(PIGWAV_URL=newcomer.url, XDG_CONFIG_HOME=relative)
        ended = person.run("register", f"relative {uuid4()}", "--force")
        assert ended.returncode == 0, ended
        assert [*newcomer.home.rglob("credentials.json")] == [newcomer.credentials_file]
        assert newcomer.remembered["url"] == newcomer.url
